// The flow of gradients: layers from top to bottom, time from left to right. A layer that is chosen
// shows its histograms.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { JSX } from "preact";
import { address, get } from "../api";
import type { Histograms, Layers as Facts, Value } from "../api";
import { Chart, described, logIsUseful, theme } from "../chart";
import type { Line } from "../chart";
import { counted, NONE, number, percent } from "../format";
import { live } from "../live";
import { DataTable, Empty, Refused, Section, useAnswer } from "../parts";
import { route, setQuery } from "../router";

const ROW = 22;
//: where a network learns well, the update is about this share of the weight
const WELL = 1e-3;

type Rgb = [number, number, number];

const css = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function colour(name: string): Rgb {
  const hex = css(name).slice(1);
  return [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16)) as Rgb;
}

const mix = (a: Rgb, b: Rgb, share: number): string =>
  `rgb(${a.map((v, i) => Math.round(v + (b[i]! - v) * share)).join(" ")})`;

interface Scale { low: number; high: number; paint: (value: number) => string }

// Larger is darker; on a logarithmic scale, as gradients differ by powers of ten.
function magnitude(rows: Value[][]): Scale {
  const known = rows.flat().filter((v): v is number => v !== null && v > 0);
  const low = known.reduce((a, b) => Math.min(a, b), Infinity);
  const high = known.reduce((a, b) => Math.max(a, b), 0);
  const [from, to] = [colour("--heat-low"), colour("--heat-high")];
  const span = Math.log(high / low) || 1;
  return { low, high, paint: (v) => mix(from, to, v > 0 ? Math.log(v / low) / span : 0) };
}

// Blue is too small, orange too large; paper is right.
function ratio(): Scale {
  const [small, right, large] = [colour("--small"), colour("--heat-low"), colour("--large")];
  return {
    low: WELL / 100, high: WELL * 100,
    paint: (v) => {
      const away = v > 0 ? Math.max(-1, Math.min(1, Math.log10(v / WELL) / 2)) : -1;
      return away < 0 ? mix(right, small, -away) : mix(right, large, away);
    },
  };
}

function Map(props: {
  title: string; words: string; facts: Facts; rows: Value[][]; scale: () => Scale; unit: string; ends: [string, string];
}): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const at = useSignal<[number, number] | null>(null);
  const { facts, rows } = props;
  const columns = facts.steps.length;
  const colours = theme.value;
  const scale = props.scale();
  const chosen = route.value.query.get("layer");
  useEffect(() => {
    const element = canvas.current;
    const pen = element?.getContext("2d");
    if (!element || !pen) return;
    element.width = columns;
    element.height = rows.length;
    const none = css("--panel");
    rows.forEach((row, y) => row.forEach((value, x) => {
      pen.fillStyle = value === null ? none : scale.paint(value);
      pen.fillRect(x, y, 1, 1);
    }));
  }, [rows, colours]);
  const move = (event: KeyboardEvent): void => {
    const [y, x] = at.value ?? [0, columns];
    const to: Record<string, [number, number]> = {
      ArrowLeft: [y, x - 1], ArrowRight: [y, x + 1], ArrowUp: [y - 1, x], ArrowDown: [y + 1, x],
      Home: [y, 0], End: [y, columns - 1],
    };
    const next = to[event.key];
    if (event.key === "Enter" && at.value) return setQuery({ layer: facts.layers[y]?.path ?? "" });
    if (!next) return;
    event.preventDefault();
    at.value = [Math.max(0, Math.min(rows.length - 1, next[0])), Math.max(0, Math.min(columns - 1, next[1]))];
  };
  const place = (event: MouseEvent): [number, number] => {
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const y = Math.floor(((event.clientY - box.top) / box.height) * rows.length);
    const x = Math.floor(((event.clientX - box.left) / box.width) * columns);
    return [Math.max(0, Math.min(rows.length - 1, y)), Math.max(0, Math.min(columns - 1, x))];
  };
  const [y, x] = at.value ?? [-1, -1];
  const told = at.value
    ? `${facts.layers[y]?.path}, step ${number(facts.steps[x])}, epoch ${number(facts.epochs[x])}: ${number(rows[y]?.[x] ?? null)}`
    : "";
  return (
    <figure class="chart">
      <figcaption><span class="heading">{props.title}</span> <span class="quiet">{props.words}</span></figcaption>
      <p class="readout">{told ? <b>{told}</b> : <span class="summary">{summary(facts, rows, props.unit)}</span>}</p>
      <div class="heat">
        <ul class="heat-names" aria-hidden="true">{facts.layers.map((layer) => (
          <li class={layer.path === chosen ? "chosen" : ""} title={`${layer.path} (${layer.kind})`}>{layer.path}</li>
        ))}</ul>
        <div class="heat-map" tabIndex={0} role="group" aria-label={`${props.title} by layer and time`}
          aria-description="The arrow keys read its values; Enter chooses the layer." onKeyDown={move}
          onMouseMove={(e) => (at.value = place(e))} onMouseLeave={() => (at.value = null)} onBlur={() => (at.value = null)}
          onClick={(e) => setQuery({ layer: facts.layers[place(e)[0]]?.path ?? "" })}>
          <canvas ref={canvas} style={{ height: `${ROW * rows.length}px` }} aria-hidden="true" />
          {at.value
            ? <span class="heat-cursor" style={{ left: `${(100 * x) / columns}%`, width: `${100 / columns}%`, top: `${ROW * y}px`, height: `${ROW}px` }} />
            : null}
        </div>
        <p class="heat-axis"><span>epoch {number(facts.epochs[0])}</span><span>epoch {number(facts.epochs[columns - 1])}</span></p>
      </div>
      <p class="scale"><span>{props.ends[0] || number(scale.low)}</span><Ramp scale={scale} /><span>{props.ends[1] || number(scale.high)}</span></p>
      <output class="spoken" aria-live="polite">{told}</output>
    </figure>
  );
}

function Ramp(props: { scale: Scale }): JSX.Element {
  const { low, high, paint } = props.scale;
  const steps = 24;
  return (
    <span class="ramp" aria-hidden="true">
      {Array.from({ length: steps }, (_, i) => (
        <i style={{ background: paint(low * (high / low) ** (i / (steps - 1))) }} />
      ))}
    </span>
  );
}

function summary(facts: Facts, rows: Value[][], unit: string): string {
  const last = rows.map((row, i) => [row.findLast((v) => v !== null) ?? null, facts.layers[i]?.path ?? ""] as const)
    .filter((pair): pair is readonly [number, string] => pair[0] !== null);
  if (!last.length) return "Nothing was measured.";
  const low = last.reduce((a, b) => (b[0] < a[0] ? b : a));
  const high = last.reduce((a, b) => (b[0] > a[0] ? b : a));
  return `${counted(facts.observations, "observed step")}; at the end the ${unit} lies between ${number(low[0])} (${low[1]}) and ${number(high[0])} (${high[1]}).`;
}

function Now(props: { facts: Facts }): JSX.Element {
  const { layers, newest } = props.facts;
  const of = (measure: string, i: number): Value => newest[measure]?.[i] ?? null;
  const share = (value: Value): string => (value === null ? NONE : percent(value));
  return (
    <Section title="Each layer now" words="Norms of weight, gradient and update; mean and deviation of the outputs; units whose output is zero for the whole batch, and outputs where the activation is flat.">
      <DataTable caption="Each layer in the last observed steps"
        heads={["layer", "kind", "gradient", "update / weight", "weight", "mean", "std", "dead", "saturated"]}
        numbers={[2, 3, 4, 5, 6, 7, 8]}
        rows={layers.map((layer, i) => [
          <button type="button" class="link" aria-pressed={route.value.query.get("layer") === layer.path}
            onClick={() => setQuery({ layer: layer.path })}>{layer.path}</button>,
          layer.kind, number(of("gradient", i)), number(of("ratio", i)), number(of("weight", i)),
          number(of("mean", i)), number(of("std", i)), share(of("dead", i)), share(of("saturated", i)),
        ])} />
    </Section>
  );
}

const WIDTH = 300;
const HEIGHT = 46;

// One histogram above the other, the oldest on top.
function Ridge(props: { name: string; bars: { step: number; low: number; high: number; counts: number[] }[] }): JSX.Element {
  const { bars } = props;
  const low = Math.min(...bars.map((b) => b.low));
  const high = Math.max(...bars.map((b) => b.high));
  const span = high - low || 1;
  const step = 26;
  const last = bars[bars.length - 1];
  const words = last ? `At step ${number(last.step)} from ${number(last.low)} to ${number(last.high)}.` : "";
  return (
    <figure class="ridge">
      <figcaption><span class="heading">{props.name}</span> <span class="quiet">{words}</span></figcaption>
      <svg viewBox={`0 0 ${WIDTH + 70} ${HEIGHT + step * (bars.length - 1) + 20}`} role="img"
        aria-label={`Histograms of ${props.name} at ${counted(bars.length, "step")}. ${words}`}>
        {bars.map((bar, i) => {
          const base = HEIGHT + step * i;
          const peak = Math.max(...bar.counts, 1);
          const x = (k: number): number => ((bar.low + (k / bar.counts.length) * (bar.high - bar.low) - low) / span) * WIDTH;
          const outline = bar.counts.map((c, k) => {
            const y = base - (c / peak) * HEIGHT * 0.9;
            return `L${x(k).toFixed(1)} ${y.toFixed(1)}L${x(k + 1).toFixed(1)} ${y.toFixed(1)}`;
          }).join("");
          return (
            <g>
              <path class={i === bars.length - 1 ? "newest" : ""} d={`M${x(0).toFixed(1)} ${base}${outline}L${x(bar.counts.length).toFixed(1)} ${base}Z`} />
              <text x={WIDTH + 8} y={base}>{number(bar.step)}</text>
            </g>
          );
        })}
        <text x="0" y={HEIGHT + step * (bars.length - 1) + 15}>{number(low)}</text>
        <text x={WIDTH} y={HEIGHT + step * (bars.length - 1) + 15} text-anchor="end">{number(high)}</text>
        <text x={WIDTH + 8} y="12">step</text>
      </svg>
    </figure>
  );
}

function LayerHistograms(props: { layer: string; seen: number }): JSX.Element | null {
  const { value, error } = useAnswer(
    () => get<Histograms>(address(route.value.run, "histograms"), [["layer", props.layer]]), [props.layer, props.seen]);
  if (error) return <Refused error={error} />;
  if (!value) return null;
  const kinds = Object.entries(value.histograms);
  return (
    <Section title={`Histograms of ${props.layer}`} words={kinds.length ? "From the first observed step, above, to the last." : undefined}>
      {kinds.length
        ? <div class="ridges">{kinds.map(([name, bars]) => <Ridge name={name} bars={bars} />)}</div>
        : <Empty>None were written: <code>observe = "full"</code> writes them.</Empty>}
    </Section>
  );
}

// Of recurrent layers: a gradient that vanishes or explodes on its way through the sequence.
function ThroughTime(props: { facts: Facts }): JSX.Element | null {
  const found = Object.entries(props.facts.through_time);
  const longest = Math.max(0, ...found.map(([, values]) => values.length));
  if (longest < 2) return null;
  const x = Array.from({ length: longest }, (_, i) => i + 1);
  const lines: Line[] = found.map(([name, values], i) => ({ name, look: i, values: x.map((_, at) => values[at] ?? null) }));
  const log = logIsUseful(lines);
  const words = "What arrives at each time step in the last observed step; long sequences in 32 pieces. " +
    "Where it fades towards the first step, what a sequence begins with is not learned.";
  return (
    <Chart title="Gradient through time" words={log ? `${words} Logarithmic.` : words} x={x} xName="time step" lines={lines}
      log={log} height={180} summary={described(lines, x, "time step", true)} />
  );
}

export function Layers(): JSX.Element {
  const { observed } = live.value;
  const { value, error } = useAnswer(() => get<Facts>(address(route.value.run, "layers")), [observed]);
  if (error) return <Refused error={error} />;
  if (!value) return <Empty>Reading.</Empty>;
  if (!value.observations) {
    return (
      <Empty>No step of this run was observed. Trainings under two seconds are not; <code>observe.every="10 steps"</code> observes
        them, and <code>observe="off"</code> turns it off.</Empty>
    );
  }
  const chosen = route.value.query.get("layer") ?? value.layers[0]?.path ?? "";
  const kept = (measure: string): { facts: Facts; rows: Value[][] } => {
    const rows = value.values[measure] ?? [];
    const having = rows.map((row, i) => [row, i] as const).filter(([row]) => row.some((v) => v !== null));
    return {
      facts: { ...value, layers: having.map(([, i]) => value.layers[i]!) },
      rows: having.map(([row]) => row),
    };
  };
  const [gradients, ratios] = [kept("gradient"), kept("ratio")];
  return (
    <>
      <Map title="Gradient" words="Its norm by layer and time. Rows that fade from bottom to top: it vanishes on its way back." {...gradients}
        scale={() => magnitude(gradients.rows)} unit="norm" ends={["", ""]} />
      <Map title="Update / weight" words="The share by which a step changes a layer. Blue hardly moves, orange moves too much; about 0.001 is well." {...ratios}
        scale={ratio} unit="share" ends={["0.00001", "0.1"]} />
      {value.left_out ? <p class="quiet">{counted(value.left_out, "more layer")} of a large network are left out.</p> : null}
      <ThroughTime facts={value} />
      <LayerHistograms layer={chosen} seen={Math.floor(observed / 5)} />
      <Now facts={value} />
    </>
  );
}
