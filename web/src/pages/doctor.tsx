// What goes wrong, with the numbers that speak for it and a change to paste.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { JSX } from "preact";
import { address, get } from "../api";
import type { Diagnosis, Examined } from "../api";
import { explain } from "../explaining";
import { counted, number } from "../format";
import { live, overview } from "../live";
import { Empty, Note, Paste, Refused, Section, useBack } from "../parts";
import { href, route } from "../router";

const MARKS: Record<string, string> = { error: "\u2715 error", warning: "! warning", info: "\u00b7 note" };

// Asked again as long as the doctor works, and now and then while the run goes on.
function useExamined(): { value: Examined | null; error: unknown } {
  const answer = useSignal<{ value: Examined | null; error: unknown }>({ value: null, error: null });
  const { run } = route.value;
  const { running } = live.value;
  const back = useBack(answer.value.error);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let over = false;
    const ask = async (): Promise<void> => {
      try {
        const value = await get<Examined>(address(run, "doctor"));
        if (over) return;
        answer.value = { value, error: null };
        if (value.state === "working" || running) timer = setTimeout(() => void ask(), value.state === "working" ? 1000 : 10000);
      } catch (error) {
        if (!over) answer.value = { value: null, error };
      }
    };
    void ask();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [run, running, back]);
  return answer.value;
}

function evidence(diagnosis: Diagnosis): string {
  return Object.entries(diagnosis.numbers)
    .map(([name, value]) => `${name.replace(/_/g, " ")} ${typeof value === "number" ? number(value) : String(value)}`).join(", ");
}

function One(props: { diagnosis: Diagnosis; brief?: boolean | undefined }): JSX.Element {
  const { diagnosis } = props;
  const told = evidence(diagnosis);
  return (
    <div class={`finding ${diagnosis.severity}`}>
      <p class="finding-head">
        <span class="mark">{MARKS[diagnosis.severity] ?? diagnosis.severity}</span>{" "}
        <button type="button" class="link" onClick={() => explain(diagnosis.code)}>{diagnosis.code}</button>{" "}
        <b>{diagnosis.title}</b>
      </p>
      <p>{diagnosis.sentence.replace(/`/g, "")}</p>
      {props.brief ? null : <>
        {told || diagnosis.layer
          ? <p class="quiet">Evidence: {[diagnosis.layer ? `layer ${diagnosis.layer}` : "", told].filter(Boolean).join(": ")}</p> : null}
        {diagnosis.layer ? <p><a href={href("layers", route.value.run, { layer: diagnosis.layer })}>See the layer</a></p> : null}
      </>}
      {diagnosis.setting ? <Paste label={props.brief ? "" : "run.toml"} text={diagnosis.setting} />
        : diagnosis.python ? <Paste label={props.brief ? "" : "Python"} text={diagnosis.python} /> : null}
      {!props.brief && diagnosis.setting && diagnosis.python ? <Paste label="Python" text={diagnosis.python} /> : null}
    </div>
  );
}

export function Diagnoses(props: { brief?: boolean }): JSX.Element {
  const { value, error } = useExamined();
  if (error) return <Refused error={error} />;
  if (!value) return <p class="quiet">Asking the doctor.</p>;
  const grave = props.brief ? value.diagnoses.slice(0, 3) : value.diagnoses;
  const working = value.state === "working";
  return (
    <div aria-live="polite">
      {grave.map((d) => <One diagnosis={d} brief={props.brief} />)}
      {working && !grave.length ? <p class="quiet">The doctor is looking at the run.</p> : null}
      {value.state === "failed" ? <p class="quiet">The doctor could not look: {value.why}</p> : null}
      {value.state === "done" && !grave.length ? <p>Nothing was found.</p> : null}
      {props.brief && value.diagnoses.length > grave.length
        ? <p><a href={href("doctor", route.value.run)}>{counted(value.diagnoses.length - grave.length, "more diagnosis", "more diagnoses")}</a></p> : null}
      {!props.brief && value.missing.length
        ? <Section title="Not examined"><ul>{value.missing.map((m) => <li>{m}</li>)}</ul></Section> : null}
    </div>
  );
}

export function Doctor(): JSX.Element {
  const facts = overview.value && !overview.value.group ? overview.value : null;
  const notes = live.value.events.filter((e) => e.event === "note" && e.message);
  return (
    <>
      <Section title="Diagnoses" words="What the rules say of gradients, steps, fit, data and speed. Each code has a page.">
        <Diagnoses />
      </Section>
      <Section title="During training">
        {notes.length ? <ol class="notes">{notes.map((e) => <li><Note event={e} /></li>)}</ol> : <Empty>Nothing was noted.</Empty>}
      </Section>
      {facts ? <p><a href={href("data", facts.id)}>Findings in the data</a></p> : null}
    </>
  );
}
