"""Views as plain text: for terminals, screen readers and `print`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from functools import singledispatch
from itertools import zip_longest
from typing import Any

from ..showing import cell_text
from .shown import Bars, Curve, Grid, Part, Sum, Table, Text, number

__all__ = ["text_of"]

WIDTH = 96
HEIGHT = 11
CELL = 56
SHADES = " .:-=+*#%@"


def text_of(title: str, parts: Sequence[Part]) -> str:
    """A title, and part by part."""
    head = cell_text(title)
    lines = [line for part in parts for line in (*_lines(part), "")]
    return "\n".join([head, "=" * len(head), "", *lines]).rstrip()


@singledispatch
def _lines(part: Any) -> Iterator[str]:
    raise TypeError(f"{part!r} cannot be shown")


@_lines.register
def _(part: Text) -> Iterator[str]:
    yield from textwrap.wrap(cell_text(part.text), WIDTH)


@_lines.register
def _(part: Sum) -> Iterator[str]:
    yield f"{cell_text(part.title)}:  {part.formula}"
    width = len(part.heads)
    rows = [(t.label, *map(number, t.factors), *[""] * (width - 2 - len(t.factors)), t.shown)
            for t in part.terms]  # fmt: skip
    if part.rest:
        what = f"rest ({part.hidden} more)" if part.hidden else "rounding"
        rows.append((what, *[""] * (width - 2), part.rest))
    rows.append(("sum", *[""] * (width - 2), part.shown))
    yield from _table(part.heads, rows)


@_lines.register
def _(part: Table) -> Iterator[str]:
    yield cell_text(part.title)
    yield from _table(part.heads, [tuple(map(number, row)) for row in part.rows])
    if part.words:
        yield from textwrap.wrap(f"({part.words})", WIDTH, initial_indent="  ")


@_lines.register
def _(part: Curve) -> Iterator[str]:
    yield cell_text(part.title)
    columns = [part.y[i * (len(part.y) - 1) // 60] for i in range(61)]
    low, high = min(*columns, part.at[1]), max(*columns, part.at[1])
    height = (high - low) or 1.0
    lines = [[" "] * 61 for _ in range(HEIGHT)]
    for column, value in enumerate(columns):
        lines[HEIGHT - 1 - round((value - low) / height * (HEIGHT - 1))][column] = "."
    share = (part.at[0] - part.x[0]) / ((part.x[-1] - part.x[0]) or 1.0)
    lines[HEIGHT - 1 - round((part.at[1] - low) / height * (HEIGHT - 1))][round(share * 60)] = "O"
    yield from ("  |" + "".join(line).rstrip() for line in lines)
    yield f"  ({part.words}; O marks it; x from {number(part.x[0])} to {number(part.x[-1])})"


@_lines.register
def _(part: Grid) -> Iterator[str]:
    yield cell_text(part.title)
    values = [v for row in part.values for v in row]
    low, high = min(values), max(values)
    for i, row in enumerate(part.values):
        shades = [SHADES[round((v - low) / ((high - low) or 1.0) * 9)] for v in row]
        if part.mark is not None and part.mark[0] == i:
            shades[part.mark[1]] = "O"
        inside = part.box is not None and part.box[0] <= i <= part.box[2]
        if part.box is not None and inside:
            cells = [f"[{s}]" if part.box[1] <= j <= part.box[3] else f" {s} "
                     for j, s in enumerate(shades)]  # fmt: skip
            yield "  " + "".join(cells).rstrip()
        else:
            yield "  " + "".join(f" {s} " for s in shades).rstrip()
    yield f"  ({part.words}; from {number(low)} (blank) to {number(high)} (@))".replace("(; ", "(")


@_lines.register
def _(part: Bars) -> Iterator[str]:
    yield cell_text(part.title)
    largest = max(map(abs, part.values), default=0.0) or 1.0
    most = 24
    stride = max(1, -(-len(part.values) // most))
    for label, value in list(zip(part.labels, part.values, strict=True))[::stride]:
        yield f"  {label:>10} {'#' * round(abs(value) / largest * 40):<40} {number(value)}"
    if part.words:
        yield f"  ({part.words})"


def _short(cell: str) -> str:
    """A cell that leaves room for others; JSON has the whole."""
    return cell if len(cell) <= CELL else f"{cell[: CELL - 3]}..."


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    lines = [tuple(_short(cell_text(cell)) for cell in line) for line in (heads, *rows)]
    widths = [max(map(len, column)) for column in zip_longest(*lines, fillvalue="")]
    for line in lines:
        cells = [cell.ljust(w) if i == 0 else cell.rjust(w)
                 for i, (cell, w) in enumerate(zip(line, widths, strict=False))]  # fmt: skip
        yield ("  " + "  ".join(cells)).rstrip()
