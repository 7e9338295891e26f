"""Pieces of a page that occur more than once."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .markup import EMPTY, Markup, element

__all__ = ["data_table", "figure", "paragraph", "scrollable", "section"]


def section(title: str, parts: Sequence[Markup]) -> Markup:
    """A heading and what belongs to it; nothing if there is nothing."""
    return element("section", element("h2", title), *parts) if parts else EMPTY


def paragraph(words: str, style: str | None = None) -> Markup:
    """A paragraph, unless it is empty."""
    return element("p", words, class_=style) if words else EMPTY


def scrollable(inner: Markup, words: str) -> Markup:
    """What may be wider than the page: it scrolls by itself, also by the keyboard."""
    return element("div", inner, class_="wide", tabindex=0, role="region", aria_label=words)


def figure(title: str, words: str, drawing: Markup) -> Markup:
    """A drawing below its title and a sentence on how to read it."""
    caption = element("figcaption", element("strong", title), f" {words}" if words else "")
    return element("figure", caption, scrollable(drawing, title))


def data_table(
    words: str,
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    numbers: Collection[int] = (),
    long: Collection[int] = (),
) -> Markup:
    """A table; the columns in ``numbers`` are aligned to the right, those in ``long`` may wrap."""
    places = range(len(heads))
    styles = ["number" if i in numbers else "long" if i in long else None for i in places]
    head = element("tr", *(
        element("th", name, scope="col", class_="number" if s == "number" else None)
        for name, s in zip(heads, styles, strict=True)
    ))  # fmt: skip
    body = [
        element("tr", *(element("td", c, class_=s) for c, s in zip(row, styles, strict=True)))
        for row in rows
    ]
    return scrollable(element("table", element("thead", head), element("tbody", *body)), words)
