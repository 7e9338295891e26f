"""Tables of results: for a terminal, for a README, and as JSON that reads back."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict
from typing import Any

from benchmarks.driver import Group, Row

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
    rows = _rows(group)
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADER))]
    lines = []
    for first, *others in rows:
        aligned = [c.rjust(w) for c, w in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *aligned]))
    lines.insert(1, "-" * len(lines[0]))
    return "\n".join([title(group), *lines, *(f"  note: {r}" for r in remarks(group))]) + "\n"


def markdown(group: Group) -> str:
    """The same as a Markdown table."""
    head, *body = ["| " + " | ".join(row) + " |" for row in _rows(group)]
    rule = "|---|" + "---:|" * (len(HEADER) - 1)
    notes = [f"* {r}" for r in remarks(group)]
    return "\n".join([f"**{title(group)}**", "", head, rule, *body, "", *notes]) + "\n"


def to_json(groups: list[Group], machine: dict[str, Any]) -> str:
    """All numbers, every burst included."""
    return json.dumps({"machine": machine, "groups": [asdict(g) for g in groups]}, indent=1)


def from_json(document: str) -> list[Group]:
    """What ``to_json`` wrote."""
    groups = json.loads(document)["groups"]
    return [Group(**{**g, "rows": [Row(**row) for row in g["rows"]]}) for g in groups]
