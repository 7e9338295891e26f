// What several pages show.
import type { ComponentChildren, JSX } from "preact";
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Event, Finding as FindingFacts, Value } from "./api";
import { Refusal } from "./api";
import { explain } from "./explaining";
import { number } from "./format";
import { connected } from "./live";

interface Column { name: string; values: Value[] }

const ROWS = 40;

// The numbers of a chart, folded; of many, evenly spaced ones.
export function Numbers(props: { title: string; first: string; x: string[]; columns: Column[] }): JSX.Element {
  const open = useSignal(false);
  const count = props.x.length;
  const chosen = Array.from({ length: Math.min(count, ROWS) }, (_, i) =>
    count <= ROWS ? i : Math.round((i * (count - 1)) / (ROWS - 1)));
  const words = count <= ROWS ? "Values" : `${ROWS} of ${count.toLocaleString("en-US")} values`;
  return (
    <details class="numbers" onToggle={(e) => (open.value = e.currentTarget.open)}>
      <summary>{words} as a table<span class="spoken"> of {props.title}</span></summary>
      {open.value
        ? <DataTable caption={props.title} heads={[props.first, ...props.columns.map((c) => c.name)]}
            rows={chosen.map((i) => [props.x[i] ?? "", ...props.columns.map((c) => number(c.values[i]))])}
            numbers={[0, ...props.columns.map((_, i) => i + 1)]} />
        : null}
    </details>
  );
}

type Cell = ComponentChildren;

export function DataTable(props: {
  caption: string; heads: string[]; rows: Cell[][]; numbers?: number[]; long?: number[]; class?: string;
}): JSX.Element {
  const kind = (i: number): string =>
    props.numbers?.includes(i) ? "number" : props.long?.includes(i) ? "long" : "";
  return (
    <div class="fit" tabIndex={0} role="region" aria-label={props.caption}>
      <table class={props.class}>
        <caption class="spoken">{props.caption}</caption>
        <thead><tr>{props.heads.map((head, i) => <th scope="col" class={kind(i)}>{head}</th>)}</tr></thead>
        <tbody>
          {props.rows.map((row) => (
            <tr>{row.map((cell, i) => i === 0
              ? <th scope="row" class={kind(i)}>{cell}</th>
              : <td class={kind(i)}>{cell}</td>)}</tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function Section(props: { title: string; words?: string | undefined; children: ComponentChildren; class?: string }): JSX.Element {
  return (
    <section class={props.class}>
      <h2>{props.title}</h2>
      {props.words ? <p class="quiet">{props.words}</p> : null}
      {props.children}
    </section>
  );
}

export function Pairs(props: { pairs: [string, ComponentChildren][]; class?: string }): JSX.Element {
  return (
    <dl class={props.class ?? "plain"}>
      {props.pairs.map(([name, value]) => <div><dt>{name}</dt><dd>{value}</dd></div>)}
    </dl>
  );
}

// Code to paste, with a button that copies it.
export function Paste(props: { text: string; label?: string }): JSX.Element {
  const done = useSignal(false);
  const copy = async (): Promise<void> => {
    await navigator.clipboard?.writeText(props.text);
    done.value = true;
    setTimeout(() => (done.value = false), 1500);
  };
  return (
    <div class="paste">
      {props.label ? <span class="quiet">{props.label}</span> : null}
      <code>{props.text}</code>
      <button type="button" class="plain-button" onClick={() => void copy()}>
        {done.value ? "copied" : "copy"}<span class="spoken"> {props.text}</span>
      </button>
    </div>
  );
}

// A setting as code, advice as plain text, as in reports.
export function Finding(props: { finding: FindingFacts }): JSX.Element {
  const { code, severity, message, evidence, fix, advice } = props.finding;
  const warning = severity === "warning";
  const more = advice ? ` (${advice})` : "";
  return (
    <div class={`finding ${severity}`}>
      <p>
        <span class="mark">{warning ? "! warning" : "\u00b7 note"}</span>{" "}
        <button type="button" class="link" onClick={() => explain(code)}>{code}</button> {message}
      </p>
      {evidence ? <p class="quiet">Evidence: {evidence}</p> : null}
      {!fix ? null : fix === advice
        ? <p>Fix: {advice}</p>
        : <p>Fix: <code>{fix.endsWith(more) ? fix.slice(0, fix.length - more.length) : fix}</code>{more}</p>}
    </div>
  );
}

// What happened in a training; a code in it leads to its page.
export function Note(props: { event: Event }): JSX.Element {
  const { event, epoch, message = "" } = props.event;
  const text = (message.split("\n")[0] ?? "").replace(/`/g, "");
  const told = /^([A-Z]\d{3}) (.*) \(chainrule explain \1\)$/.exec(text);
  if (told?.[1]) return <><button type="button" class="link" onClick={() => explain(told[1]!)}>{told[1]}</button> {told[2]}</>;
  return <>{text || (event === "resume" ? `resumed after epoch ${epoch}` : event)}</>;
}

export function Empty(props: { children: ComponentChildren }): JSX.Element {
  return <p class="empty">{props.children}</p>;
}

export function Refused(props: { error: unknown }): JSX.Element {
  const { error } = props;
  const what = error instanceof Refusal ? error.what : "the dashboard does not answer";
  const help = error instanceof Refusal ? error.help : "is chainrule dash still running?";
  return <div class="refused" role="alert"><p>{what}</p>{help ? <p class="quiet">{help}</p> : null}</div>;
}

// Whether the server is back that gave no answer but this error: then it is time to ask again.
export function useBack(error: unknown): boolean {
  const lost = error !== null && !(error instanceof Refusal);
  return lost && connected.value;
}

// What `load` gives, asked again whenever one of `when` has changed, and when the server is back after
// it gave no answer; the older answer stays meanwhile.
export function useAnswer<T>(load: () => Promise<T>, when: unknown[]): { value: T | null; error: unknown } {
  const answer = useSignal<{ value: T | null; error: unknown }>({ value: null, error: null });
  const back = useBack(answer.value.error);
  useEffect(() => {
    let stale = false;
    load().then(
      (value) => { if (!stale) answer.value = { value, error: null }; },
      (error: unknown) => { if (!stale) answer.value = { value: null, error }; },
    );
    return () => { stale = true; };
  }, [...when, back]);
  return answer.value;
}
