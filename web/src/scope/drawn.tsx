// The parts of a view: sums, tables, curves, grids, bars. Every drawing says in words what it shows.
import type { JSX } from "preact";
import { number } from "../format";
import { DataTable } from "../parts";
import type { Bars, Cell, Curve, Grid, Part, Sum, Table, View } from "./types";

const MINUS = "\u2212";

// Five digits, as in the terminal: the same number looks the same everywhere.
function digits(value: Cell | undefined): string {
  if (typeof value !== "number") return value ?? "\u2013";
  if (Number.isInteger(value)) return String(value).replace(/-/g, MINUS);
  const size = Math.abs(value);
  const text = size < 1e-4 || size >= 1e5 ? value.toExponential(4) : String(Number(value.toPrecision(5)));
  return text.replace(/-/g, MINUS);
}

const typeset = (text: string): string => text.replace(/-/g, MINUS);

function SumTable(props: { part: Sum }): JSX.Element {
  const { part } = props;
  const width = part.heads.length;
  const last = width - 1;
  const rows: JSX.Element[] = part.terms.map((term) => (
    <tr>
      <th scope="row">{term.label}</th>
      {Array.from({ length: width - 2 }, (_, i) => (
        <td class="number">{i < term.factors.length ? digits(term.factors[i]) : ""}</td>
      ))}
      <td class="number">{typeset(term.shown)}</td>
    </tr>
  ));
  const closing = (name: string, shown: string, kind: string): JSX.Element => (
    <tr class={kind}>
      <th scope="row">{name}</th>
      {Array.from({ length: width - 2 }, () => <td />)}
      <td class="number">{typeset(shown)}</td>
    </tr>
  );
  if (part.rest) rows.push(closing(part.hidden ? `rest (${part.hidden} more)` : "rounding", part.rest, "rest"));
  rows.push(closing("sum", part.shown, "sum"));
  return (
    <figure>
      <figcaption><span class="heading">{part.title}</span> <code class="formula">{part.formula}</code></figcaption>
      <div class="fit" tabIndex={0} role="region" aria-label={part.title}>
        <table>
          <thead><tr>{part.heads.map((head, i) => (
            <th scope="col" class={i === 0 ? "" : "number"}>{head || (i === last ? "value" : "")}</th>
          ))}</tr></thead>
          <tbody>{rows}</tbody>
        </table>
      </div>
    </figure>
  );
}

function Plain(props: { part: Table }): JSX.Element {
  const { part } = props;
  const numeric = part.heads.map((_, i) => i)
    .filter((i) => part.rows.every((row) => typeof row[i] !== "string"));
  return (
    <figure>
      <figcaption><span class="heading">{part.title}</span></figcaption>
      <DataTable caption={part.title} heads={part.heads} numbers={numeric}
        rows={part.rows.map((row) => row.map(digits))} />
      {part.words ? <p class="quiet">{part.words}</p> : null}
    </figure>
  );
}

const WIDE = 520;
const HIGH = 190;
const LEFT = 52;
const LOW = 24;

function Drawing(props: { part: Curve }): JSX.Element {
  const { part } = props;
  const [px, py] = part.at;
  const first = part.x[0] ?? 0;
  const end = part.x[part.x.length - 1] ?? 1;
  const bottom = Math.min(...part.y, py);
  const top = Math.max(...part.y, py);
  const x = (v: number): number => LEFT + ((v - first) / (end - first || 1)) * (WIDE - LEFT - 8);
  const y = (v: number): number => HIGH - LOW - ((v - bottom) / (top - bottom || 1)) * (HIGH - LOW - 10);
  const reach = (end - first) / 7;
  const path = part.x.map((v, i) => `${x(v).toFixed(1)},${y(part.y[i] ?? 0).toFixed(1)}`).join(" ");
  return (
    <figure class="drawn">
      <figcaption><span class="heading">{part.title}</span> <span class="quiet">{part.words}</span></figcaption>
      <svg viewBox={`0 0 ${WIDE} ${HIGH}`} role="img" aria-label={`${part.title}: ${part.words}`}>
        <path class="axis" d={`M${LEFT} 6V${HIGH - LOW}H${WIDE - 8}`} />
        <polyline class="curve" points={path} />
        <line class="tangent" x1={x(px - reach)} y1={y(py - reach * part.slope)} x2={x(px + reach)} y2={y(py + reach * part.slope)} />
        <circle class="spot" cx={x(px)} cy={y(py)} r="5" />
        <text x={LEFT - 6} y={HIGH - LOW} text-anchor="end">{number(bottom)}</text>
        <text x={LEFT - 6} y={14} text-anchor="end">{number(top)}</text>
        <text x={LEFT} y={HIGH - 6}>{number(first)}</text>
        <text x={WIDE - 8} y={HIGH - 6} text-anchor="end">{number(end)}</text>
      </svg>
    </figure>
  );
}

const SIDE = 15;

function Cells(props: { part: Grid }): JSX.Element {
  const { part } = props;
  const height = part.values.length;
  const width = part.values[0]?.length ?? 0;
  const largest = Math.max(...part.values.flat().map(Math.abs)) || 1;
  const boxes: [number, number, number, number][] = part.box ? [part.box] : [];
  if (part.mark) boxes.push([part.mark[0], part.mark[1], part.mark[0], part.mark[1]]);
  const said = `${part.title}: ${height} rows, ${width} columns. ${part.words}`;
  return (
    <figure class="drawn">
      <figcaption><span class="heading">{part.title}</span> <span class="quiet">{part.words}</span></figcaption>
      <svg class="cells" viewBox={`-1 -1 ${width * SIDE + 2} ${height * SIDE + 2}`} style={{ width: `${width * SIDE + 2}px` }}
        role="img" aria-label={said}>
        {part.values.flatMap((row, i) => row.map((value, j) => (
          <rect class={value < 0 ? "below" : "above"} x={j * SIDE} y={i * SIDE} width={SIDE - 1} height={SIDE - 1}
            fill-opacity={(Math.abs(value) / largest).toFixed(2)}><title>{`[${i}, ${j}] ${digits(value)}`}</title></rect>
        )))}
        {boxes.map(([a, b, c, d]) => (
          <rect class="frame" x={b * SIDE} y={a * SIDE} width={(d - b + 1) * SIDE} height={(c - a + 1) * SIDE} />
        ))}
      </svg>
      <p class="quiet">blue is positive, orange negative; the strongest is {digits(largest)}
        {part.rows ? `; rows: ${part.rows}, columns: ${part.columns}` : ""}</p>
    </figure>
  );
}

function Steps(props: { part: Bars }): JSX.Element {
  const { part } = props;
  const largest = Math.max(...part.values.map(Math.abs)) || 1;
  const high = 110;
  return (
    <figure class="drawn">
      <figcaption><span class="heading">{part.title}</span> <span class="quiet">{part.words}</span></figcaption>
      <svg class="cells" viewBox={`0 0 ${part.values.length * SIDE} ${high}`} style={{ width: `${part.values.length * SIDE}px` }}
        role="img" aria-label={`${part.title}: ${part.words}`}>
        {part.values.map((value, i) => {
          const size = (Math.abs(value) / largest) * high;
          return <rect class="above" x={i * SIDE} y={high - size} width={SIDE - 2} height={size}>
            <title>{`${part.labels[i]}: ${digits(value)}`}</title></rect>;
        })}
      </svg>
    </figure>
  );
}

function Drawn(props: { part: Part }): JSX.Element {
  const { part } = props;
  switch (part.type) {
    case "text": return <p>{part.text}</p>;
    case "sum": return <SumTable part={part} />;
    case "table": return <Plain part={part} />;
    case "curve": return <Drawing part={part} />;
    case "grid": return <Cells part={part} />;
    case "bars": return <Steps part={part} />;
  }
}

export function Shown(props: { view: View; level?: "h2" | "h3" }): JSX.Element {
  const Head = props.level ?? "h2";
  return (
    <section class="shown">
      <Head>{props.view.title}</Head>
      {props.view.parts.map((part) => <Drawn part={part} />)}
    </section>
  );
}
