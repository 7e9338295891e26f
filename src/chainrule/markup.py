"""HTML and SVG from Python: whatever is not `Markup` is escaped.

``element("p", "a < b", class_="note")`` gives ``<p class="note">a &lt; b</p>``. Only what this
module has built is inserted unescaped, so nothing from a table, a column's name or a settings file
can become a tag.
"""

from __future__ import annotations

import html

__all__ = ["EMPTY", "Markup", "element", "joined"]

#: elements that have no end tag
VOID = ("meta", "br", "hr", "img", "wbr")

# Characters that HTML forbids even as references; a column's name may hold them.
FORBIDDEN = dict.fromkeys(
    [*range(9), 11, 12, *range(14, 32), *range(127, 160), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF],
    "\N{REPLACEMENT CHARACTER}",
)


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


EMPTY = Markup()

Child = str | int | float | None


def _escaped(child: Child) -> str:
    if isinstance(child, Markup):
        return child
    return "" if child is None else html.escape(str(child).translate(FORBIDDEN))


def element(tag: str, /, *children: Child, **attributes: str | int | float | None) -> Markup:
    """One element. Attributes that are None are left out; ``class_`` and ``aria_label`` lose their
    underscore and get a hyphen.
    """
    pairs = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_escaped(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if tag in VOID:
        return Markup(f"<{tag}{pairs}>")
    return Markup(f"<{tag}{pairs}>{''.join(map(_escaped, children))}</{tag}>")


def joined(*parts: Child, between: str = "") -> Markup:
    """Pieces one after the other; plain text among them is escaped."""
    return Markup(_escaped(between).join(map(_escaped, parts)))
