// What was learned from, and with which settings.
import type { JSX } from "preact";
import type { Overview } from "../api";
import { counted, NONE, number, title } from "../format";
import { overview } from "../live";
import { DataTable, Empty, Finding, Pairs, Section } from "../parts";

const PARTS: Record<string, string> = { train: "training", test: "testing" };

function Classes(props: { facts: Overview }): JSX.Element | null {
  const { classes } = props.facts;
  return classes.length ? <p>{counted(classes.length, "class", "classes")}: {classes.slice(0, 30).join(", ")}
    {classes.length > 30 ? ` and ${classes.length - 30} more` : ""}.</p> : null;
}

export function Data(): JSX.Element {
  const facts = overview.value && !overview.value.group ? (overview.value as Overview) : null;
  if (!facts) return <Empty>Reading.</Empty>;
  const { data, words } = facts;
  const model = Object.entries(facts.model).filter(([, v]) => ["string", "number"].includes(typeof v));
  return (
    <>
      <Section title="Data" words={facts.summary}>
        <Pairs class="facts" pairs={[
          ["name", data.name || NONE], ["target", data.target || NONE],
          [words.units || "rows", number(data.rows)],
          ...(data.columns === null ? [] : [["columns", number(data.columns)] as [string, string]]),
          ...Object.entries(facts.split).map(([name, n]) => [`for ${PARTS[name] ?? name}`, number(n)] as [string, string]),
        ]} />
        <Classes facts={facts} />
      </Section>
      <Section title="Findings">
        {facts.findings.length ? facts.findings.map((f) => <Finding finding={f} />)
          : <p class="quiet">Nothing unusual was found in the data.</p>}
      </Section>
      {facts.columns.length ? (
        <Section title="Columns" words={`How each is used, and how many values are missing from the training ${words.units}.`}>
          <DataTable caption="Columns" heads={["column", "kind", "how it is used", "missing"]} numbers={[3]} long={[2]}
            rows={facts.columns.map((c) => [c.name, c.kind,
              c.treatment + (c.counted_as_missing.length ? `; ${c.counted_as_missing.join(", ")} counts as missing` : ""),
              number(c.missing)])} />
          {facts.more_columns ? <p class="quiet">And {counted(facts.more_columns, "column")} more.</p> : null}
        </Section>
      ) : null}
      <Section title="Settings" words="run.toml, with every default written out: chainrule train run.toml gives this run again.">
        <pre class="settings" tabIndex={0} aria-label="run.toml">{facts.config || "run.toml is missing"}</pre>
      </Section>
      <Section title="Model"><Pairs pairs={model.map(([k, v]) => [title(k), typeof v === "number" ? number(v) : String(v)])} /></Section>
      <Section title="Environment">
        <Pairs pairs={[["run folder", facts.path], ...Object.entries(facts.environment),
          ...(data.fingerprint ? [["data", data.fingerprint] as [string, string]] : [])]} />
      </Section>
    </>
  );
}
