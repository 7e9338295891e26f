// All runs; those that are chosen can be compared.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import type { RunLine } from "../api";
import { counted, duration, moment, NONE, number, title } from "../format";
import { runs } from "../live";
import { Empty } from "../parts";
import { href } from "../router";
import { shortName, Status } from "../shell";

type Key = "started" | "name" | "status" | "data" | "metric" | "seconds";

const PAGE = 100;

export function firstMetric(run: RunLine): [string, number] | null {
  for (const [name, value] of Object.entries(run.metrics)) if (value !== null) return [name, value];
  return run.best.val_loss === null ? null : ["val_loss", run.best.val_loss];
}

const VALUES: Record<Key, (run: RunLine) => string | number> = {
  started: (run) => run.started, name: (run) => shortName(run), status: (run) => run.status,
  data: (run) => run.data, metric: (run) => firstMetric(run)?.[1] ?? -Infinity,
  seconds: (run) => run.seconds ?? -1,
};

export function Runs(): JSX.Element {
  const sort = useSignal<{ key: Key; down: boolean }>({ key: "started", down: true });
  const wanted = useSignal("");
  const chosen = useSignal<string[]>([]);
  const most = useSignal(PAGE);
  const all = runs.value;
  if (!all) return <><h1>Runs</h1><Empty>Looking for runs.</Empty></>;
  if (!all.length) {
    return <><h1>Runs</h1><Empty>There are none yet: <code>chainrule train heart</code> trains one, and it appears here.</Empty></>;
  }
  const words = wanted.value.toLowerCase();
  const matching = all.filter((run) =>
    [run.id, run.data, run.status, run.model, run.target].some((part) => part.toLowerCase().includes(words)));
  const value = VALUES[sort.value.key];
  const sorted = [...matching].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    return (x < y ? -1 : x > y ? 1 : 0) * (sort.value.down ? -1 : 1);
  });
  const head = (key: Key, words: string, number = false): JSX.Element => (
    <th scope="col" class={number ? "number" : ""}
      aria-sort={sort.value.key === key ? (sort.value.down ? "descending" : "ascending") : undefined}>
      <button type="button" class="sort" onClick={() => {
        sort.value = { key, down: sort.value.key === key ? !sort.value.down : key === "started" };
      }}>{words}<span aria-hidden="true">{sort.value.key === key ? (sort.value.down ? " \u2193" : " \u2191") : ""}</span></button>
    </th>
  );
  return (
    <>
      <h1>Runs</h1>
      <div class="toolbar">
        <label>Find <input type="search" value={wanted.value} onInput={(e) => (wanted.value = e.currentTarget.value)} /></label>
        <a class={`button ${chosen.value.length < 2 ? "off" : ""}`} aria-disabled={chosen.value.length < 2}
          href={href("compare", "", { run: chosen.value })}>
          {chosen.value.length < 2 ? "Choose runs to compare" : `Compare ${counted(chosen.value.length, "run")}`}
        </a>
      </div>
      <div class="fit" tabIndex={0} role="region" aria-label="All runs">
        <table class="runs">
          <caption class="spoken">All runs</caption>
          <thead><tr>
            <td class="pick"><span class="spoken">compare</span></td>
            {head("name", "run")}{head("status", "status")}{head("data", "data")}
            <th scope="col">network</th>{head("metric", "result", true)}{head("seconds", "time", true)}{head("started", "started", true)}
          </tr></thead>
          <tbody>
            {sorted.slice(0, most.value).map((run) => {
              const metric = firstMetric(run);
              return (
                <tr key={run.id}>
                  <td class="pick"><input type="checkbox" aria-label={`compare ${run.id}`} disabled={run.group}
                    checked={chosen.value.includes(run.id)} onChange={(e) => {
                      chosen.value = e.currentTarget.checked ? [...chosen.value, run.id] : chosen.value.filter((id) => id !== run.id);
                    }} /></td>
                  <th scope="row"><a href={href("overview", run.id)}>{shortName(run)}</a>
                    {run.id.includes("/") ? <span class="quiet"> in {run.id.split("/")[0]}</span> : null}
                    {run.group ? <span class="quiet"> {counted(run.runs ?? null, "run")}</span> : null}</th>
                  <td><Status status={run.status} /></td>
                  <td>{run.data || NONE}{run.target ? <span class="quiet"> {"\u2192"} {run.target}</span> : null}</td>
                  <td>{run.model || NONE}</td>
                  <td class="number">{metric ? <><span class="quiet">{title(metric[0])}</span> {number(metric[1])}</> : NONE}</td>
                  <td class="number">{duration(run.seconds) || NONE}</td>
                  <td class="number">{run.started ? moment(run.started) : NONE}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      {sorted.length > most.value
        ? <p><button type="button" onClick={() => (most.value += PAGE)}>Show {Math.min(PAGE, sorted.length - most.value)} more of {sorted.length}</button></p>
        : null}
      {matching.length ? null : <Empty>No run matches {"\u201c"}{wanted.value}{"\u201d"}.</Empty>}
      {all.filter((run) => run.trouble).slice(0, 10).map((run) => <p class="quiet">! {run.name}: {run.trouble}</p>)}
    </>
  );
}
