// What the model says of the examples that were held out.
import type { JSX } from "preact";
import type { Chart as ChartFacts, Overview, Table, Test } from "../api";
import { Chart, described } from "../chart";
import type { Line } from "../chart";
import { counted, number, percent, title } from "../format";
import { overview } from "../live";
import { href, route } from "../router";
import { DataTable, Empty, Section } from "../parts";

function Metrics(props: { facts: Overview }): JSX.Element {
  const { metrics, words } = props.facts;
  const others = Object.keys(metrics[0]?.others ?? {});
  const both = words.judged === "test";
  const signs: Record<string, string> = { better: "\u2713 better", "not better": "\u2715 not better" };
  return (
    <Section title="Metrics" words={props.facts.result}>
      <DataTable caption="Metrics of the model, beside those of a guess that needs no model"
        heads={["metric", `validation ${words.units}`, ...(both ? [`test ${words.units}`] : []), words.baseline, ...others, "verdict"]}
        numbers={[1, 2, ...(both ? [3] : []), ...others.map((_, i) => 3 + Number(both) + i)]}
        rows={metrics.map((m) => [
          <span title={m.words}>{title(m.name)}</span>, number(both ? m.validation : m.test), ...(both ? [number(m.test)] : []),
          number(m.baseline), ...others.map((who) => number(m.others[who])), signs[m.verdict] ?? "\u2013",
        ])} />
    </Section>
  );
}

function Confusion(props: { test: Test; facts: Overview }): JSX.Element | null {
  const { labels, confusion } = props.test;
  if (!labels || !confusion || confusion.length !== labels.length) return null;
  const total = confusion.flat().reduce((a, b) => a + b, 0);
  const right = confusion.reduce((sum, row, i) => sum + (row[i] ?? 0), 0);
  const most = Math.max(...confusion.flat(), 1);
  const worst = confusion.flatMap((row, i) => row.map((count, j) => ({ count, i, j }))).filter((c) => c.i !== c.j)
    .reduce((a, b) => (b.count > a.count ? b : a), { count: 0, i: 0, j: 0 });
  const words = `${percent(right / Math.max(total, 1))} of ${counted(total, props.facts.words.unit, props.facts.words.units)} are right.` +
    (worst.count ? ` The most frequent mistake: ${labels[worst.i]} taken for ${labels[worst.j]}, ${counted(worst.count, "time")}.` : "");
  return (
    <Section title="Confusion matrix" words={words}>
      <div class="fit" tabIndex={0} role="region" aria-label="Confusion matrix">
        <table class="matrix">
          <caption class="spoken">True classes by row, predicted ones by column. {words}</caption>
          <thead>
            <tr><td class="corner"><span class="quiet">true {"\u2193"} predicted {"\u2192"}</span></td>
              {labels.map((label) => <th scope="col">{label}</th>)}<th scope="col" class="margin">recall</th></tr>
          </thead>
          <tbody>{confusion.map((row, i) => {
            const sum = row.reduce((a, b) => a + b, 0);
            return (
              <tr><th scope="row">{labels[i]}</th>
                {row.map((count, j) => (
                  <td class={`s${Math.ceil((6 * count) / most)} ${i === j ? "right" : ""}`}>{number(count)}</td>
                ))}
                <td class="margin">{sum ? percent((row[i] ?? 0) / sum) : "\u2013"}</td></tr>
            );
          })}</tbody>
        </table>
      </div>
    </Section>
  );
}

const SIDE = 380;

// Some round numbers between two.
function rounded(low: number, high: number): number[] {
  const rough = (high - low || 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((n) => n * power >= rough) ?? 10);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => (first + i) * step);
}

function Residuals(props: { test: Test; facts: Overview }): JSX.Element | null {
  const points = (props.test.points ?? []).filter((p) => p.length === 2);
  if (!points.length) return null;
  const low = points.reduce((m, p) => Math.min(m, p[0], p[1]), Infinity);
  const high = points.reduce((m, p) => Math.max(m, p[0], p[1]), -Infinity);
  const span = high - low || 1;
  const at = (v: number): number => ((v - low) / span) * SIDE;
  const target = props.facts.data.target || "target";
  const words = `Each point is one ${props.facts.words.unit}; on the dashed line it is predicted exactly.`;
  const ticks = rounded(low, high);
  return (
    <Section title={`Predicted against true ${target}`} words={words}>
      <div class="pair">
        <svg class="scatter" viewBox={`-56 -10 ${SIDE + 70} ${SIDE + 60}`} role="img"
          aria-label={`${counted(points.length, "point")}: true and predicted values from ${number(low)} to ${number(high)}.`}>
          {ticks.map((tick) => (
            <>
              <line class="grid" x1={0} x2={SIDE} y1={SIDE - at(tick)} y2={SIDE - at(tick)} />
              <text x={-8} y={SIDE - at(tick) + 4} text-anchor="end">{number(Number(tick.toPrecision(3)))}</text>
              <text x={at(tick)} y={SIDE + 20} text-anchor="middle">{number(Number(tick.toPrecision(3)))}</text>
            </>
          ))}
          <line class="equal" x1={0} y1={SIDE} x2={SIDE} y2={0} />
          {points.map(([truth, predicted]) => <circle class="point" cx={at(truth)} cy={SIDE - at(predicted)} r={3.2} />)}
          <text x={SIDE / 2} y={SIDE + 42} text-anchor="middle">true</text>
          <text transform={`translate(-44 ${SIDE / 2}) rotate(-90)`} text-anchor="middle">predicted</text>
        </svg>
        <Bars test={props.test} facts={props.facts} />
      </div>
    </Section>
  );
}

function Bars(props: { test: Test; facts: Overview }): JSX.Element | null {
  const bars = props.test.histogram;
  if (!bars || bars.edges.length !== bars.counts.length + 1) return null;
  const { edges, counts } = bars;
  const [low, high] = [edges[0] ?? 0, edges[edges.length - 1] ?? 1];
  const peak = Math.max(...counts, 1);
  const x = (v: number): number => ((v - low) / (high - low || 1)) * SIDE;
  const words = `Predicted minus true: right of zero it is too high. Mean ${number(props.test.mean ?? null)}.`;
  return (
    <figure>
      <figcaption><span class="heading">Residuals</span> <span class="quiet">{words}</span></figcaption>
      <svg class="scatter" viewBox={`-10 -10 ${SIDE + 24} 236`} role="img" aria-label={`Residuals from ${number(low)} to ${number(high)}. ${words}`}>
        {counts.map((count, i) => (
          <rect class="bar" x={x(edges[i]!) + 0.5} width={Math.max(0, x(edges[i + 1]!) - x(edges[i]!) - 1)}
            y={190 - (count / peak) * 180} height={(count / peak) * 180} />
        ))}
        <line class="axis" x1={0} x2={SIDE} y1={190} y2={190} />
        {low < 0 && high > 0 ? <line class="equal" x1={x(0)} x2={x(0)} y1={0} y2={190} /> : null}
        <text x={0} y={208}>{number(low)}</text><text x={SIDE} y={208} text-anchor="end">{number(high)}</text>
        {low < 0 && high > 0 ? <text x={x(0)} y={208} text-anchor="middle">0</text> : null}
      </svg>
    </figure>
  );
}

function Drawn(props: { chart: ChartFacts }): JSX.Element {
  const { chart } = props;
  const lines: Line[] = chart.lines.map((each, i) => ({ ...each, look: i === 0 ? "main" : "second" }));
  return (
    <Chart title={chart.title} words={chart.words} x={chart.x} xName={chart.below || "step"} lines={lines}
      band={chart.band} height={240} summary={described(lines, chart.x, chart.below || "step")} />
  );
}

function Listed(props: { table: Table }): JSX.Element {
  const { table } = props;
  const numeric = table.heads.flatMap((_, i) => (table.rows.some((row) => typeof row[i] === "string") ? [] : [i]));
  return (
    <Section title={table.title} words={table.words}>
      <DataTable caption={table.title} heads={table.heads} numbers={numeric}
        rows={table.rows.slice(0, 100).map((row) => row.map((cell, i) => (numeric.includes(i) ? number(cell) : cell)))} />
    </Section>
  );
}

// To an example under the microscope: its number in the part that judges the run.
function lookAt(example: number): string {
  return href("scope", route.value.run, { example: String(example) });
}

// From what was predicted worst to the step that a training on it would take.
function UnderTheMicroscope(props: { facts: Overview }): JSX.Element | null {
  const listed = (props.facts.test.tables ?? []).filter((table) => table.examples?.length === table.rows.length && table.rows.length);
  if (!listed.length) return null;
  const short = (cell: string): string => (cell.length > 40 ? `${cell.slice(0, 39)}\u2026` : cell);
  return (
    <Section title="Under the microscope" words="Why one of them came out so: each number from its inputs to the loss.">
      {listed.map((table) => (
        <>
          <h3>{table.title}</h3>
          <ul class="looks">{table.rows.slice(0, 24).map((row, i) => (
            <li><a href={lookAt(table.examples?.[i] ?? 0)}>{short(String(row[0]))}</a></li>
          ))}</ul>
        </>
      ))}
    </Section>
  );
}

function Mistakes(props: { facts: Overview }): JSX.Element | null {
  const { mistakes, words, test } = props.facts;
  if (!mistakes.length) {
    if ((test.tables ?? []).some((table) => table.title.startsWith("Worst"))) return null;
    const wrong = (test.confusion ?? []).some((row, i) => row.some((count, j) => i !== j && count > 0));
    return (
      <Section title="Worst mistakes">
        <Empty>{test.confusion?.length && !wrong ? `There are none among the ${words.judged} ${words.units}.`
          : "This run did not keep them: it was trained by an earlier release. Trained again, it does."}</Empty>
      </Section>
    );
  }
  return (
    <Section title="Worst mistakes" words={`The ${words.judged} ${words.units} whose true class was given the lowest probability, worst first.`}>
      <ul class="pictures">{mistakes.map((m) => (
        <li><img src={m.image} alt={m.name} title={m.name} />
          <span>{m.predicted} ({percent(m.probability)})</span><span class="quiet">actually {m.true}</span>
          {m.example === null ? null : <a href={lookAt(m.example)}>look<span class="spoken"> at {m.name}</span></a>}</li>
      ))}</ul>
    </Section>
  );
}

export function Predictions(): JSX.Element {
  const facts = overview.value && !overview.value.group ? (overview.value as Overview) : null;
  if (!facts) return <Empty>Reading.</Empty>;
  if (!facts.metrics.length) {
    return <Empty>{facts.status === "running"
      ? "The held-out part is predicted when training ends." : "This run has not been evaluated."}</Empty>;
  }
  return (
    <>
      <Metrics facts={facts} />
      <Confusion test={facts.test} facts={facts} />
      <Residuals test={facts.test} facts={facts} />
      {(facts.test.charts ?? []).slice(0, 12).map((chart) => <Drawn chart={chart} />)}
      {(facts.test.tables ?? []).slice(0, 6).map((table) => <Listed table={table} />)}
      <Mistakes facts={facts} />
      <UnderTheMicroscope facts={facts} />
    </>
  );
}
