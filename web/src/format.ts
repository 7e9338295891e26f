// Numbers, times and sentences, as reports write them.
import type { Value } from "./api";

const MINUS = "\u2212";
export const NONE = "\u2013";

// Four significant digits, typeset; a dash for what is not a number.
export function number(value: unknown): string {
  if (typeof value !== "number" || !Number.isFinite(value)) return NONE;
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e15) return whole(value);
  if (size >= 1e4 && size < 1e15) return whole(Math.round(value));
  const short = Number(value.toPrecision(4));
  const text = size !== 0 && (size < 1e-4 || size >= 1e15)
    ? short.toExponential().replace(/e([+-])(\d)$/, "e$10$2")
    : String(short);
  return text.replace(/-/g, MINUS);
}

export const whole = (value: number): string =>
  Math.round(value).toLocaleString("en-US").replace(/-/g, MINUS);

export const percent = (share: number): string => `${(100 * share).toFixed(1)}%`;

export function counted(count: Value, noun: string, plural = `${noun}s`): string {
  return count === null ? `an unknown number of ${plural}` : `${whole(count)} ${count === 1 ? noun : plural}`;
}

export function duration(seconds: Value): string {
  if (seconds === null || !Number.isFinite(seconds) || seconds < 0) return "";
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function moment(iso: string): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return iso;
  return time.toLocaleString("en-GB", {
    day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit",
  });
}

export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const TITLES: Record<string, string> = {
  lr: "Learning rate", learning_rate: "Learning rate", roc_auc: "ROC AUC", r2: "R\u00b2", f1: "F1",
  mae: "MAE", mse: "MSE", rmse: "RMSE", seconds: "Time",
};

export const title = (name: string): string => TITLES[name] ?? capital(name.replace(/_/g, " "));

// Metrics of which more is better; the others are read the other way round.
const RISING = new Set(["accuracy", "balanced_accuracy", "f1", "f1_macro", "roc_auc", "r2"]);
export const rises = (name: string): boolean => RISING.has(name.replace(/^val_/, ""));

export const SIGNS: Record<string, string> = {
  done: "\u2713", running: "\u2026", paused: "\u2016", interrupted: "\u2016", failed: "\u2715",
  killed: "\u2715", damaged: "?",
};
