"""Results as tables: average ranks, what was won and lost on each table, and seconds."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

Result = Mapping[str, Any]


def measure(result: Result) -> str:
    """What is judged first."""
    return "log_loss" if result["classes"] else "rmse"


def comparable(results: Sequence[Result]) -> list[Result]:
    """Of each table, the divisions that all methods have which have any of it: means over other
    ones would compare divisions, not methods."""
    seeds: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for r in results:
        seeds[r["table"]][r["method"]].add(r["seed"])
    common = {table: set.intersection(*by.values()) for table, by in seeds.items()}
    return [r for r in results if r["seed"] in common[r["table"]]]


def means(results: Sequence[Result]) -> dict[str, dict[str, float]]:
    """The mean over the seeds, by table and method; infinite for one that failed."""
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for r in results:
        values[r["table"]][r["method"]].append(math.inf if "error" in r else r[measure(r)])
    return {t: {m: statistics.fmean(v) for m, v in by.items()} for t, by in values.items()}


def ranks(by_method: Mapping[str, float]) -> dict[str, float]:
    """1 for the smallest; equal ones share the mean of their ranks."""
    ordered = sorted(by_method.values())
    return {m: ordered.index(v) + 1 + (ordered.count(v) - 1) / 2 for m, v in by_method.items()}


def rank_table(results: Sequence[Result]) -> list[str]:
    """Each method's average rank, and its seconds: of classes, of numbers, of all."""
    complete = _complete(means(results))
    classes = {r["table"]: bool(r["classes"]) for r in results}
    ranked = {table: ranks(by) for table, by in complete.items()}
    methods = sorted({m for by in complete.values() for m in by})
    lines = ["| method | classes | numbers | all | median seconds |", "|---|---|---|---|---|"]
    rows = []
    for m in methods:
        groups = [[r[m] for t, r in ranked.items() if m in r and classes[t]],
                  [r[m] for t, r in ranked.items() if m in r and not classes[t]]]  # fmt: skip
        both = [*groups[0], *groups[1]]
        seconds = [r["seconds"] for r in results if r["method"] == m and "seconds" in r]
        rows.append((statistics.fmean(both), m, groups, seconds))
    for mean, m, groups, seconds in sorted(rows):
        cells = [f"{statistics.fmean(g):.2f}" if g else "-" for g in groups]
        time = f"{statistics.median(seconds):.1f}" if seconds else "-"
        lines.append(f"| {m} | {cells[0]} | {cells[1]} | {mean:.2f} | {time} |")
    return lines


def _complete(by_table: Mapping[str, Mapping[str, float]]) -> dict[str, Mapping[str, float]]:
    """The tables for which every method has a result."""
    methods = {m for by in by_table.values() for m in by}
    return {table: by for table, by in by_table.items() if set(by) == methods}


def value_table(results: Sequence[Result]) -> list[str]:
    """Each method's log-loss or RMSE on each table, the best one in bold."""
    by_table = means(results)
    methods = sorted({m for by in by_table.values() for m in by})
    sizes = {r["table"]: (r["rows"], r["columns"], r["half"]) for r in results}
    lines = ["| table | rows | columns | half | " + " | ".join(methods) + " |",
             "|---" * (4 + len(methods)) + "|"]  # fmt: skip
    for table, by in by_table.items():
        best = min(by.values())
        cells = []
        for m in methods:
            text = f"{by[m]:.4g}" if m in by else ""
            cells.append(f"**{text}**" if m in by and by[m] == best else text)
        rows, columns, which = sizes[table]
        lines.append(f"| {table} | {rows:,} | {columns} | {which} | " + " | ".join(cells) + " |")
    return lines


def page(results: Sequence[Result], halves: Sequence[str]) -> str:
    """Ranks of each half, then the values."""
    results = comparable(results)
    lines: list[str] = []
    for which in halves:
        own = [r for r in results if r["half"] == which]
        if own:
            lines += [f"Average rank, {which} half ({len(means(own))} tables):", "",
                      *rank_table(own), ""]  # fmt: skip
    return "\n".join([*lines, *value_table(results)])
