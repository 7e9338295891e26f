// Lessons: texts beside what they are about, and a question that the engine answers.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { get } from "../api";
import { Refused, useAnswer } from "../parts";
import { Shown } from "./drawn";
import type { Lesson, LessonLine, Verdict } from "./types";

function Question(props: { lesson: Lesson }): JSX.Element {
  const given = useSignal("");
  const verdict = useSignal<Verdict | null>(null);
  const failed = useSignal<unknown>(null);
  const { name, question } = props.lesson;
  const ask = async (): Promise<void> => {
    try {
      verdict.value = await get<Verdict>(`/api/lessons/${encodeURIComponent(name)}/verdict`, [["answer", given.value]]);
      failed.value = null;
    } catch (error) {
      failed.value = error;
    }
  };
  return (
    <form class="question" onSubmit={(e) => { e.preventDefault(); void ask(); }}>
      <h3>Question</h3>
      <p>{question}</p>
      <p><label>Your answer <input inputMode="decimal" size={10} value={given.value}
        onInput={(e) => (given.value = e.currentTarget.value)} /></label> <button type="submit">Check</button></p>
      <output aria-live="polite">{verdict.value ? <p class={verdict.value.right ? "right" : ""}>{verdict.value.words}</p> : null}</output>
      {failed.value ? <Refused error={failed.value} /> : null}
    </form>
  );
}

function Open(props: { name: string }): JSX.Element {
  const page = useSignal(0);
  const { value, error } = useAnswer(() => get<Lesson>(`/api/lessons/${encodeURIComponent(props.name)}`), [props.name]);
  if (error) return <Refused error={error} />;
  if (!value || value.name !== props.name) return <p class="quiet" role="status">The engine computes the lesson.</p>;
  const at = Math.min(page.value, value.pages.length - 1);
  const shown = value.pages[at];
  return (
    <article aria-label={value.title}>
      <h2>{value.title} <span class="quiet">about {value.minutes} minutes</span></h2>
      {(shown?.text ?? "").split("\n\n").map((words) => <p class="lesson-text">{words}</p>)}
      {shown?.views.map((view) => <Shown view={view} level="h3" />)}
      <p class="toolbar">
        <button type="button" disabled={at === 0} onClick={() => (page.value = at - 1)}>Back</button>
        <span class="quiet">{at + 1} of {value.pages.length}</span>
        <button type="button" disabled={at === value.pages.length - 1} onClick={() => (page.value = at + 1)}>Next</button>
      </p>
      {at === value.pages.length - 1 ? <Question lesson={value} /> : null}
    </article>
  );
}

export function Lessons(props: { chosen: string; choose: (name: string) => void }): JSX.Element {
  const { value, error } = useAnswer(() => get<{ lessons: LessonLine[] }>("/api/lessons"), []);
  if (error) return <Refused error={error} />;
  return (
    <div>
      <ul class="stops" aria-label="Lessons">
        {(value?.lessons ?? []).map((lesson) => (
          <li><button type="button" class="link" aria-pressed={lesson.name === props.chosen}
            onClick={() => props.choose(lesson.name)}>{lesson.title}</button></li>
        ))}
      </ul>
      {props.chosen ? <Open key={props.chosen} name={props.chosen} /> : null}
    </div>
  );
}
