// Loss, metrics, rate, speed and findings, on one screen.
import { useSignal } from "@preact/signals";
import type { Signal } from "@preact/signals";
import type { JSX } from "preact";
import { Chart, described, logIsUseful } from "../chart";
import type { Line, Range } from "../chart";
import type { Overview as Facts, Value } from "../api";
import { counted, duration, moment, number, rises, title } from "../format";
import { live, overview } from "../live";
import type { Curves } from "../live";
import { Empty, Finding, Note, Pairs, Paste, Section } from "../parts";
import { href } from "../router";
import { line, status } from "../shell";
import { useFiner } from "../zoom";
import { Diagnoses } from "./doctor";

const RATES = ["lr", "learning_rate"];

function linesOf(curves: Curves, name: string): Line[] {
  const lines: Line[] = [];
  const held = curves.series[`val_${name}`];
  const own = curves.series[name];
  if (own) lines.push({ name: RATES.includes(name) ? "rate" : "training", values: own, look: held ? "second" : "main" });
  if (held) lines.push({ name: "validation", values: held, look: "main" });
  return lines;
}

// What was measured, without val_: the loss first, rates last.
function measured(curves: Curves): string[] {
  const names = new Set(Object.keys(curves.series).map((name) => name.replace(/^val_/, "")));
  names.delete("seconds");
  return [...names].sort((a, b) => rank(a) - rank(b));
}

const rank = (name: string): number => (name === "loss" ? 0 : RATES.includes(name) ? 2 : 1);

function smoothed(values: Value[], weight: number): Value[] {
  let mean: number | null = null;
  return values.map((v) => (v === null ? null : (mean = mean === null ? v : weight * mean + (1 - weight) * v)));
}

// Seconds since the beginning, where they only grow.
function timesOf(curves: Curves): number[] | null {
  const times = curves.series["seconds"];
  const grow = times?.every((v, i) => v !== null && (i === 0 || v >= (times[i - 1] ?? 0)));
  return grow ? (times as number[]) : null;
}

function Curve(props: {
  curves: Curves; name: string; best: number | null; height: number; smooth: number; byTime: boolean; zoom: Signal<Range | null>;
}): JSX.Element | null {
  const { curves, name } = props;
  const lines = linesOf(curves, name);
  const only = lines[0]?.values;
  if (RATES.includes(name) && only && new Set(only).size === 1 && curves.epochs > 1) {
    return <p class="quiet">The learning rate is {number(only[0])} in every epoch.</p>;
  }
  const times = props.byTime ? timesOf(curves) : null;
  const byTime = times !== null;
  const x = times ?? curves.x;
  const log = !rises(name) && logIsUseful(lines);
  const direction = name === "loss" || !rises(name) ? "Lower is better." : "Higher is better.";
  const words = [RATES.includes(name) ? "" : direction, log ? "Logarithmic." : "",
    curves.width > 1 ? `Each pair of points stands for ${curves.width} epochs: lowest and highest.` : ""];
  const marked = props.best === null ? null : byTime
    ? times[curves.x.indexOf(props.best)] ?? null : props.best;
  const events = byTime ? [] : live.value.events
    .filter((e) => ["control", "resume"].includes(e.event) && e.epoch !== undefined)
    .map((e) => ({ x: e.epoch ?? 0, words: e.message ?? e.event }));
  const shown = lines.map((l) => ({ ...l, values: props.smooth ? smoothed(l.values, props.smooth) : l.values }));
  return (
    <Chart title={title(name)} words={words.filter(Boolean).join(" ")} x={x} xName={byTime ? "time" : "epoch"}
      lines={shown} log={log} height={props.height} sync="run" zoom={props.zoom} mark={marked === null ? null : { x: marked, words: "best" }}
      events={events} summary={described(lines, curves.x, "epoch", rises(name))}
      {...(byTime ? { xText: (v: number) => duration(v) } : {})} />
  );
}

function Speed(props: { curves: Curves; facts: Facts | null }): JSX.Element {
  const { curves, facts } = props;
  const seconds = curves.last["seconds"] ?? null;
  const last = curves.x[curves.x.length - 1] ?? 0;
  const each = seconds !== null && last ? seconds / last : null;
  const rows = facts?.split["train"] ?? null;
  const pairs: [string, string][] = [
    ["time so far", duration(seconds)],
    ["per epoch", each === null ? "" : each < 1 ? `${number(1000 * each)} ms` : duration(each)],
    [`${facts?.words.units || "examples"} per second`, each && rows ? number(Math.round(rows / each)) : ""],
    ["parameters", number(line.value?.parameters ?? null)],
    ["started", facts ? moment(facts.started) : ""],
  ];
  return <Pairs class="facts" pairs={pairs.filter(([, value]) => value)} />;
}

function KeyFacts(props: { facts: Facts; curves: Curves | null }): JSX.Element | null {
  const { facts, curves } = props;
  const pairs: [string, JSX.Element | string][] = [];
  const metric = facts.metrics[0];
  if (metric) {
    pairs.push([`${title(metric.name)} on ${facts.words.judged} ${facts.words.units}`, <b class="key">{number(metric.test)}</b>]);
    pairs.push([facts.words.baseline, number(metric.baseline)]);
  } else if (facts.best) {
    pairs.push([`best ${title(facts.best.monitor)} so far`, <b class="key">{number(facts.best.value)}</b>]);
  }
  if (facts.best && curves) pairs.push(["best epoch", `${number(facts.best.epoch)} of ${number(curves.x[curves.x.length - 1])}`]);
  return pairs.length ? <Pairs class="facts" pairs={pairs} /> : null;
}

export function Overview(): JSX.Element {
  const facts = overview.value && !overview.value.group ? (overview.value as Facts) : null;
  const { curves, events } = live.value;
  const smooth = useSignal(0);
  const byTime = useSignal(false);
  const zoom = useSignal<Range | null>(null);
  const axis = curves ? (byTime.value ? timesOf(curves) : null) ?? curves.x : [];
  const shown = useFiner(live.value.run, curves, axis, zoom);
  const held = curves?.best["val_loss"] ?? curves?.best["loss"];
  const best = (status.value === "running" || !facts?.best ? held?.[1] : facts.best.epoch) ?? null;
  const names = curves && curves.x.length ? measured(curves) : [];
  const notes = events.filter((e) => ["note", "control", "resume", "failed", "interrupted"].includes(e.event));
  return (
    <div class="overview">
      {facts ? <div class="opening"><p class="lede">{facts.result}</p><KeyFacts facts={facts} curves={curves} /></div> : null}
      {facts?.error ? <pre class="error" tabIndex={0}>{facts.error}</pre> : null}
      <div class="columns">
        <div class="wide">
          {!curves || !shown || !names.length
            ? <Empty>{live.value.running ? "The first epoch is not over yet." : "No epoch has finished."}</Empty>
            : <>
                <div class="toolbar quiet">
                  <label>smooth <input type="range" min={0} max={0.95} step={0.05} value={smooth.value}
                    onInput={(e) => (smooth.value = Number(e.currentTarget.value))} /></label>
                  <label><input type="checkbox" checked={byTime.value} onChange={(e) => { byTime.value = e.currentTarget.checked; zoom.value = null; }} /> by time</label>
                </div>
                <div class="charts">
                  {names.map((name) => (
                    <Curve key={name} curves={shown} zoom={zoom} name={name} best={best} smooth={smooth.value} byTime={byTime.value}
                      height={name === "loss" ? 230 : RATES.includes(name) ? 110 : 150} />
                  ))}
                </div>
              </>}
        </div>
        <aside class="narrow" aria-label="Findings and speed">
          <Section title="Findings">
            {facts ? <Diagnoses brief /> : null}
            {facts?.findings.length
              ? facts.findings.slice(0, 3).map((f) => <Finding finding={f} />) : null}
            {facts && facts.findings.length > 3
              ? <p><a href={href("data", facts.id)}>{counted(facts.findings.length - 3, "more finding")} in the data</a></p> : null}
          </Section>
          {curves && names.length ? <Section title="Speed"><Speed curves={curves} facts={facts} /></Section> : null}
          {notes.length ? (
            <Section title="What happened">
              <ol class="notes" aria-live="polite">
                {notes.slice(-8).reverse().map((e) => (
                  <li><span class="quiet">{moment(e.time)}</span> <Note event={e} /></li>
                ))}
              </ol>
            </Section>
          ) : null}
          {facts?.commands.length ? (
            <Section title="Next">{facts.commands.map((c) => <Paste label={c.what} text={c.command} />)}</Section>
          ) : null}
          {facts?.troubles.length ? (
            <Section title="Missing"><ul>{facts.troubles.map((t) => <li>{t}</li>)}</ul></Section>
          ) : null}
        </aside>
      </div>
    </div>
  );
}

