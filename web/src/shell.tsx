// What surrounds every page: the runs at the left, the run's name, status and tabs above.
import { computed, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { JSX } from "preact";
import { address, post, Refusal } from "./api";
import type { RunLine } from "./api";
import { Explanation } from "./explanation";
import { capital, counted, duration, number, SIGNS } from "./format";
import { connected, live, overview, runs, state, trouble } from "./live";
import { PAGES } from "./pages";
import { Compare } from "./pages/compare";
import { Group } from "./pages/group";
import { Runs } from "./pages/runs";
import { Refused } from "./parts";
import { href, route } from "./router";
import { choice, choose } from "./theme";
import type { Choice } from "./theme";

const IN_RAIL = 40;

export const line = computed<RunLine | null>(() =>
  runs.value?.find((run) => run.id === route.value.run) ?? null);

// As it is now: a training that waits says so in its events.
export const status = computed<string>(() => {
  const { running, events, gone } = live.value;
  if (gone) return "deleted";
  if (!running) return line.value?.status ?? overview.value?.status ?? "";
  const last = events.findLast((e) => ["control", "resume", "start"].includes(e.event));
  return last?.event === "control" && last.action === "pause" ? "paused" : "running";
});

export function Status(props: { status: string }): JSX.Element {
  const bad = ["failed", "killed", "broken", "damaged", "deleted"].includes(props.status);
  return (
    <span class={`status ${bad ? "bad" : ""} is-${props.status}`}>
      <span aria-hidden="true">{SIGNS[props.status] ?? "?"}</span> {props.status}
    </span>
  );
}

function Rail(): JSX.Element {
  const all = runs.value ?? [];
  const { page, run } = route.value;
  return (
    <nav class="rail" aria-label="Runs">
      <p class="brand"><a href={href("runs")}>Chainrule</a></p>
      <ul class="places">
        <li><a href={href("runs")} aria-current={page === "runs" ? "page" : undefined}>All runs
          <span class="count">{runs.value ? all.length : ""}</span></a></li>
        <li><a href={href("compare")} aria-current={page === "compare" ? "page" : undefined}>Compare</a></li>
      </ul>
      <p class="rail-heading" id="recent">Recent</p>
      <ul class="recent" aria-labelledby="recent">
        {all.slice(0, IN_RAIL).map((each) => (
          <li>
            <a href={href(run && page !== "compare" && page !== "runs" ? page : "overview", each.id)}
              aria-current={each.id === run ? "true" : undefined} title={each.id}>
              <span class={`dot is-${each.status}`} aria-hidden="true" />
              <span class="rail-name">{shortName(each)}</span>
              <span class="spoken">, {each.status}</span>
            </a>
          </li>
        ))}
      </ul>
      <Themes />
    </nav>
  );
}

// Without the date, which orders the list already; the last four letters tell runs apart.
export function shortName(run: { name: string }): string {
  return /^\d{8}-\d{6}-(.+)$/.exec(run.name)?.[1] ?? run.name;
}

function Themes(): JSX.Element {
  return (
    <label class="themes">
      <span>Colours</span>
      <select value={choice.value} onChange={(e) => choose(e.currentTarget.value as Choice)}>
        <option value="system">system</option>
        <option value="light">light</option>
        <option value="dark">dark</option>
      </select>
    </label>
  );
}

function Progress(): JSX.Element | null {
  const { curves, running } = live.value;
  const planned = line.value?.planned ?? null;
  const done = curves ? (curves.x[curves.x.length - 1] ?? 0) : 0;
  if (!running || !planned) return null;
  const seconds = curves?.last["seconds"] ?? null;
  const left = seconds !== null && done ? (seconds / done) * (planned - done) : null;
  return (
    <p class="progress">
      <progress max={planned} value={done} aria-label="epochs done" />
      <span>epoch {number(done)} of {number(planned)}</span>
      {left === null || left < 1 ? null : <span class="quiet">at most {duration(left)} left</span>}
    </p>
  );
}

function Controls(): JSX.Element | null {
  const rate = useSignal("");
  const told = useSignal("");
  if (!state.value?.control || !live.value.running) return null;
  const ask = async (action: string, value?: number): Promise<void> => {
    try {
      await post(address(route.value.run, "control"), value === undefined ? { action } : { action, value });
      told.value = action === "stop" ? "it ends with this epoch and is saved" : "asked for";
    } catch (error) {
      told.value = error instanceof Error ? error.message : "not possible";
    }
    setTimeout(() => (told.value = ""), 4000);
  };
  const paused = status.value === "paused";
  return (
    <form class="controls" onSubmit={(e) => {
      e.preventDefault();
      const value = Number(rate.value);
      if (value > 0) void ask("lr", value);
      else told.value = "a rate is a number above 0";
    }}>
      <button type="button" onClick={() => void ask(paused ? "resume" : "pause")}>{paused ? "Resume" : "Pause"}</button>
      <button type="button" onClick={() => void ask("stop")}>Stop and save</button>
      <label>learning rate <input inputMode="decimal" size={7} value={rate.value}
        placeholder={number(live.value.curves?.last["lr"] ?? null)}
        onInput={(e) => (rate.value = e.currentTarget.value)} /></label>
      <button type="submit">Set</button>
      <output aria-live="polite" class="quiet">{told.value}</output>
    </form>
  );
}

function RunPage(): JSX.Element {
  const { run, page } = route.value;
  const facts = overview.value;
  const name = facts && !facts.group ? facts.title : (line.value ? shortName(line.value) : run);
  const shown = PAGES.find((each) => each.name === page) ?? PAGES[0];
  const View = shown?.view ?? Runs;
  if (trouble.value) return <main id="main" tabIndex={-1}><h1>{run}</h1><Refused error={trouble.value} /></main>;
  return (
    <main id="main" tabIndex={-1}>
      <header class="run-head">
        <p class="eyebrow">{run}</p>
        <div class="run-line">
          <h1>{name}</h1>
          {status.value ? <Status status={status.value} /> : null}
        </div>
        <Progress />
        <Controls />
        {facts?.group ? null : (
          <nav class="tabs" aria-label="Pages of this run">
            {PAGES.map((each) => (
              <a href={href(each.name, run)} aria-current={each === shown ? "page" : undefined}>{each.title}</a>
            ))}
          </nav>
        )}
      </header>
      {live.value.gone
        ? <Refused error={new Refusal("the folder of this run was deleted", "what is shown was read before")} />
        : live.value.reading !== null
          ? <p class="quiet" role="status">Reading a long run: {Math.round(100 * live.value.reading)} %.</p>
          : null}
      {facts?.group ? <Group /> : <View />}
    </main>
  );
}

export function Shell(): JSX.Element {
  const { run, page } = route.value;
  const skip = useRef<HTMLAnchorElement>(null);
  useEffect(() => {
    const title = run ? `${shortName({ name: run.split("/").pop() ?? run })} \u00b7 ${capital(page)}` : capital(page);
    document.title = `${title} \u00b7 Chainrule`;
  }, [run, page]);
  return (
    <>
      <a class="skip" href="#main" ref={skip} onClick={(e) => {
        e.preventDefault();
        document.getElementById("main")?.focus();
      }}>To the contents</a>
      <Rail />
      <div class="page">
        {connected.value ? null : <p class="offline" role="status">The dashboard does not answer. It goes on when it does.</p>}
        {run ? <RunPage key={run} />
          : page === "compare" ? <main id="main" tabIndex={-1}><Compare /></main>
          : <main id="main" tabIndex={-1}><Runs /></main>}
        <footer>
          {state.value ? <>Chainrule {state.value.version} {"\u00b7"} {state.value.folder}
            {runs.value ? ` \u00b7 ${counted(runs.value.length, "run")}` : ""}</> : null}
        </footer>
      </div>
      <Explanation />
    </>
  );
}

