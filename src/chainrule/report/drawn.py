"""Charts and tables of ``evaluation.json``, whatever they are about: those that the task put into
its section ``test``, and those of the kind of data beside it.

charts   [{title, words, below, x: [whole numbers], lines: [{name, values}], band?: {name, low,
         high}}]: the first line is the main one
tables   [{title, words, heads, rows}]: cells are numbers or texts
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..markup import EMPTY, Markup, element
from ..phrasing import format_number, listed
from ..unverified import items, number, table, text, whole
from .parts import data_table, figure, paragraph
from .plot import Band, Series, curves

__all__ = ["charts", "tables"]

#: of each, what is shown at most
CHARTS, TABLES, LINES, ROWS, STEPS = 12, 6, 4, 100, 20_000
#: characters of a cell from which on it holds a sentence
WORDS = 40


def charts(test: Mapping[str, Any]) -> list[Markup]:
    """The charts; what is not as it should be is left out."""
    all_of_them = (_chart(i, table(c)) for i, c in enumerate(items(test.get("charts"))[:CHARTS]))
    return [chart for chart in all_of_them if chart is not EMPTY]


def tables(test: Mapping[str, Any]) -> list[Markup]:
    """The tables; what is not as it should be is left out."""
    all_of_them = (_table(table(t)) for t in items(test.get("tables"))[:TABLES])
    return [shown for shown in all_of_them if shown is not EMPTY]


def _values(chart: Mapping[str, Any], key: str, count: int) -> list[float | None]:
    values = [number(v) for v in items(chart.get(key))[:count]]
    return [*values, *[None] * (count - len(values))]


def _chart(index: int, chart: Mapping[str, Any]) -> Markup:
    x = [whole(v) for v in items(chart.get("x"))[:STEPS]]
    steps = [v for v in x if v is not None]
    if len(steps) < len(x) or steps != sorted(set(steps)) or not steps:
        return EMPTY
    lines = []
    for i, line in enumerate(map(table, items(chart.get("lines"))[:LINES])):
        values = _values(line, "values", len(steps))
        if any(v is not None for v in values):
            lines.append(Series(text(line.get("name")), values, "main" if i == 0 else "second"))
    if not lines:
        return EMPTY
    ends = table(chart.get("band"))
    band = None
    if ends:
        low, high = (_values(ends, key, len(steps)) for key in ("low", "high"))
        band = Band(text(ends.get("name")), low, high)
    title, words = text(chart.get("title")), text(chart.get("words"))
    drawing = curves(
        f"chart-{index}", title, _described(lines, band), steps, lines,
        below=text(chart.get("below")), band=band,
    )  # fmt: skip
    return figure(f"{title}.", words, drawing)


def _described(lines: Sequence[Series], band: Band | None) -> str:
    """The drawing in words: where each line begins and ends."""
    parts = []
    for line in lines:
        known = [v for v in line.values if v is not None]
        parts.append(f"{line.name} from {format_number(known[0])} to {format_number(known[-1])}")
    if band is not None and (known := [v for v in band.high if v is not None]):
        lowest = [v for v in band.low if v is not None]
        ends = f"{format_number(lowest[-1])} and {format_number(known[-1])}" if lowest else ""
        parts.append(f"at the end, the {band.name} lies between {ends}")
    return f"{listed(parts)}."


def _table(content: Mapping[str, Any]) -> Markup:
    heads = [text(h) for h in items(content.get("heads"))]
    rows = [items(row) for row in items(content.get("rows"))[:ROWS]]
    if not heads or not rows or any(len(row) != len(heads) for row in rows):
        return EMPTY
    numeric = [i for i in range(len(heads)) if not any(isinstance(r[i], str) for r in rows)]
    cells = [
        [format_number(c) if i in numeric else text(c) for i, c in enumerate(row)] for row in rows
    ]
    title, words = text(content.get("title")), text(content.get("words"))
    sentences = [
        i for i in range(len(heads)) if i not in numeric and any(len(c[i]) > WORDS for c in cells)
    ]
    return element(
        "div", element("h3", title), paragraph(words, "quiet"),
        data_table(title, heads, cells, numbers=numeric, long=sentences),
    )  # fmt: skip
