"""Drawings as inline SVG: curves over epochs, points, histograms.

Colours and fonts come from the page's style, by class, so that light, dark and paper need one
drawing. Series differ by dashes and labels as well as by colour. Every drawing says in words what
it shows (``title`` and ``desc``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from .markup import EMPTY, Markup, element, joined
from .scales import Scale
from .words import shown

__all__ = ["Series", "curves", "histogram", "scatter"]

WIDTH = 760
LEFT, RIGHT, TOP, BOTTOM = 64.0, 118.0, 14.0, 40.0
MOST_POINTS = 600  # of a curve: more than there are pixels
LABEL_GAP = 16.0

Numbers = Sequence[float | None]


@dataclass(frozen=True)
class Series:
    """One curve; ``style`` is ``main`` (accent, solid) or ``second`` (grey, dashed)."""

    name: str
    values: Numbers
    style: str = "main"


def curves(
    key: str,
    title: str,
    words: str,
    epochs: Sequence[int],
    series: Sequence[Series],
    *,
    best: int | None = None,
    height: float = 280.0,
    log: bool = False,
) -> Markup:
    """Curves over ``epochs``, with a mark at the epoch ``best`` on the first one that has it."""
    known = [v for s in series for v in s.values if v is not None]
    x = Scale.tight(epochs[0], epochs[-1], LEFT, WIDTH - RIGHT)
    y = Scale.of(known, height - BOTTOM, TOP, log=log)
    parts = [_grid(x, y, "epoch")]
    if best is not None and epochs[0] <= best <= epochs[-1]:
        parts.append(_line(x(best), TOP, x(best), height - BOTTOM, "best"))
    for s in reversed(series):  # the main curve lies on top
        parts += [_curve(x, y, epochs, s), _dots(x, y, epochs, s)]
    if best is not None and (mark := _best_mark(x, y, epochs, series, best)):
        parts.append(mark)
    parts.append(_end_labels(x, y, epochs, series))
    return _svg(key, title, words, height, parts)


def _svg(key: str, title: str, words: str, height: float, parts: Sequence[Markup]) -> Markup:
    return element(
        "svg",
        element("title", title, id=f"{key}-title"),
        element("desc", words, id=f"{key}-words"),
        *parts,
        viewBox=f"0 0 {WIDTH} {height:g}",
        role="img",
        aria_labelledby=f"{key}-title {key}-words",
    )


def _at(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _line(x1: float, y1: float, x2: float, y2: float, style: str) -> Markup:
    return element("line", x1=_at(x1), y1=_at(y1), x2=_at(x2), y2=_at(y2), class_=style)


def _word(x: float, y: float, content: str, style: str, anchor: str = "start") -> Markup:
    return element("text", content, x=_at(x), y=_at(y), class_=style, text_anchor=anchor)


def _grid(x: Scale, y: Scale, below: str) -> Markup:
    """Horizontal lines at the ticks of y, an axis with the ticks of x, and their texts."""
    parts = []
    for value, content in y.labels():
        parts.append(_line(x.start, y(value), x.stop, y(value), "grid"))
        parts.append(_word(x.start - 10, y(value) + 4, content, "tick", "end"))
    floor = y.start
    parts.append(_line(x.start, floor, x.stop, floor, "axis"))
    for value, content in x.labels():
        parts.append(_line(x(value), floor, x(value), floor + 5, "axis"))
        parts.append(_word(x(value), floor + 19, content, "tick", "middle"))
    parts.append(_word(x.stop + 12, floor + 4, below, "tick"))
    return joined(*parts)


def _known(epochs: Sequence[int], values: Numbers) -> list[list[tuple[int, float]]]:
    """Runs of neighbours that have numbers."""
    found: list[list[tuple[int, float]]] = [[]]
    for epoch, value in zip(epochs, values, strict=False):
        if value is not None:
            found[-1].append((epoch, value))
        elif found[-1]:
            found.append([])
    return [run for run in found if run]


def _thinned(run: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """At most `MOST_POINTS`: first, lowest, highest and last of each piece, so no peak is lost."""
    if len(run) <= MOST_POINTS:
        return run
    size = -(-4 * len(run) // MOST_POINTS)
    kept = set()
    for start in range(0, len(run), size):
        piece = range(start, min(start + size, len(run)))
        kept |= {piece[0], piece[-1], min(piece, key=lambda i: run[i][1]),
                 max(piece, key=lambda i: run[i][1])}  # fmt: skip
    return [run[i] for i in sorted(kept)]


def _curve(x: Scale, y: Scale, epochs: Sequence[int], series: Series) -> Markup:
    commands = []
    for run in _known(epochs, series.values):
        points = [f"{_at(x(e))} {_at(y(v))}" for e, v in _thinned(run)]
        commands.append(f"M{' L'.join(points)}")
    return element("path", d="".join(commands), class_=f"curve {series.style}")


def _dots(x: Scale, y: Scale, epochs: Sequence[int], series: Series) -> Markup:
    """A dot for numbers without neighbours, which make no line."""
    alone = [run[0] for run in _known(epochs, series.values) if len(run) == 1]
    return joined(*(_dot(x(e), y(v), 3, f"dot {series.style}") for e, v in alone))


def _dot(x: float, y: float, radius: float, style: str, words: str = "") -> Markup:
    tip = element("title", words) if words else EMPTY
    return element("circle", tip, cx=_at(x), cy=_at(y), r=radius, class_=style)


def _best_mark(
    x: Scale, y: Scale, epochs: Sequence[int], series: Sequence[Series], best: int
) -> Markup | None:
    at = list(epochs).index(best) if best in epochs else None
    value = None if at is None else series[0].values[at]
    if value is None:
        return None
    text = f"best: epoch {best:,}, {shown(value)}"
    # Beside the line, on the side that has room, above the curve if it is in the lower half.
    right = x(best) < (x.start + x.stop) / 2
    above = y(value) > (y.start + y.stop) / 2
    place = y.stop + 12 if above else y.start - 8
    return joined(
        _dot(x(best), y(value), 5, "ring", text),
        _word(x(best) + (8 if right else -8), place, text, "note", "start" if right else "end"),
    )


def _end_labels(x: Scale, y: Scale, epochs: Sequence[int], series: Sequence[Series]) -> Markup:
    """The names of the curves at their ends, moved apart where they would touch."""
    ends = []
    for s in series:
        if runs := _known(epochs, s.values):
            ends.append((y(runs[-1][-1][1]), s))
    ends.sort(key=lambda end: end[0])
    places = spread([place for place, _ in ends], y.stop + 4, y.start - LABEL_GAP)
    return joined(
        *(
            _word(x.stop + 12, place + 4, s.name, f"name {s.style}")
            for place, (_, s) in zip(places, ends, strict=True)
        )
    )


def spread(places: Sequence[float], top: float, bottom: float) -> list[float]:
    """Ascending ``places``, moved to be `LABEL_GAP` apart and above ``bottom``."""
    found: list[float] = []
    for place in places:
        found.append(max(place, found[-1] + LABEL_GAP if found else top))
    limit = bottom
    for i in reversed(range(len(found))):
        found[i] = min(found[i], limit)
        limit = found[i] - LABEL_GAP
    return found


# -------------------------------------------------------------------------------- residuals


def scatter(
    key: str, title: str, words: str, points: Sequence[tuple[float, float]], axes: tuple[str, str]
) -> Markup:
    """Points (x, y) with equal scales, and the line on which both are equal."""
    height = 420.0
    both = [v for point in points for v in point]
    y = Scale.of(both, height - BOTTOM, TOP)
    x = Scale(y.ticks, y.low, y.high, LEFT, WIDTH - RIGHT)
    parts = [_grid(x, y, axes[0]), _line(x(x.low), y(y.low), x(x.high), y(y.high), "equal")]
    parts += [
        _dot(x(a), y(b), 3.5, "point", f"true {shown(a)}, predicted {shown(b)}") for a, b in points
    ]
    parts.append(_word(x.stop + 12, y(y.high) + 4, f"{axes[1]} =", "tick"))
    parts.append(_word(x.stop + 12, y(y.high) + 20, axes[0], "tick"))
    return _svg(key, title, words, height, parts)


def histogram(
    key: str, title: str, words: str, edges: Sequence[float], counts: Sequence[int], below: str
) -> Markup:
    """Bars between ``edges``, and a line at zero."""
    height = 240.0
    y = Scale.of([0, *counts], height - BOTTOM, TOP, count=4, whole=True)
    x = Scale.tight(min(0.0, edges[0]), max(0.0, edges[-1]), LEFT, WIDTH - RIGHT, whole=False)
    parts = [_grid(x, y, below)]
    for (left, right), count in zip(pairwise(edges), counts, strict=True):
        tip = element("title", f"{shown(left)} to {shown(right)}: {count}")
        wide = max(x(right) - x(left) - 1, 0.5)
        parts.append(
            element("rect", tip, x=_at(x(left) + 0.5), y=_at(y(count)), width=_at(wide),
                    height=_at(y(0) - y(count)), class_="bar")
        )  # fmt: skip
    parts.append(_line(x(0), y.stop, x(0), y.start, "best"))
    return _svg(key, title, words, height, parts)
