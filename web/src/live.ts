// The run on screen, followed: one stream of events for this tab while it can be seen, questions
// every second where streams do not get through.
import { effect, signal } from "@preact/signals";
import { address, get, Refusal } from "./api";
import type { Changes, CurvesUpdate, Event, Overview, GroupOverview, Points, RunLine, State } from "./api";
import { route } from "./router";

export interface Curves extends Points {
  width: number; epochs: number; last: Record<string, number | null>;
  best: Record<string, [number, number]>;
}

export interface Live {
  run: string; running: boolean; gone: boolean; reading: number | null; curves: Curves | null;
  events: Event[]; observed: number;
}

const nothing = (run: string): Live => ({
  run, running: false, gone: false, reading: null, curves: null, events: [], observed: 0,
});

export const state = signal<State | null>(null);
export const runs = signal<RunLine[] | null>(null);
export const live = signal<Live>(nothing(""));
export const overview = signal<Overview | GroupOverview | null>(null);
export const trouble = signal<Refusal | null>(null);
export const connected = signal(true);

let cursor = "";
let source: EventSource | null = null;
let asking: ReturnType<typeof setInterval> | undefined;
let heard = 0;

function merged(before: Curves | null, update: CurvesUpdate): Curves {
  const { from, x, series, ...rest } = update;
  if (!before || from === 0) return { x, series, ...rest };
  const joined: Record<string, (number | null)[]> = {};
  for (const [name, values] of Object.entries(series)) {
    const old = before.series[name] ?? new Array<null>(from).fill(null);
    joined[name] = old.slice(0, from).concat(values);
  }
  return { x: before.x.slice(0, from).concat(x), series: joined, ...rest };
}

function take(run: string, changes: Changes): void {
  if (run !== route.value.run) return;
  cursor = changes.cursor;
  const before = live.value.run === run ? live.value : nothing(run);
  const events = changes.events ?? [];
  live.value = {
    run, running: changes.running, gone: changes.gone, reading: changes.reading,
    curves: changes.curves ? merged(before.curves, changes.curves) : before.curves,
    events: changes.events_from_start ? events : before.events.concat(events).slice(-500),
    observed: changes.observed,
  };
  if (changes.facts_changed && !changes.gone) void readOverview(run);
}

async function readOverview(run: string): Promise<void> {
  try {
    const document = await get<Overview | GroupOverview>(address(run, "overview"));
    if (run === route.value.run) overview.value = document;
  } catch (error) {
    refuse(run, error);
  }
}

function refuse(run: string, error: unknown): void {
  if (run !== route.value.run) return;
  if (error instanceof Refusal) trouble.value = error;
  else connected.value = false;
}

async function readRuns(): Promise<void> {
  try {
    runs.value = (await get<{ runs: RunLine[] }>("/api/runs")).runs;
    connected.value = true;
  } catch {
    connected.value = false;
  }
}

async function ask(run: string): Promise<void> {
  if (!run) return;
  const since = cursor;
  try {
    const changes = await get<Changes>(address(run, "changes"), [["since", since]]);
    // What the stream told meanwhile is newer, and goes on from there.
    if (cursor === since && (changes.cursor !== since || changes.gone)) take(run, changes);
    connected.value = true;
  } catch (error) {
    refuse(run, error);
  }
}

function close(): void {
  source?.close();
  source = null;
  clearInterval(asking);
}

function open(run: string): void {
  close();
  if (document.hidden) return;
  const query = new URLSearchParams({ run, since: cursor });
  source = new EventSource(`/api/stream?${query}`);
  const alive = (): void => {
    heard = Date.now();
    connected.value = true;
  };
  source.onopen = alive;
  source.addEventListener("runs", () => { alive(); void readRuns(); });
  source.addEventListener("run", (event) => { alive(); take(run, JSON.parse(event.data) as Changes); });
  source.addEventListener("gone", (event) => {
    const words = JSON.parse(event.data) as { error: string; help: string };
    refuse(run, new Refusal(words.error, words.help));
  });
  heard = Date.now();
  asking = setInterval(() => {
    if (source?.readyState !== EventSource.OPEN && Date.now() - heard > 3000) {
      void ask(run);
      if (source?.readyState === EventSource.CLOSED) void readRuns();
    }
  }, 1000);
}

export async function start(): Promise<void> {
  void readRuns();
  get<State>("/api/state").then((told) => (state.value = told), () => (connected.value = false));
  let shown: string | null = null;
  effect(() => {
    const { run } = route.value;
    if (run === shown) return;
    shown = run;
    cursor = "";
    live.value = nothing(run);
    overview.value = null;
    trouble.value = null;
    open(run);
    if (run) void ask(run); // the first picture does not wait for the stream
  });
  document.addEventListener("visibilitychange", () => open(route.value.run));
}
