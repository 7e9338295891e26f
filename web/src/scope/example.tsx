// A new example: its columns, or one text; and the target it is compared with, if there is one.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { JSX } from "preact";
import { Section } from "../parts";
import type { Form } from "./types";

type Values = Record<string, string>;

function given(row: string): Values {
  try {
    const found = JSON.parse(row) as Record<string, unknown>;
    return Object.fromEntries(Object.entries(found).map(([name, value]) => [name, String(value ?? "")]));
  } catch {
    return {};
  }
}

function Choice(props: { label: string; value: string; choices: string[]; none: string; set: (value: string) => void }): JSX.Element {
  const known = props.choices.includes(props.value) || props.value === "";
  return (
    <label>{props.label} <select value={props.value} onChange={(e) => props.set(e.currentTarget.value)}>
      <option value="">{props.none}</option>
      {props.choices.map((choice) => <option value={choice}>{choice}</option>)}
      {known ? null : <option value={props.value}>{props.value}</option>}
    </select></label>
  );
}

// `key` of the caller makes a new one when the address says something else.
export function NewExample(props: { form: Form; row: string; target: string; look: (row: string, target: string) => void }): JSX.Element {
  const { form } = props;
  const values = useSignal<Values>({});
  const text = useSignal("");
  const target = useSignal("");
  useEffect(() => {
    const before = given(props.row);
    values.value = Object.fromEntries(form.fields.map((f) => [f.name, props.row ? before[f.name] ?? "" : f.usual]));
    text.value = form.fields.length ? "" : props.row;
    target.value = props.target;
  }, [props.row, props.target]);
  const set = (name: string, value: string): void => { values.value = { ...values.value, [name]: value }; };
  const words = form.fields.length
    ? "Values as they stand in the table; an empty one is missing. To begin with, each is a usual one."
    : `Give ${form.whole}.`;
  return (
    <details class="example" open={props.row !== ""}>
      <summary>A new example</summary>
      <Section title="Look at an example of your own" words={words}>
        <form onSubmit={(e) => {
          e.preventDefault();
          const row = form.fields.length ? JSON.stringify(values.value) : text.value;
          if (row) props.look(row, target.value);
        }}>
          <div class="fields">
            {form.fields.map((field) => field.choices.length
              ? <Choice label={field.name} value={values.value[field.name] ?? ""} choices={field.choices} none="missing" set={(v) => set(field.name, v)} />
              : <label>{field.name} <input size={10} value={values.value[field.name] ?? ""} onInput={(e) => set(field.name, e.currentTarget.value)} /></label>)}
            {form.fields.length ? null
              : <label class="wide">{form.whole} <textarea rows={2} value={text.value} onInput={(e) => (text.value = e.currentTarget.value)} /></label>}
          </div>
          <p class="toolbar">
            {form.aim && form.classes.length
              ? <Choice label="target" value={target.value} choices={form.classes} none="none: forward only" set={(v) => (target.value = v)} /> : null}
            {form.aim && !form.classes.length
              ? <label>target <input size={12} value={target.value} placeholder={form.aim} onInput={(e) => (target.value = e.currentTarget.value)} /></label> : null}
            <button type="submit">Look</button>
          </p>
        </form>
      </Section>
    </details>
  );
}
