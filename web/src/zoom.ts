// Finer points for the part of a long run that is looked at.
import { signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { Signal } from "@preact/signals";
import { address, get } from "./api";
import type { Points, Value } from "./api";
import type { Range } from "./chart";
import type { Curves } from "./live";

interface Window extends Points { first: number; last: number; width: number }

const QUIET = 120; // ms without another change, before anybody is asked

const finer = signal<{ run: string; window: Window } | null>(null);

// The epochs that a range of an axis covers, from the point before to the one after.
function epochs(curves: Curves, axis: number[], range: Range): Range | null {
  const after = axis.findIndex((v) => v > range[1]);
  const first = axis.findIndex((v) => v >= range[0]);
  if (first < 0) return null;
  const last = after < 0 ? axis.length - 1 : after;
  return [Math.floor(curves.x[Math.max(first - 1, 0)] ?? 0), Math.ceil(curves.x[last] ?? 0)];
}

function spliced(curves: Curves, window: Window): Curves {
  const before = curves.x.findIndex((v) => v >= window.first);
  const behind = curves.x.findIndex((v) => v > window.last);
  if (before < 0 || !window.x.length) return curves;
  const join = <T,>(whole: T[], part: T[]): T[] =>
    [...whole.slice(0, before), ...part, ...(behind < 0 ? [] : whole.slice(behind))];
  const unknown = window.x.map((): Value => null);
  const series = Object.fromEntries(Object.entries(curves.series).map(([name, values]) =>
    [name, join(values, window.series[name] ?? unknown)]));
  return { ...curves, x: join(curves.x, window.x), series, width: window.width };
}

// The curves of a run, with finer points where somebody looks closer.
export function useFiner(run: string, curves: Curves | null, axis: number[], zoom: Signal<Range | null>): Curves | null {
  const range = zoom.value;
  const wanted = curves && curves.width > 1 && range ? epochs(curves, axis, range) : null;
  const [first, last] = wanted ?? [0, 0];
  useEffect(() => {
    if (!last) return;
    let stale = false;
    const timer = setTimeout(() => {
      const query: [string, string][] = [["first", String(first)], ["last", String(last)]];
      get<Window>(address(run, "window"), query).then(
        (window) => { if (!stale) finer.value = { run, window }; }, () => undefined);
    }, QUIET);
    return () => { stale = true; clearTimeout(timer); };
  }, [run, first, last]);
  useEffect(() => { zoom.value = null; }, [run]);
  const known = finer.value;
  const near = known?.run === run && known.window.first <= last && known.window.last >= first;
  return useMemo(() => (curves && near && known ? spliced(curves, known.window) : curves), [curves, near, known]);
}
