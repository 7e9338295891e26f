// What the model says of the examples that were held out.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { JSX } from "preact";
import { address, get } from "../api";
import type { Chart as ChartFacts, Overview, Results } from "../api";
import { Chart, described } from "../chart";
import type { Line } from "../chart";
import { percent } from "../format";
import { connected, overview } from "../live";
import { Empty, Section } from "../parts";
import { Reported } from "../reported";
import { href, route } from "../router";

// Tables and drawings of the results, which reports have too.
function useResults(facts: Overview | null): Results | null {
  const answer = useSignal<Results | null>(null);
  useEffect(() => {
    if (!facts?.metrics.length) return;
    get<Results>(address(facts.id, "results")).then(
      (told) => (answer.value = told), () => (connected.value = false));
  }, [facts]);
  return answer.value?.id === facts?.id ? answer.value : null;
}

function Drawn(props: { chart: ChartFacts }): JSX.Element {
  const { chart } = props;
  const lines: Line[] = chart.lines.map((each, i) => ({ ...each, look: i === 0 ? "main" : "second" }));
  return (
    <Chart title={chart.title} words={chart.words} x={chart.x} xName={chart.below || "step"} lines={lines}
      band={chart.band} height={240} summary={described(lines, chart.x, chart.below || "step")} />
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
  const results = useResults(facts);
  if (!facts) return <Empty>Reading.</Empty>;
  if (!facts.metrics.length) {
    return <Empty>{facts.status === "running"
      ? "The held-out part is predicted when training ends." : "This run has not been evaluated."}</Empty>;
  }
  return (
    <>
      <Section title="Metrics" words={facts.result}>
        {results ? <Reported html={results.metrics} /> : <Empty>Reading.</Empty>}
      </Section>
      {results?.predictions ? <Section title="Predictions"><Reported html={results.predictions} /></Section> : null}
      {(facts.test.charts ?? []).slice(0, 12).map((chart) => <Drawn chart={chart} />)}
      {results?.tables ? <Section title="Tables"><Reported html={results.tables} /></Section> : null}
      <Mistakes facts={facts} />
      <UnderTheMicroscope facts={facts} />
    </>
  );
}
