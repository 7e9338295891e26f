// What the server answers. The shapes are those of src/chainrule/dash.

export class Refusal extends Error {
  constructor(readonly what: string, readonly help: string) {
    super(what);
  }
}

export const address = (run: string, document: string): string =>
  `/api/runs/${run.split("/").map(encodeURIComponent).join("/")}/${document}`;

async function answered<T>(response: Response): Promise<T> {
  const body = (await response.json()) as T & { error?: string; help?: string };
  if (!response.ok) throw new Refusal(body.error ?? response.statusText, body.help ?? "");
  return body;
}

export async function get<T>(path: string, query: [string, string][] = []): Promise<T> {
  const search = query.length ? `?${new URLSearchParams(query)}` : "";
  return answered<T>(await fetch(path + search));
}

export async function post<T>(path: string, body: unknown): Promise<T> {
  const headers = { "Content-Type": "application/json" };
  return answered<T>(await fetch(path, { method: "POST", headers, body: JSON.stringify(body) }));
}

export type Value = number | null;

export interface RunLine {
  id: string; name: string; group: boolean; status: string; started: string; data: string;
  target: string; task: string; model: string; parameters: Value; epochs: Value; planned: Value;
  seconds: Value; best: { epoch: Value; val_loss: Value }; metrics: Record<string, Value>;
  error: string; trouble: string; runs?: number;
}

export interface State { version: string; folder: string; control: boolean }

export interface Points { x: number[]; series: Record<string, Value[]> }

export interface CurvesUpdate extends Points {
  from: number; width: number; epochs: number; last: Record<string, Value>;
  best: Record<string, [number, number]>;
}

export interface Event { time: string; event: string; message?: string; action?: string; epoch?: number }

export interface Changes {
  cursor: string; gone: boolean; running: boolean; reading: Value; curves?: CurvesUpdate;
  events?: Event[]; events_from_start?: boolean; observed: number; facts_changed: boolean;
}

export interface Finding {
  code: string; severity: string; message: string; evidence: string; fix: string; advice: string;
}

export interface Metric {
  name: string; validation: Value; test: Value; baseline: Value; others: Record<string, Value>;
  verdict: string; words: string;
}

export interface Chart {
  title: string; words: string; below: string; x: number[];
  lines: { name: string; values: Value[] }[];
  band?: { name: string; low: Value[]; high: Value[] };
}

// Of the results as numbers; the whole is in `Results`.
export interface Table { title: string; rows: (string | Value)[][]; examples?: number[] }
export interface Test { charts?: Chart[]; tables?: Table[]; confusion?: number[][] }

// HTML, as in reports.
export interface Results { id: string; metrics: string; predictions: string; tables: string }

export interface Overview {
  group: boolean; id: string; run: string; path: string; status: string; status_words: string;
  error: string; started: string; seconds: Value; seed: Value; title: string; summary: string;
  result: string; task: string; classes: string[];
  words: { unit: string; units: string; baseline: string; judged: string };
  data: {
    name: string; path: string; rows: Value; columns: Value; target: string; fingerprint: string;
  };
  split: Record<string, Value>;
  columns: { name: string; kind: string; treatment: string; missing: Value; counted_as_missing: string[] }[];
  more_columns: number; findings: Finding[]; model: Record<string, unknown>; metrics: Metric[];
  test: Test; mistakes: { name: string; true: string; predicted: string; probability: number; image: string; example: number | null }[];
  best: { epoch: number; monitor: string; value: Value } | null;
  notes: { time: string; event: string; message: string }[]; troubles: string[];
  commands: { what: string; command: string }[]; config: string; environment: Record<string, string>;
}

export interface GroupOverview {
  group: true; id: string; name: string; status: string; members: Record<string, unknown>;
  summary: Record<string, { mean: Value; std: Value; min: Value; max: Value }>;
  together?: Record<string, Value>;
}

export interface Layers {
  layers: { path: string; kind: string }[]; left_out: number; observations: number; width: number;
  steps: number[]; epochs: number[]; values: Record<string, Value[][]>;
  newest: Record<string, Value[]>; through_time: Record<string, Value[]>;
}

export interface Histograms {
  layer: string;
  histograms: Record<string, { step: number; low: number; high: number; counts: number[] }[]>;
}

export interface Diagnosis {
  code: string; severity: string; family: string; title: string; sentence: string; layer: string;
  numbers: Record<string, unknown>; setting: string; python: string;
}

export interface Examined { state: string; why?: string; diagnoses: Diagnosis[]; missing: string[] }

export interface Explained {
  code: string; title: string; family: string; severity: string; means: string; why?: string;
  looks?: string; setting?: string; python?: string;
}

export interface Compared {
  runs: RunLine[]; settings: Record<string, string[]>; same: number; metrics: Record<string, Value[]>;
}
