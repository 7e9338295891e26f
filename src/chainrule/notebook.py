"""How objects show themselves in a notebook: plain HTML and SVG, which stays in a saved one.

Nothing is loaded or run, and every text is escaped (`markup`). Letters have the colour of the page
around them, and areas are transparent, so it is legible on light and on dark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from .markup import Markup, element, joined
from .phrasing import format_number

__all__ = ["cell", "chart", "framed", "table", "words"]

STYLE = """
.cr{font:14px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;max-width:60rem;
--cr-main:#1f5fbf;--cr-second:#9a4b00;overflow-wrap:anywhere}
@media (prefers-color-scheme:dark){.cr{--cr-main:#84b2f5;--cr-second:#efa55c}}
[data-jp-theme-light="true"] .cr,.vscode-light .cr{--cr-main:#1f5fbf;--cr-second:#9a4b00}
[data-jp-theme-light="false"] .cr,.vscode-dark .cr{--cr-main:#84b2f5;--cr-second:#efa55c}
.cr .cr-head{font-size:1.1em;font-weight:600;margin:1em 0 .3em}
.cr .cr-part{margin:.8em 0 .2em;font-weight:600}
.cr p{margin:.3em 0;max-width:44rem}.cr .cr-soft{opacity:.75;font-size:.92em}
.cr table{border-collapse:collapse;margin:.3em 0;font-variant-numeric:tabular-nums;
background:transparent;font-size:.92em}
.cr th,.cr td{text-align:left;padding:.15em .9em .15em 0;border:0;
border-bottom:1px solid rgba(128,128,128,.3);background:transparent}
.cr tr{background:transparent}
.cr th{font-weight:500;opacity:.8}.cr td.n,.cr th.n{text-align:right}
.cr tr.cr-sum td{font-weight:600;border-bottom:0}
.cr svg{display:block;max-width:100%;height:auto;overflow:visible}
.cr .cr-line{fill:none;stroke:var(--cr-main);stroke-width:2}
.cr .cr-line2{fill:none;stroke:var(--cr-second);stroke-width:2;stroke-dasharray:6 4}
.cr .cr-axis{stroke:currentColor;stroke-opacity:.35;fill:none}
.cr .cr-dot{fill:var(--cr-second)}.cr .cr-bar{fill:var(--cr-main)}
.cr .cr-box{fill:none;stroke:var(--cr-second);stroke-width:2}
.cr text{fill:currentColor;font-size:11px}
"""
WIDTH, HEIGHT, LEFT, BOTTOM = 520.0, 170.0, 56.0, 22.0
POINTS = 400

Numbers = Sequence[float | None]


def framed(*parts: Markup) -> str:
    """The whole output of a cell, with its style."""
    return element("div", element("style", Markup(STYLE)), *parts, class_="cr")


def words(text: str, soft: bool = False) -> Markup:
    """A paragraph."""
    return element("p", text, class_="cr-soft" if soft else None)


def table(
    title: str,
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    note: str = "",
    right: Sequence[int] | None = None,
    total: bool = False,
) -> Markup:
    """A table; columns in ``right`` (by default all but the first) are right-aligned. With
    ``total`` the last row is a sum."""
    sides = range(1, len(heads)) if right is None else right
    style = ["n" if i in sides else None for i in range(len(heads))]
    head = element("tr", *(element("th", h, class_=s, scope="col")
                           for h, s in zip(heads, style, strict=True)))  # fmt: skip
    lines = [
        element("tr", *(element("td", c, class_=s) for c, s in zip(row, style, strict=False)),
                class_="cr-sum" if total and i == len(rows) - 1 else None)
        for i, row in enumerate(rows)
    ]  # fmt: skip
    return joined(
        element("div", title, class_="cr-part") if title else Markup(),
        element("table", element("thead", head), element("tbody", *lines)),
        words(note, soft=True) if note else Markup(),
    )


def cell(value: object) -> str:
    """A number as a cell shows it; a text as it is."""
    return value if isinstance(value, str) else format_number(value)


def chart(
    title: str,
    x: Sequence[float],
    series: Sequence[tuple[str, Numbers]],
    *,
    said: str,
    dot: tuple[float, float] | None = None,
    line: tuple[tuple[float, float], tuple[float, float]] | None = None,
    log_x: bool = False,
) -> Markup:
    """Up to two curves over ``x``, with their ends as ticks; ``dot`` marks a point and ``line`` is
    a straight one. ``said`` is the same in words."""
    stride = max(1, -(-len(x) // POINTS))
    xs = [math.log10(v) if log_x else v for v in x][::stride]
    values = [v for _, ys in series for v in ys if v is not None and math.isfinite(v)]
    values += [dot[1]] if dot else []
    if not xs or not values:
        return words(f"{title}: nothing to draw", soft=True)
    low, high = min(values), max(values)
    spread = (high - low) or abs(high) or 1.0
    across = (xs[-1] - xs[0]) or 1.0

    def at(px: float, py: float) -> tuple[float, float]:
        return (LEFT + (px - xs[0]) / across * (WIDTH - LEFT - 8),
                HEIGHT - BOTTOM - (py - low) / spread * (HEIGHT - BOTTOM - 10))  # fmt: skip

    parts = [element("title", f"{title}: {said}"), _axes(x, low, high)]
    for number, (_, ys) in enumerate(series[:2]):
        points = [at(px, py) for px, py in zip(xs, ys[::stride], strict=False)
                  if py is not None and math.isfinite(py)]  # fmt: skip
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        style = "cr-line2" if number else "cr-line"
        parts.append(element("polyline", points=path, class_=style))
    if line is not None:
        (ax, ay), (bx, by) = (at(*end) for end in line)
        parts.append(element("line", x1=f"{ax:.1f}", y1=f"{ay:.1f}", x2=f"{bx:.1f}",
                             y2=f"{by:.1f}", class_="cr-line2"))  # fmt: skip
    if dot is not None:
        cx, cy = at(math.log10(dot[0]) if log_x else dot[0], dot[1])
        parts.append(element("circle", cx=f"{cx:.1f}", cy=f"{cy:.1f}", r=5, class_="cr-dot"))
    svg = element("svg", *parts, viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}", width=f"{WIDTH:g}",
                  role="img", aria_label=f"{title}: {said}")  # fmt: skip
    names = [f"{'- - ' if i else ''}{name}" for i, (name, _) in enumerate(series[:2]) if name]
    caption = words(" · ".join([*names, said]), soft=True)
    return joined(element("div", title, class_="cr-part"), svg, caption)


def _axes(x: Sequence[float], low: float, high: float) -> Markup:
    base, right = HEIGHT - BOTTOM, WIDTH - 8
    path = f"M{LEFT:g} 10V{base:g}H{right:g}"
    labels = (
        (LEFT - 6, base, "end", low), (LEFT - 6, 16, "end", high),
        (LEFT, HEIGHT - 6, "start", x[0]), (right, HEIGHT - 6, "end", x[-1]),
    )  # fmt: skip
    ticks = [
        element("text", format_number(value), x=f"{px:g}", y=f"{py:g}", text_anchor=anchor)
        for px, py, anchor, value in labels
    ]
    return joined(element("path", d=path, class_="cr-axis"), *ticks)
