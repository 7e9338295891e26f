// Runs side by side: only what differs, and their curves, coloured by any setting.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { JSX } from "preact";
import { address, get } from "../api";
import type { Compared, Points, Value } from "../api";
import { Chart, COLOURS, described, logIsUseful } from "../chart";
import type { Line } from "../chart";
import { counted, number, rises, title } from "../format";
import { runs } from "../live";
import { DataTable, Empty, Refused, Section, useAnswer } from "../parts";
import { href, route, setQuery } from "../router";
import { shortName, Status } from "../shell";

const USUAL = 6;
const MOST = 50;

function Picker(props: { chosen: string[] }): JSX.Element {
  const wanted = useSignal("");
  const words = wanted.value.toLowerCase();
  const all = (runs.value ?? []).filter((run) => !run.group && run.id.toLowerCase().includes(words)).slice(0, 60);
  const change = (id: string, on: boolean): void =>
    setQuery({ ...rest(), run: on ? [...props.chosen, id].slice(-MOST) : props.chosen.filter((each) => each !== id) });
  return (
    <details class="picker">
      <summary>Choose runs ({props.chosen.length} chosen)</summary>
      <label>Find <input type="search" value={wanted.value} onInput={(e) => (wanted.value = e.currentTarget.value)} /></label>
      <ul>{all.map((run) => (
        <li><label><input type="checkbox" checked={props.chosen.includes(run.id)}
          onChange={(e) => change(run.id, e.currentTarget.checked)} /> {run.id}</label></li>
      ))}</ul>
    </details>
  );
}

function rest(): Record<string, string> {
  const { query } = route.value;
  return Object.fromEntries(["colour", "series"].flatMap((key) => (query.get(key) ? [[key, query.get(key)!]] : [])));
}

// All runs over the epochs of all, so that they share an axis.
function joined(curves: Map<string, Points>, ids: string[], name: string): { x: number[]; values: Value[][] } {
  const having = ids.filter((id) => curves.get(id)?.series[name]);
  const x = [...new Set(having.flatMap((id) => curves.get(id)!.x))].sort((a, b) => a - b);
  const place = new Map(x.map((v, i) => [v, i]));
  const values = ids.map((id) => {
    const row = new Array<Value>(x.length).fill(null);
    const points = curves.get(id);
    points?.series[name]?.forEach((v, i) => (row[place.get(points.x[i]!)!] = v));
    return row;
  });
  return { x, values };
}

export function Compare(): JSX.Element {
  const asked = route.value.query.getAll("run");
  const single = (runs.value ?? []).filter((run) => !run.group);
  const chosen = asked.length ? asked : single.slice(0, USUAL).map((run) => run.id);
  const key = chosen.join("\n");
  const { value, error } = useAnswer(
    () => get<Compared>("/api/compare", chosen.map((id) => ["run", id])), [key, runs.value]);
  const curves = useSignal(new Map<string, Points>());
  useEffect(() => {
    let stale = false;
    void Promise.all(chosen.map(async (id) => [id, await get<Points>(address(id, "curves")).catch(() => null)] as const))
      .then((all) => {
        if (!stale) curves.value = new Map(all.flatMap(([id, points]) => (points ? [[id, points]] : [])));
      });
    return () => { stale = true; };
  }, [key, runs.value]);
  if (error) return <><h1>Compare</h1><Refused error={error} /></>;
  if (!runs.value || !value) return <><h1>Compare</h1><Empty>Reading.</Empty></>;
  const ids = value.runs.map((run) => run.id);
  const names = [...new Set([...curves.value.values()].flatMap((c) => Object.keys(c.series)))].filter((n) => n !== "seconds");
  const series = route.value.query.get("series") ?? (names.includes("val_loss") ? "val_loss" : names[0] ?? "");
  const by = route.value.query.get("colour") ?? "";
  const groups = value.settings[by] ?? ids;
  const distinct = [...new Set(groups)];
  const { x, values } = joined(curves.value, ids, series);
  const lines: Line[] = value.runs.map((run, i) => ({
    name: by ? `${groups[i] || "unset"} \u00b7 ${shortName(run).slice(-4)}` : shortName(run),
    values: values[i] ?? [], look: distinct.indexOf(groups[i] ?? ""),
  }));
  const drawn = lines.filter((line) => line.values.some((v) => v !== null));
  const query = { run: ids, ...rest() };
  const heads = value.runs.map(shortName);
  return (
    <>
      <h1>Compare</h1>
      <Picker chosen={chosen} />
      {ids.length < 2 ? <Empty>Choose two runs or more.</Empty> : null}
      {drawn.length ? (
        <Section title="Curves">
          <div class="toolbar">
            <label>Show <select value={series} onChange={(e) => setQuery({ ...query, series: e.currentTarget.value })}>
              {names.map((name) => <option value={name}>{title(name)}</option>)}</select></label>
            <label>Colour by <select value={by} onChange={(e) => setQuery({ ...query, colour: e.currentTarget.value })}>
              <option value="">run</option>
              {Object.keys(value.settings).map((name) => <option value={name}>{name}</option>)}</select></label>
          </div>
          <ul class="legend">{distinct.map((group, i) => (
            <li><span class={`swatch look-${i % COLOURS}`} aria-hidden="true" />{by ? `${by} = ${group || "unset"}` : shortName(value.runs[i] ?? { name: group })}</li>
          ))}</ul>
          <Chart title={title(series)} x={x} xName="epoch" lines={drawn} height={360} log={!rises(series) && logIsUseful(drawn)}
            summary={described(drawn, x, "epoch")} />
        </Section>
      ) : null}
      <Section title="What differs" words={`${counted(Object.keys(value.settings).length, "setting")} of ${Object.keys(value.settings).length + value.same}; the others are the same in all.`}>
        {Object.keys(value.settings).length
          ? <DataTable caption="Settings that differ" heads={["setting", ...heads]}
              rows={Object.entries(value.settings).map(([name, row]) => [<code>{name}</code>, ...row.map((text) => <code>{text || "\u2013"}</code>)])} />
          : <Empty>No setting does.</Empty>}
      </Section>
      <Section title="Results">
        <DataTable caption="Metrics of each run" heads={["run", "status", ...Object.keys(value.metrics).map(title), "best epoch"]}
          numbers={Object.keys(value.metrics).map((_, i) => i + 2).concat(Object.keys(value.metrics).length + 2)}
          rows={value.runs.map((run, i) => [<a href={href("overview", run.id)}>{shortName(run)}</a>, <Status status={run.status} />,
            ...Object.values(value.metrics).map((row) => number(row[i] ?? null)), number(run.best.epoch)])} />
      </Section>
    </>
  );
}
