// A group of runs: what all reached together, and the way to each.
import type { JSX } from "preact";
import type { GroupOverview } from "../api";
import { number, title } from "../format";
import { overview, runs } from "../live";
import { DataTable, Section } from "../parts";
import { href, route } from "../router";
import { shortName, Status } from "../shell";
import { firstMetric } from "./runs";

export function Group(): JSX.Element {
  const facts = overview.value as GroupOverview;
  const members = (runs.value ?? []).filter((run) => run.id.startsWith(`${route.value.run}/`));
  return (
    <>
      <Section title="Together">
        <DataTable caption="Metrics over all runs" heads={["metric", "mean", "std", "lowest", "highest"]} numbers={[1, 2, 3, 4]}
          rows={Object.entries(facts.summary ?? {}).map(([name, s]) => [title(name), number(s.mean), number(s.std), number(s.min), number(s.max)])} />
      </Section>
      <Section title="Runs">
        <p><a href={href("compare", "", { run: members.map((m) => m.id) })}>Compare them</a></p>
        <DataTable caption="Runs of the group" heads={["run", "status", "result"]} numbers={[2]}
          rows={members.map((run) => {
            const metric = firstMetric(run);
            return [<a href={href("overview", run.id)}>{shortName(run)}</a>, <Status status={run.status} />,
              metric ? `${title(metric[0])} ${number(metric[1])}` : "\u2013"];
          })} />
      </Section>
    </>
  );
}
