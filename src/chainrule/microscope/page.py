"""Views as HTML: static, self-contained, for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any

from ..markup import Markup, element, joined
from ..notebook import chart, framed, table, words
from .shown import Bars, Curve, Grid, Part, Sum, Table, Text, number

__all__ = ["page_of"]

CELL = 14.0
BAR = 14.0
MOST_BARS = 64


def page_of(views: Sequence[tuple[str, Sequence[Part]]]) -> str:
    """Titles and their parts, one below the other; all but the first two folded."""
    blocks = []
    for i, (title, parts) in enumerate(views):
        inner = [_drawn(part) for part in parts]
        if i == 0:
            blocks.append(joined(element("div", title, class_="cr-head"), *inner))
        else:
            opened = "open" if i == 1 else None
            blocks.append(
                element("details", element("summary", title, class_="cr-head"), *inner, open=opened)
            )
    return framed(*blocks)


@singledispatch
def _drawn(part: Any) -> Markup:
    raise TypeError(f"{part!r} cannot be shown")


@_drawn.register
def _(part: Text) -> Markup:
    return words(part.text)


@_drawn.register
def _(part: Sum) -> Markup:
    width = len(part.heads)
    rows = [
        (t.label, *map(number, t.factors), *[""] * (width - 2 - len(t.factors)), t.shown)
        for t in part.terms
    ]
    if part.rest:
        what = f"rest ({part.hidden} more)" if part.hidden else "rounding"
        rows.append((what, *[""] * (width - 2), part.rest))
    rows.append(("sum", *[""] * (width - 2), part.shown))
    return table(f"{part.title}:  {part.formula}", part.heads, rows, total=True)


@_drawn.register
def _(part: Table) -> Markup:
    rows = [tuple(map(number, row)) for row in part.rows]
    texts = [i for i in range(len(part.heads)) if any(isinstance(r[i], str) for r in part.rows)]
    right = [i for i in range(len(part.heads)) if i not in texts]
    return table(part.title, part.heads, rows, note=part.words, right=right)


@_drawn.register
def _(part: Curve) -> Markup:
    (x, y), reach = part.at, (part.x[-1] - part.x[0]) / 8
    ends = (
        (x - reach, y - reach * part.slope), (x + reach, y + reach * part.slope),
    )  # fmt: skip
    return chart(part.title, part.x, [("", part.y)], said=part.words, dot=part.at, line=ends)


@_drawn.register
def _(part: Grid) -> Markup:
    largest = max((abs(v) for row in part.values for v in row), default=0.0) or 1.0
    height, width = len(part.values), len(part.values[0]) if part.values else 0
    cells = [
        element("rect", element("title", f"[{i}, {j}] {number(v)}"), x=f"{j * CELL:g}",
                y=f"{i * CELL:g}", width=f"{CELL - 1:g}", height=f"{CELL - 1:g}",
                fill="#2a78d6" if v >= 0 else "#c05a00", fill_opacity=f"{abs(v) / largest:.2f}",
                stroke="currentColor", stroke_opacity="0.15")
        for i, row in enumerate(part.values) for j, v in enumerate(row)
    ]  # fmt: skip
    for place in _boxes(part):
        top, left, bottom, right = place
        cells.append(
            element("rect", x=f"{left * CELL:g}", y=f"{top * CELL:g}",
                    width=f"{(right - left + 1) * CELL:g}",
                    height=f"{(bottom - top + 1) * CELL:g}", class_="cr-box")
        )  # fmt: skip
    said = f"{part.title}: {height} by {width}. {part.words}"
    svg = element("svg", *cells, viewBox=f"-1 -1 {width * CELL + 2:g} {height * CELL + 2:g}",
                  width=f"{width * CELL + 2:g}", role="img", aria_label=said)  # fmt: skip
    scale = f"blue is positive, orange negative; the strongest is {number(largest)}"
    sides = f"rows: {part.rows}, columns: {part.columns}" if part.rows else ""
    note = "; ".join(filter(None, (part.words, sides, scale)))
    return joined(element("div", part.title, class_="cr-part"), svg, words(note, soft=True))


def _boxes(part: Grid) -> list[tuple[int, int, int, int]]:
    found = [part.box] if part.box is not None else []
    return found + ([(*part.mark, *part.mark)] if part.mark is not None else [])


@_drawn.register
def _(part: Bars) -> Markup:
    largest = max(map(abs, part.values), default=0.0) or 1.0
    stride = max(1, -(-len(part.values) // MOST_BARS))
    shown = list(zip(part.labels, part.values, strict=True))[::stride]
    height = 100.0
    bars = [
        element("rect", element("title", f"{label}: {number(v)}"), x=f"{i * BAR:g}",
                y=f"{height * (1 - abs(v) / largest):.1f}", width=f"{BAR - 2:g}",
                height=f"{height * abs(v) / largest:.1f}", class_="cr-bar")
        for i, (label, v) in enumerate(shown)
    ]  # fmt: skip
    said = f"{part.title}: {part.words or f'{len(part.values)} values'}"
    svg = element("svg", *bars, viewBox=f"0 0 {len(shown) * BAR:g} {height:g}",
                  width=f"{len(shown) * BAR:g}", role="img", aria_label=said)  # fmt: skip
    return joined(element("div", part.title, class_="cr-part"), svg, words(part.words, soft=True))
