// One step, walked through: network, layer, unit, loss, weight, input, by arrow keys or by play.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { JSX } from "preact";
import { address, get } from "../api";
import { number } from "../format";
import { Refused, Section, useAnswer } from "../parts";
import { route, setQuery } from "../router";
import { Shown } from "./drawn";
import { NewExample } from "./example";
import { Lessons } from "./lessons";
import type { Call, Change, Form, Looked } from "./types";

type Query = Record<string, string>;
interface Stop { label: string; phase: string; to: Query }

// What was asked for besides the place: the example and what was changed stay on the way.
const KEPT = ["example", "part", "step", "row", "target", "change"];
const PLACE = ["view", "layer", "unit", "at", "weight", "index"];
const PAUSE = 2500;

const asked = (): Query => Object.fromEntries([...route.value.query]);

function go(to: Query): void {
  const kept = Object.entries(asked()).filter(([key]) => KEPT.includes(key));
  setQuery({ ...Object.fromEntries(kept), ...to });
}

// Forward, loss, then back to the input.
function stops(calls: Call[]): Stop[] {
  const forward = calls.map((call) => ({ label: `${call.name} (${call.kind})`, phase: "forward", to: { view: "unit", layer: call.name } }));
  const learning = calls.filter((call) => call.parameters.length > 0).reverse();
  const backward = learning.map((call) => ({ label: call.parameters[0] ?? "", phase: "backward and update", to: { view: "weight", weight: call.parameters[0] ?? "" } }));
  return [
    { label: "network", phase: "network", to: { view: "network" } }, ...forward,
    { label: "loss", phase: "loss", to: { view: "loss" } }, ...backward,
    { label: "input", phase: "backward", to: { view: "input" } },
  ];
}

function position(all: Stop[]): number {
  const query = asked();
  const view = query["view"] ?? "network";
  const found = all.findIndex((stop) => (stop.to["view"] === view || (view === "layer" && stop.to["view"] === "unit")) &&
    (stop.to["layer"] ?? "") === (query["layer"] ?? "") && (stop.to["weight"] ?? "") === (query["weight"] ?? ""));
  return Math.max(found, 0);
}

function Walk(props: { calls: Call[] }): JSX.Element {
  const playing = useSignal(false);
  const all = stops(props.calls);
  const at = position(all);
  const move = (by: number): void => go(all[Math.max(0, Math.min(all.length - 1, at + by))]?.to ?? {});
  useEffect(() => {
    if (!playing.value) return;
    if (at === all.length - 1) {
      playing.value = false;
      return;
    }
    const timer = setTimeout(() => move(1), PAUSE);
    return () => clearTimeout(timer);
  }, [playing.value, at]);
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      const target = event.target as HTMLElement;
      if (event.altKey || event.ctrlKey || event.metaKey || ["INPUT", "SELECT", "TEXTAREA"].includes(target.tagName)) return;
      if (target.closest(".fit, .heat-map")) return; // which scroll with the arrow keys
      if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
        event.preventDefault();
        move(event.key === "ArrowRight" ? 1 : -1);
      } else if (event.key === " " && !["BUTTON", "A", "SUMMARY"].includes(target.tagName)) {
        event.preventDefault();
        playing.value = !playing.value;
      }
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  });
  return (
    <div class="walk">
      <p class="toolbar">
        <button type="button" disabled={at === 0} onClick={() => move(-1)}>Back</button>
        <button type="button" aria-pressed={playing.value} onClick={() => (playing.value = !playing.value)}>{playing.value ? "Stop" : "Play"}</button>
        <button type="button" disabled={at === all.length - 1} onClick={() => move(1)}>Next</button>
      </p>
      <p class="quiet" aria-live="polite">{at + 1} of {all.length}: {all[at]?.phase}. Arrow keys step, space plays.</p>
      <ol class="stops">
        {all.map((stop, i) => (
          <li><button type="button" class="link" aria-current={i === at ? "step" : undefined} onClick={() => go(stop.to)}>{stop.label}</button></li>
        ))}
      </ol>
    </div>
  );
}

// Whose units or parameters are looked at.
function Closer(props: { calls: Call[] }): JSX.Element | null {
  const query = asked();
  const call = props.calls.find((each) => each.name === query["layer"] || each.parameters.includes(query["weight"] ?? "\n"));
  if (!call) return null;
  const unit = query["unit"] ?? "";
  return (
    <p class="toolbar">
      <button type="button" aria-pressed={query["view"] === "layer"} onClick={() => go({ view: "layer", layer: call.name })}>All units</button>
      <label>unit <input type="number" min={0} max={call.units - 1} value={unit} placeholder="strongest"
        onChange={(e) => go({ view: "unit", layer: call.name, ...(e.currentTarget.value ? { unit: e.currentTarget.value } : {}) })} /></label>
      <span class="quiet">of {number(call.units)}</span>
      <label>at <input size={8} value={query["at"] ?? ""} placeholder="strongest"
        onChange={(e) => go({ view: "unit", layer: call.name, ...(e.currentTarget.value ? { at: e.currentTarget.value.replace(/[^\d,]/g, "") } : {}) })} /></label>
      {call.parameters.map((name) => (
        <button type="button" aria-pressed={query["weight"] === name} onClick={() => go({ view: "weight", weight: name })}>{name}</button>
      ))}
      {query["weight"] ? <label>index <input size={8} value={query["index"] ?? ""} placeholder="strongest"
        onChange={(e) => go({ view: "weight", weight: query["weight"] ?? "", ...(e.currentTarget.value ? { index: e.currentTarget.value.replace(/[^\d,]/g, "") } : {}) })} /></label> : null}
    </p>
  );
}

function Source(): JSX.Element {
  const query = asked();
  const set = (key: string, value: string): void => {
    const place = Object.fromEntries(Object.entries(query).filter(([k]) => PLACE.includes(k) || KEPT.includes(k)));
    delete place[key];
    for (const gone of ["change", "row", "target"]) delete place[gone];
    setQuery({ ...place, ...(value ? { [key]: value } : {}) });
  };
  return (
    <form class="toolbar" onSubmit={(e) => e.preventDefault()}>
      <label>example <input type="number" min={0} value={query["row"] ? "" : query["example"] ?? "0"} placeholder="a new one" disabled={!!query["step"]}
        onChange={(e) => set("example", e.currentTarget.value)} /></label>
      <label>of <select value={query["part"] ?? ""} disabled={!!query["step"]} onChange={(e) => set("part", e.currentTarget.value)}>
        <option value="">the judged part</option><option>train</option><option>validation</option><option>test</option>
      </select></label>
      <label>or replay step <input type="number" min={1} value={query["step"] ?? ""} placeholder="none"
        onChange={(e) => set("step", e.currentTarget.value)} /></label>
    </form>
  );
}

function parsed(): Change {
  try {
    return JSON.parse(asked()["change"] ?? "{}") as Change;
  } catch {
    return {};
  }
}

const indices = (text: string): number[] => text.split(",").map((part) => Number(part.trim()));

// What if an input, a weight or the target were another number.
function WhatIf(props: { looked: Looked }): JSX.Element {
  const change = parsed();
  const what = useSignal("inputs");
  const index = useSignal("0,0");
  const names = props.looked.input?.names ?? [];
  const shape = props.looked.input?.shape ?? [];
  const spot = (flat: number): string => { // the index of a number of the input
    const parts = shape.map(() => 0);
    for (let axis = shape.length - 1, left = flat; axis >= 0; axis -= 1) {
      parts[axis] = left % (shape[axis] ?? 1);
      left = Math.floor(left / (shape[axis] ?? 1));
    }
    return parts.join(",");
  };
  const called = (at: number[]): string => names[at.reduce((flat, i, axis) => flat * (shape[axis] ?? 1) + i, 0)] || `input [${at}]`;
  const value = useSignal("");
  const weight = asked()["weight"] ?? props.looked.calls.find((c) => c.parameters.length)?.parameters[0] ?? "";
  const set = (next: Change): void => {
    const kept = Object.entries(next).filter(([, list]) => list?.length);
    go({ ...place(), ...(kept.length ? { change: JSON.stringify(Object.fromEntries(kept)) } : { change: "" }) });
  };
  const place = (): Query => Object.fromEntries(Object.entries(asked()).filter(([k]) => PLACE.includes(k)));
  const add = (): void => {
    const to = Number(value.value);
    if (value.value === "" || !Number.isFinite(to)) return;
    const at = indices(index.value);
    if (what.value === "weights") set({ ...change, weights: [...(change.weights ?? []), [weight, at, to]] });
    else if (what.value === "target") set({ ...change, target: [...(change.target ?? []), [at, to]] });
    else set({ ...change, inputs: [...(change.inputs ?? []), [at, to]] });
  };
  const made = [
    ...(change.inputs ?? []).map(([at, to]) => `${called(at)} = ${to}`),
    ...(change.weights ?? []).map(([name, at, to]) => `${name} [${at}] = ${to}`),
    ...(change.target ?? []).map(([at, to]) => `target [${at}] = ${to}`),
  ];
  return (
    <Section title="What if" words="Nothing of the run changes.">
      <form class="toolbar" onSubmit={(e) => { e.preventDefault(); add(); }}>
        <label>change <select value={what.value} onChange={(e) => (what.value = e.currentTarget.value)}>
          <option value="inputs">the input</option><option value="weights">{weight}</option><option value="target">the target</option>
        </select></label>
        {what.value === "inputs" && names.length
          ? <label>at <select value={index.value} onChange={(e) => (index.value = e.currentTarget.value)}>
              {names.map((name, flat) => <option value={spot(flat)}>{name || spot(flat)}</option>)}
            </select></label>
          : <label>at <input size={7} value={index.value} onInput={(e) => (index.value = e.currentTarget.value)} /></label>}
        <label>to <input inputMode="decimal" size={8} value={value.value} onInput={(e) => (value.value = e.currentTarget.value)} /></label>
        <button type="submit">Try</button>
        {made.length ? <button type="button" onClick={() => set({})}>Undo all</button> : null}
      </form>
      {made.length ? <ul>{made.map((text) => <li>{text}</li>)}</ul> : null}
      {props.looked.changes.map((view) => <Shown view={{ ...view, title: "What changes" }} level="h3" />)}
    </Section>
  );
}

// A row takes the place of an example; the layer or unit that is looked at stays.
function look(row: string, target: string): void {
  const place = Object.entries(asked()).filter(([key]) => PLACE.includes(key));
  setQuery({ ...Object.fromEntries(place), row, ...(target ? { target } : {}) });
}

export function Microscope(): JSX.Element {
  const { run, query } = route.value;
  const lesson = query.get("lesson");
  const search = [...query].filter(([key]) => key !== "lesson");
  const form = useSignal<Form | null>(null); // stays there while what was given cannot be read
  const { value, error } = useAnswer(
    () => (lesson === null ? get<Looked>(address(run, "scope"), search) : Promise.resolve(null)),
    [run, query.toString()]);
  useEffect(() => { if (value?.form) form.value = value.form; }, [value]);
  useEffect(() => { form.value = null; }, [run]);
  if (lesson !== null) {
    return (
      <div>
        <p class="toolbar"><button type="button" onClick={() => setQuery({})}>Back to this run</button></p>
        <Lessons chosen={lesson} choose={(name) => setQuery({ lesson: name })} />
      </div>
    );
  }
  return (
    <div class="microscope">
      <Source />
      {form.value ? <NewExample form={form.value} row={query.get("row") ?? ""} target={query.get("target") ?? ""} look={look} /> : null}
      {error ? <Refused error={error} /> : null}
      {!value && !error ? <p class="quiet" role="status">The engine computes the step; the first time takes some seconds.</p> : null}
      {value ? (
        <div class="scope">
          <Walk calls={value.calls} />
          <div class="seen">
            <Closer calls={value.calls} />
            <Shown view={value.view} />
            <WhatIf looked={value} />
          </div>
        </div>
      ) : null}
      <p class="quiet"><button type="button" class="link" onClick={() => setQuery({ lesson: "" })}>Six lessons</button> show what can go wrong.</p>
    </div>
  );
}
