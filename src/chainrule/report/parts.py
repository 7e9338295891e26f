"""Elements of a page that occur more than once."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..markup import EMPTY, Markup, element
from .width import breakable, characters, first_that_fits, longest_piece, text_width

__all__ = ["data_table", "figure", "fitted", "paragraph", "section", "table_width"]

LETTERS = 0.925  # rem, of a table
GAP = 1.0  # rem, between its columns
LONG = 10.0  # rem, the minimum for a column with sentences
ONE_LINE = 30  # characters: texts up to this length are not broken


def section(title: str, parts: Sequence[Markup]) -> Markup:
    """A heading and its content; nothing without content."""
    return element("section", element("h2", title), *parts) if parts else EMPTY


def paragraph(words: str, style: str | None = None) -> Markup:
    """A paragraph, unless it is empty."""
    return element("p", words, class_=style) if words else EMPTY


def fitted(inner: Markup, style: str = "fit") -> Markup:
    """Content made to fit the page. If letters are wider than estimated, it scrolls and the page
    does not.
    """
    return element("div", inner, class_=style)


def figure(title: str, words: str, drawing: Markup) -> Markup:
    """A drawing below its title and a sentence that explains it."""
    caption = element("figcaption", element("strong", title), f" {words}" if words else "")
    return element("figure", caption, drawing)


def data_table(
    words: str,
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    numbers: Collection[int] = (),
    long: Collection[int] = (),
) -> Markup:
    """A table; the columns in ``numbers`` are right-aligned, those in ``long`` hold sentences. In
    windows that are too narrow for it, each row is a block in which every cell names its column.
    """
    styles = ["number" if i in numbers else "long" if i in long else "" for i in range(len(heads))]
    window = first_that_fits(table_width(heads, rows, styles))
    # Screen readers take what is not displayed as a table for none, unless roles say so.
    stacks = window != 0
    role = (lambda name: name) if stacks else (lambda name: None)
    head = element("tr", *(
        element("th", breakable(name), scope="col", role=role("columnheader"),
                class_="number" if style == "number" else None)
        for name, style in zip(heads, styles, strict=True)
    ), role=role("row"))  # fmt: skip
    body = [
        element("tr", *(
            element("td", breakable(cell), role=role("cell"), data_label=name if stacks else None,
                    class_=style or ("short" if characters(cell) <= ONE_LINE else None))
            for name, cell, style in zip(heads, row, styles, strict=True)
        ), role=role("row"))
        for row in rows
    ]  # fmt: skip
    parts = (element("thead", head, role=role("rowgroup")),
             element("tbody", *body, role=role("rowgroup")))  # fmt: skip
    style = f"stack-{window}" if window else "stack" if stacks else None
    return fitted(element("table", *parts, aria_label=words, role=role("table"), class_=style))


def table_width(
    heads: Sequence[str], rows: Sequence[Sequence[str]], styles: Sequence[str]
) -> float:
    """The minimum width in rem at which no word of a `data_table` is broken."""
    total = GAP * (len(heads) - 1)
    for i, (name, style) in enumerate(zip(heads, styles, strict=True)):
        cells = [_min_characters(row[i], style) for row in rows]
        letters = text_width("0", LETTERS) * max([longest_piece(name), *cells])
        total += max(letters, LONG) if style == "long" else letters
    return total


def _min_characters(cell: str, style: str) -> int:
    one_line = style == "number" or (not style and characters(cell) <= ONE_LINE)
    return characters(cell) if one_line else longest_piece(cell)
