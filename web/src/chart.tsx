// Curves: uPlot with the look of reports. Names stand at the ends of lines, values under the cursor
// are read with the mouse or with the arrow keys, and every chart has its numbers as a table.
import { signal, useSignal } from "@preact/signals";
import type { Signal } from "@preact/signals";
import { useEffect, useId, useRef } from "preact/hooks";
import type { ComponentChildren, JSX } from "preact";
import uPlot from "uplot";
import type { Value } from "./api";
import { number } from "./format";
import { Numbers } from "./parts";

export interface Line {
  name: string; values: Value[]; look: "main" | "second" | "band" | number;
}

interface Props {
  title: string; words?: string; x: number[]; lines: Line[]; xName: string; height?: number;
  log?: boolean; mark?: { x: number; words: string } | null; events?: { x: number; words: string }[];
  band?: { name: string; low: Value[]; high: Value[] } | undefined; summary: string; sync?: string;
  xText?: (x: number) => string; controls?: ComponentChildren; zoom?: Signal<Range | null>;
}

// The part of the horizontal axis that is looked at.
export type Range = [number, number];

// Okabe and Ito's colours, as far as they can be told apart on both papers, with dashes as well.
export const DASHES: number[][] = [[], [7, 4], [2, 3], [10, 3, 2, 3]];
export const COLOURS = 7;

// Grows when the colours change.
export const theme = signal(0);

const css = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function look(line: Line): { stroke: string; width: number; dash: number[] } {
  if (line.look === "main") return { stroke: css("--accent"), width: 2, dash: [] };
  if (line.look === "second") return { stroke: css("--soft"), width: 1.6, dash: [5, 4] };
  if (line.look === "band") return { stroke: "transparent", width: 0, dash: [] };
  return {
    stroke: css(`--series-${line.look % COLOURS}`), width: 1.8,
    dash: DASHES[Math.floor(line.look / COLOURS) % DASHES.length] ?? [],
  };
}

const FONT = "12px system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";

// Writes the names of lines behind their ends, one below the other where they would meet.
function writeNames(plot: uPlot, lines: Line[]): void {
  const ratio = devicePixelRatio;
  const places = lines.flatMap((line, i) => {
    const data = plot.data[i + 1] as Value[];
    let at = data.length - 1;
    while (at >= 0 && data[at] == null) at -= 1;
    const value = data[at];
    if (at < 0 || value == null || line.look === "band") return [];
    return [{ line, y: plot.valToPos(value, "y", true) }];
  }).sort((a, b) => a.y - b.y);
  if (places.length > 8) return;
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.font = `${12 * ratio}px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif`;
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  let last = -Infinity;
  const lowest = bbox.top + bbox.height;
  for (const [i, { line, y }] of places.entries()) {
    const room = lowest - (places.length - 1 - i) * 15 * ratio;
    const at = Math.min(Math.max(y, last + 15 * ratio), room);
    last = at;
    ctx.fillStyle = look(line).stroke;
    const name = line.name.length > 20 ? `${line.name.slice(0, 19)}\u2026` : line.name;
    ctx.fillText(name, bbox.left + bbox.width + 8 * ratio, at);
  }
  ctx.restore();
}

function drawMarks(plot: uPlot, props: Props): void {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = css("--faint");
  ctx.lineWidth = ratio;
  for (const mark of [...(props.mark ? [props.mark] : []), ...(props.events ?? [])]) {
    const x = Math.round(plot.valToPos(mark.x, "x", true));
    if (x < bbox.left - 1 || x > bbox.left + bbox.width + 1) continue;
    ctx.setLineDash(mark === props.mark ? [2 * ratio, 4 * ratio] : []);
    ctx.beginPath();
    ctx.moveTo(x, mark === props.mark ? bbox.top : bbox.top + bbox.height - 7 * ratio);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}

function options(
  props: Props, width: number, readout: (index: number | null) => void, zoom: Signal<Range | null>,
): uPlot.Options {
  const grid = { stroke: css("--line"), width: 1 };
  const axis = { stroke: css("--soft"), font: FONT, ticks: { show: false }, grid };
  const names = props.lines.some((line) => line.look !== "band");
  const phone = width < 520;
  const positive = props.lines.every((line) => line.values.every((v) => v === null || v > 0));
  return {
    width, height: props.height ?? 240,
    padding: [10, phone || !names ? 12 : 96, 0, 0],
    legend: { show: false },
    cursor: {
      y: false, points: { size: 7 }, drag: { x: true, y: false, setScale: false },
      bind: { dblclick: () => () => { zoom.value = null; return null; } },
      ...(props.sync ? { sync: { key: props.sync, setSeries: false } } : {}),
    },
    scales: {
      x: { time: false, range: (_plot, low, high) => zoom.value ?? (low === high ? [low - 1, high + 1] : [low, high]) },
      y: props.log && positive
        ? { distr: 3 }
        : { range: (_plot, low, high) => spread(low, high) },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 30, values: (_plot, at) => at.map((v) =>
          Number.isInteger(v) ? (props.xText ?? number)(v) : "") },
      { ...axis, size: phone ? 48 : 62, values: (_plot, at) => at.map((v) => v === null ? "" : number(v)) },
    ],
    series: [
      {},
      ...props.lines.map((line) => ({
        ...look(line), label: line.name, spanGaps: true, points: { show: line.values.length < 2 },
      })),
    ],
    ...(props.band
      ? { bands: [{ series: [props.lines.length + 2, props.lines.length + 1] as [number, number], fill: css("--band") }] }
      : {}),
    hooks: {
      draw: [(plot) => {
        drawMarks(plot, props);
        if (!phone) writeNames(plot, props.lines);
      }],
      setCursor: [(plot) => readout(plot.cursor.idx ?? null)],
      setSelect: [(plot) => {
        const { left, width } = plot.select;
        if (width < 4) return;
        zoom.value = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")];
        plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
      }],
    },
  };
}

function spread(low: number, high: number): [number, number] {
  if (low === null || high === null) return [0, 1];
  const gap = high - low || Math.abs(high) * 0.1 || 1;
  const bottom = low - 0.08 * gap;
  return [low >= 0 && bottom < 0 ? 0 : bottom, high + 0.08 * gap];
}

// The points inside of a range: the first, and the one after the last.
function inside(x: number[], range: Range | null): [number, number] {
  if (!range) return [0, x.length];
  const first = x.findIndex((v) => v >= range[0]);
  const after = x.findIndex((v) => v > range[1]);
  return first < 0 ? [x.length, x.length] : [first, after < 0 ? x.length : after];
}

// Half or twice as wide, around a point; nothing where all would be seen.
function scaled(x: number[], range: Range | null, around: number, factor: number): Range | null {
  const [low, high] = [x[0] ?? 0, x[x.length - 1] ?? 1];
  const [from, to] = range ?? [low, high];
  const wide = Math.max((to - from) * factor, (high - low) * 1e-7);
  if (wide >= high - low) return null;
  const start = Math.min(Math.max(around - (around - from) * factor, low), high - wide);
  return [start, start + wide];
}

function dataOf(props: Props): uPlot.AlignedData {
  const band = props.band;
  return [props.x, ...props.lines.map((line) => line.values), ...(band ? [band.low, band.high] : [])];
}

export function Chart(props: Props): JSX.Element {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const current = useRef(props);
  current.current = props;
  const at = useSignal<number | null>(null);
  const id = useId();
  const own = useSignal<Range | null>(null);
  const zoom = props.zoom ?? own;
  const range = zoom.value;
  const colours = theme.value;
  const shape = [props.lines.map((l) => [l.name, l.look]), props.log, props.height, !!props.band,
    props.mark?.x, props.xName].join();

  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const withBand = (given: uPlot.Options): uPlot.Options => {
      const { band } = current.current;
      if (band) given.series.push({ label: "low", stroke: "transparent", points: { show: false } },
        { label: "high", stroke: "transparent", points: { show: false } });
      return given;
    };
    const made = new uPlot(
      withBand(options(current.current, element.clientWidth || 600, (i) => (at.value = i), zoom)),
      dataOf(current.current), element,
    );
    plot.current = made;
    const watching = new ResizeObserver(() => {
      const width = element.clientWidth;
      if (width && width !== made.width) made.setSize({ width, height: made.height });
    });
    watching.observe(element);
    return () => {
      watching.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape, colours]);

  useEffect(() => plot.current?.setData(dataOf(props)), [props.x, ...props.lines.map((l) => l.values), range]);

  const move = (event: KeyboardEvent): void => {
    const made = plot.current;
    const [first, after] = inside(props.x, range);
    const last = after - 1;
    const middle = range ? (range[0] + range[1]) / 2 : ((props.x[0] ?? 0) + (props.x[last] ?? 0)) / 2;
    const factor = { "+": 0.5, "=": 0.5, "-": 2, "0": Infinity }[event.key];
    if (factor && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      const around = at.value === null ? middle : props.x[at.value] ?? middle;
      at.value = null;
      zoom.value = scaled(props.x, range, around, factor);
      return;
    }
    const step = event.shiftKey ? Math.max(1, Math.round((last - first) / 20)) : 1;
    const to = { ArrowLeft: (at.value ?? last + 1) - step, ArrowRight: (at.value ?? first - 1) + step,
      Home: first, End: last }[event.key];
    if (!made || to === undefined || last < first) return;
    event.preventDefault();
    const index = Math.min(Math.max(to, first), last);
    const known = props.lines.find((line) => line.values[index] !== null);
    made.setCursor({
      left: made.valToPos(props.x[index] ?? 0, "x"),
      top: known ? made.valToPos(known.values[index] ?? 0, "y") : 10,
    });
    at.value = index;
  };

  const shown = at.value === null || at.value >= props.x.length ? null : at.value;
  const xText = props.xText ?? number;
  const edge = (x: number): string => xText(props.xText ? x : Math.round(x));
  const [from, to] = inside(props.x, range);
  return (
    <figure class="chart">
      <figcaption>
        <span class="heading" id={id}>{props.title}</span>
        {props.words ? <span class="quiet"> {props.words}</span> : null}
        {range ? <span class="zoomed"> {props.xName} {edge(range[0])} to {edge(range[1])}{" "}
          <button type="button" class="link" onClick={() => (zoom.value = null)}>show all<span class="spoken"> of {props.title}</span></button></span> : null}
        {props.controls}
      </figcaption>
      <p class="readout" aria-live="off">
        {shown === null
          ? <span class="summary">{props.summary}</span>
          : <>
              <span>{props.xName} <b>{xText(props.x[shown] ?? 0)}</b></span>
              {props.lines.slice(0, 8).map((line) => (
                <span class={`key look-${line.look}`}>{line.name} <b>{number(line.values[shown])}</b></span>
              ))}
            </>}
      </p>
      <div class="plot" ref={host} tabIndex={0} role="group" aria-labelledby={id}
        aria-description="The arrow keys read its values, + and - zoom, 0 shows all." onKeyDown={move}
        onBlur={() => (at.value = null)} />
      <output class="spoken" aria-live="polite">
        {shown === null || document.activeElement !== host.current ? "" :
          `${props.xName} ${xText(props.x[shown] ?? 0)}: ` + props.lines.map((line) =>
            `${line.name} ${number(line.values[shown])}`).join(", ")}
      </output>
      <Numbers title={props.title} first={props.xName} x={props.x.slice(from, to).map(xText)}
        columns={props.lines.map((line) => ({ name: line.name, values: line.values.slice(from, to) }))} />
    </figure>
  );
}

// Where lines begin, end and are best, for readers who do not see it.
export function described(lines: Line[], x: number[], xName: string, rising = false): string {
  const parts = lines.flatMap((line) => {
    const known = line.values.flatMap((v, i) => (v === null ? [] : [[v, x[i] ?? 0] as const]));
    const [first, last] = [known[0], known[known.length - 1]];
    if (!first || !last) return [];
    if (line.look === "second") return [`${line.name} ${number(last[0])} at the end`];
    const best = known.reduce((a, b) => ((rising ? b[0] > a[0] : b[0] < a[0]) ? b : a));
    return [`${line.name} from ${number(first[0])} to ${number(last[0])}, ${rising ? "highest" : "lowest"} ${number(best[0])} at ${xName.endsWith(", %") ? `${number(best[1])} % ${xName.slice(0, -3)}` : `${xName} ${number(best[1])}`}`];
  });
  return parts.length ? `${parts.slice(0, 4).reverse().join("; ")}.` : "Nothing yet.";
}

// As in reports: a loss that spans more than two orders of magnitude is read on a logarithmic scale.
export function logIsUseful(lines: Line[]): boolean {
  let low = Infinity;
  let high = -Infinity;
  for (const line of lines) for (const v of line.values) {
    if (v === null) continue;
    if (v <= 0) return false;
    low = Math.min(low, v);
    high = Math.max(high, v);
  }
  return high / low >= 20;
}
