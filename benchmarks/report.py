"""Tables of results: for a terminal, for a README, and as JSON that reads back."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.cold import Compilation
from benchmarks.driver import Group, Row
from benchmarks.optim import Update
from benchmarks.workloads import LONG, SHORT

OURS = "chainrule"

Line = list[str]

HEADER: Line = [
    "peer",
    "us/step min",
    "median",
    "speed / best peer",
    "% of FMA peak",
    "first step cold",
    "warm",
    "import",
    "peak RSS",
]


def relative(row: Row) -> float:
    """Time in units of the reference's, from inside the pairs."""
    return statistics.median(row.relative) if row.relative else 1.0


def best_peer(group: Group) -> Row | None:
    """The fastest present row that is not Chainrule."""
    peers = [r for r in group.rows if r.steps and r.peer != OURS]
    return min(peers, key=relative, default=None)


def speed(group: Group, row: Row) -> float | None:
    """How many times faster than the best peer; below 1 is slower."""
    best = best_peer(group)
    return relative(best) / relative(row) if best and row.steps else None


def cells(group: Group, row: Row) -> Line:
    """One line of the table."""
    if not row.steps:
        return [row.peer, "absent", "", "", "", "", "", "", ""]
    ratio = speed(group, row)
    warm = "" if row.first_warm is None else f"{row.first_warm:.2f} s"
    return [
        row.peer,
        f"{min(row.steps) * 1e6:.1f}",
        f"{statistics.median(row.steps) * 1e6:.1f}",
        "" if ratio is None else f"{ratio:.2f}",
        f"{100 * statistics.median(row.of_peak):.1f}",
        f"{row.first_cold:.2f} s",
        warm,
        f"{row.imported:.2f} s",
        f"{row.memory / 2**20:.0f} MiB",
    ]


def title(group: Group) -> str:
    threads = f"{group.threads} thread{'s' if group.threads > 1 else ''}"
    return (
        f"{group.workload}, {group.mode}, {threads} "
        f"(FMA peak {group.peak:.0f} GFLOP/s, triad {group.bandwidth:.0f} GB/s, "
        f"{group.flops / 1e6:.2f} MFLOP a step: "
        f"{group.flops / max(group.peak, 1e-9) / 1e3:.1f} us at the peak)"
    )


def remarks(group: Group) -> list[str]:
    """Everything that was left out or is doubtful, one line each."""
    absent = [f"{row.peer}: absent: {row.absent}" for row in group.rows if row.absent]
    return absent + [f"{row.peer}: {note}" for row in group.rows for note in row.notes]


def _rows(group: Group) -> list[Line]:
    return [HEADER] + [cells(group, row) for row in group.rows]


def text(group: Group) -> str:
    """Columns aligned for a terminal."""
    return text_table(title(group), _rows(group), remarks(group))


def markdown(group: Group) -> str:
    """The same as a Markdown table."""
    return markdown_table(title(group), _rows(group), remarks(group))


def text_table(heading: str, rows: list[Line], notes: list[str]) -> str:
    """Rows below the first in aligned columns."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for first, *others in rows:
        aligned = [c.rjust(w) for c, w in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *aligned]))
    lines.insert(1, "-" * len(lines[0]))
    return "\n".join([heading, *lines, *(f"  note: {n}" for n in notes)]) + "\n"


def markdown_table(heading: str, rows: list[Line], notes: list[str]) -> str:
    """The same for a page."""
    head, *body = ["| " + " | ".join(row) + " |" for row in rows]
    rule = "|---|" + "---:|" * (len(rows[0]) - 1)
    return (
        "\n".join([f"**{heading}**", "", head, rule, *body, "", *(f"* {n}" for n in notes)]) + "\n"
    )


SUMMARY_HEADER: Line = [
    "workload",
    "threads",
    "ours, ms",
    "best peer, ms",
    "its form",
    "speed",
    "at best",
    "% of FMA peak",
    "first step cold",
    "MiB, ours / best peer",
]


def at_best(group: Group) -> float | None:
    """The shortest burst of any peer by our shortest, which others on the machine disturb least."""
    ours = [min(r.steps) for r in group.rows if r.steps and r.peer == OURS]
    peers = [min(r.steps) for r in group.rows if r.steps and r.peer != OURS]
    return min(peers) / ours[0] if ours and peers else None


def summary_cells(group: Group) -> Line | None:
    """One line of the summary; None where ours or every peer is absent."""
    ours = next((row for row in group.rows if row.steps and row.peer == OURS), None)
    best, shortest = best_peer(group), at_best(group)
    if ours is None or best is None or shortest is None:
        return None
    ratio = speed(group, ours) or 0.0
    return [
        f"{group.workload}, {group.mode}",
        str(group.threads),
        f"{statistics.median(ours.steps) * 1e3:.3g}",
        f"{statistics.median(best.steps) * 1e3:.3g}",
        best.peer,
        f"{ratio:.2f}",
        f"{shortest:.2f}",
        f"{100 * statistics.median(ours.of_peak):.0f}",
        f"{ours.first_cold:.2f} s",
        f"{ours.memory / 2**20:.0f} / {best.memory / 2**20:.0f}",
    ]


def summary(groups: list[Group], *, markdown: bool) -> str:
    """A line for each table: medians, and the speed against the best peer."""
    lines = [line for line in map(summary_cells, groups) if line is not None]
    show = markdown_table if markdown else text_table
    return show("all rows", [SUMMARY_HEADER, *lines], []) if lines else ""


OPTIM_HEADER: Line = [
    "optimizer",
    "arrays moved",
    "ms min",
    "median",
    "GB/s",
    "% of bandwidth",
    "at best",
    "PyTorch ms",
    "its best form",
    "speed / PyTorch",
]


def optim_cells(u: Update) -> Line:
    """One line of the table of optimizers."""
    share, best, speed = u.of_bandwidth, u.at_best, u.speed
    return [
        u.name,
        str(u.moved or ""),
        f"{min(u.ours) * 1e3:.2f}",
        f"{statistics.median(u.ours) * 1e3:.2f}",
        "" if share is None else f"{u.bandwidth:.0f}",
        "" if share is None else f"{100 * share:.0f}",
        "" if best is None else f"{100 * best:.0f}",
        f"{statistics.median(u.peer) * 1e3:.2f}" if u.peer else "",
        u.form or "none",
        "" if speed is None else f"{speed:.2f}",
    ]


def optim_tables(updates: list[Update], *, markdown: bool) -> str:
    """A table for each number of threads."""
    show, tables = markdown_table if markdown else text_table, []
    for threads in dict.fromkeys(u.threads for u in updates):
        mine = [u for u in updates if u.threads == threads]
        heading = f"optim, one update, {threads} thread{'s' if threads > 1 else ''}"
        tables.append(show(heading, [OPTIM_HEADER, *map(optim_cells, mine)], []))
    return "\n".join(tables)


COLD_HEADER: Line = [
    "network",
    "peer",
    f"{SHORT} steps, s min",
    "median",
    f"{LONG:,} steps, s min",
    "median",
    "ratio of minima",
    "median ratio",
]


def cold_cells(c: Compilation) -> Line:
    """One line of the table of compilations."""
    if c.growth is None or c.median_growth is None:
        return [c.network, c.peer, "absent", "", "", "", "", ""]
    each = [f"{how(times):.2f}" for times in (c.few, c.many) for how in (min, statistics.median)]
    return [c.network, c.peer, *each, f"{c.growth:.2f}", f"{c.median_growth:.2f}"]


def cold_tables(compilations: list[Compilation], *, markdown: bool) -> str:
    """A table for each number of threads."""
    show, tables = markdown_table if markdown else text_table, []
    for threads in dict.fromkeys(c.threads for c in compilations):
        mine = [c for c in compilations if c.threads == threads]
        heading = f"cold compilation, {threads} thread{'s' if threads > 1 else ''}"
        absent = [f"{c.network}, {c.peer}: absent: {c.absent}" for c in mine if c.absent]
        tables.append(show(heading, [COLD_HEADER, *map(cold_cells, mine)], absent))
    return "\n".join(tables)


@dataclass
class Results:
    """Everything that one run of the benchmark found."""

    groups: list[Group] = field(default_factory=list)
    updates: list[Update] = field(default_factory=list)
    compilations: list[Compilation] = field(default_factory=list)


def sections(results: Results, *, markdown: bool) -> list[str]:
    """What follows the tables of the workloads: the summary, optimizers, compilations."""
    every = [
        summary(results.groups, markdown=markdown),
        optim_tables(results.updates, markdown=markdown),
        cold_tables(results.compilations, markdown=markdown),
    ]
    return [section for section in every if section]


def to_json(results: Results, machine: dict[str, Any]) -> str:
    """All numbers, every burst included."""
    saved = {
        "groups": [asdict(g) for g in results.groups],
        "optim": [asdict(u) for u in results.updates],
        "cold": [asdict(c) for c in results.compilations],
    }
    return json.dumps({"machine": machine, **saved}, indent=1)


def from_json(*documents: str) -> Results:
    """What ``to_json`` wrote, of several runs together."""
    results = Results()
    for saved in map(json.loads, documents):
        results.groups += [
            Group(**{**g, "rows": [Row(**row) for row in g["rows"]]}) for g in saved["groups"]
        ]
        results.updates += [Update(**u) for u in saved.get("optim", [])]
        results.compilations += [Compilation(**c) for c in saved.get("cold", [])]
    return results
