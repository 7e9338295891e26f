"""Drawings as inline SVG: curves over epochs, points, histograms.

A drawing is as wide as the page: horizontal positions are percentages, and only the curves are
stretched, so letters and dots keep their size on a phone. Texts beside it lie in the margins that
the style leaves around it. In narrow windows the names of curves are in a legend above.

Colours and fonts come from the page's style, by class, so that light, dark and print need one
drawing. Series differ by dashes and labels as well as by colour. Every drawing describes itself in
words (``title`` and ``desc``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..markup import EMPTY, Markup, element, joined
from ..phrasing import format_number
from .scales import Scale

__all__ = ["Band", "Series", "bars", "curves", "histogram", "parallel", "points", "scatter"]

ACROSS = 100.0  # per cent
BETWEEN_BARS = 0.2  # per cent
MOST_POINTS = 600  # of a curve: more than a phone has pixels
LABEL_GAP = 16.0
#: characters of all ticks below a drawing from which a narrow window shows every second one
CROWDED = 24
#: characters of the longest tick beside a drawing from which it gets a wider margin
LONG_TICK = 8
#: below this width of the window, in rem, there is no room for words inside or beside a drawing
WORDS_FROM = 40

Numbers = Sequence[float | None]


@dataclass(frozen=True)
class Series:
    """One curve; ``style`` is ``main`` (accent, solid) or ``second`` (grey, dashed)."""

    name: str
    values: Numbers
    style: str = "main"


@dataclass(frozen=True)
class Band:
    """The area between two lines, drawn below the curves."""

    name: str
    low: Numbers
    high: Numbers


def curves(
    key: str,
    title: str,
    words: str,
    epochs: Sequence[int],
    series: Sequence[Series],
    *,
    best: int | None = None,
    height: float = 226.0,
    log: bool = False,
    below: str = "epoch",
    band: Band | None = None,
) -> Markup:
    """Curves over ``epochs`` (or whatever is said ``below``), with a mark on the first one at the
    epoch ``best``."""
    ends = (band.low, band.high) if band else ()
    values = [v for values in (*(s.values for s in series), *ends) for v in values if v is not None]
    x = Scale.tight(epochs[0], epochs[-1], 0.0, ACROSS)
    y = Scale.of(values, height, 0.0, log=log)
    parts = [_grid(x, y, below)]
    if best is not None and epochs[0] <= best <= epochs[-1]:
        parts.append(_line(x(best), 0, x(best), height, "best"))
    areas = [_area(x, y, epochs, band)] if band else []
    parts.append(_stretched(height, [*areas, *(_curve(x, y, epochs, s) for s in reversed(series))]))
    parts += [_dots(x, y, epochs, s) for s in reversed(series)]  # the main curve lies on top
    keys = [element("span", s.name, class_=s.style) for s in series]
    keys += [element("span", band.name, class_="band")] if band else []
    value = dict(zip(epochs, series[0].values, strict=False)).get(best) if best else None
    if best is not None and value is not None:
        note = f"best: epoch {best:,}, {format_number(value)}"
        parts.append(_best_mark(x, y, best, value, note))
        keys.append(element("span", note, class_="ring"))
    parts.append(_end_labels(x, y, epochs, series))
    # Screen readers skip it: the drawing describes itself.
    legend = element("p", *keys, class_=f"legend until-{WORDS_FROM}", aria_hidden="true")
    return joined(legend, _plot(key, title, words, y, parts))


def _plot(key: str, title: str, words: str, y: Scale, parts: Sequence[Markup]) -> Markup:
    """A drawing as high as ``y``, in its margins."""
    svg = element(
        "svg",
        element("title", title, id=f"{key}-title"),
        element("desc", words, id=f"{key}-words"),
        *parts,
        width="100%",
        height=_at(y.start),
        role="img",
        aria_labelledby=f"{key}-title {key}-words",
    )
    roomy = max(len(content) for _, content in y.labels()) >= LONG_TICK
    return element("div", svg, class_="plot roomy" if roomy else "plot")


def _stretched(height: float, paths: Sequence[Markup]) -> Markup:
    """Paths, which know no percentages, drawn 100 wide and stretched to the width there is."""
    return element("svg", *paths, width="100%", height=_at(height), preserveAspectRatio="none",
                   viewBox=f"0 0 {ACROSS:g} {height:g}")  # fmt: skip


def _at(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _across(value: float) -> str:
    """A horizontal position."""
    return f"{value:.2f}".rstrip("0").removesuffix(".")


def _share(value: float) -> str:
    return f"{_across(value)}%"


def _line(x1: float, y1: float, x2: float, y2: float, style: str) -> Markup:
    return element("line", x1=_share(x1), y1=_at(y1), x2=_share(x2), y2=_at(y2), class_=style)


def _word(
    x: float, y: float, content: str, style: str, anchor: str = "start", *, aside: float = 0.0
) -> Markup:
    """A text at a position, moved sideways by ``aside`` pixels."""
    return element("text", content, x=_share(x), dx=_at(aside) if aside else None, y=_at(y),
                   class_=style, text_anchor=anchor)  # fmt: skip


def _grid(x: Scale, y: Scale, below: str, beside: str = "") -> Markup:
    """Horizontal lines at the ticks of y, an axis with the ticks of x, and labels of both."""
    parts = []
    for value, content in y.labels():
        parts.append(_line(0, y(value), ACROSS, y(value), "grid"))
        parts.append(_word(0, y(value) + 4, content, "tick", "end", aside=-10))
    floor = y.start
    parts.append(_line(0, floor, ACROSS, floor, "axis"))
    labels = x.labels()
    crowded = sum(len(content) + 1 for _, content in labels) > CROWDED
    for i, (value, content) in enumerate(labels):
        style = f"tick from-{WORDS_FROM}" if crowded and i % 2 else "tick"
        parts.append(_line(x(value), floor, x(value), floor + 5, "axis"))
        parts.append(_word(x(value), floor + 19, content, style, "middle"))
    parts.append(_word(ACROSS, floor + 37, below, "tick", "end"))
    if beside:
        parts.append(_word(0, y.stop - 12, beside, "tick"))
    return joined(*parts)


def _runs(epochs: Sequence[int], values: Numbers) -> list[list[tuple[int, float]]]:
    """The longest runs of consecutive epochs that have a number."""
    runs: list[list[tuple[int, float]]] = [[]]
    for epoch, value in zip(epochs, values, strict=False):
        if value is not None:
            runs[-1].append((epoch, value))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _thinned(run: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """At most `MOST_POINTS`: first, lowest, highest and last of each piece, so no peak is lost."""
    if len(run) <= MOST_POINTS:
        return run
    size = -(-4 * len(run) // MOST_POINTS)
    indices = set()
    for start in range(0, len(run), size):
        piece = range(start, min(start + size, len(run)))
        indices |= {piece[0], piece[-1], min(piece, key=lambda i: run[i][1]),
                    max(piece, key=lambda i: run[i][1])}  # fmt: skip
    return [run[i] for i in sorted(indices)]


def _curve(x: Scale, y: Scale, epochs: Sequence[int], series: Series) -> Markup:
    commands = []
    for run in _runs(epochs, series.values):
        points = [f"{_across(x(e))} {_at(y(v))}" for e, v in _thinned(run)]
        commands.append(f"M{' L'.join(points)}")
    return element("path", d="".join(commands), class_=f"curve {series.style}")


def _area(x: Scale, y: Scale, epochs: Sequence[int], band: Band) -> Markup:
    """The band where both of its ends are known."""
    known = [
        (e, low, high)
        for e, low, high in zip(epochs, band.low, band.high, strict=False)
        if low is not None and high is not None
    ]
    upper = [f"{_across(x(e))} {_at(y(high))}" for e, _, high in known]
    lower = [f"{_across(x(e))} {_at(y(low))}" for e, low, _ in reversed(known)]
    path = f"M{' L'.join([*upper, *lower])} Z" if known else ""
    return element("path", element("title", band.name), d=path, class_="band")


def _dots(x: Scale, y: Scale, epochs: Sequence[int], series: Series) -> Markup:
    """A dot for each number without neighbours, which gives no line."""
    alone = [run[0] for run in _runs(epochs, series.values) if len(run) == 1]
    return joined(*(_dot(x(e), y(v), 3, f"dot {series.style}") for e, v in alone))


def _dot(x: float, y: float, radius: float, style: str, words: str = "") -> Markup:
    tip = element("title", words) if words else EMPTY
    return element("circle", tip, cx=_share(x), cy=_at(y), r=radius, class_=style)


def _best_mark(x: Scale, y: Scale, best: int, value: float, note: str) -> Markup:
    # Beside the line, on the side that has room, above the curve if it is in the lower half.
    right = x(best) < ACROSS / 2
    above = y(value) > (y.start + y.stop) / 2
    height = y.stop + 12 if above else y.start - 8
    side, aside = ("start", 8) if right else ("end", -8)
    return joined(
        _dot(x(best), y(value), 5, "ring", note),
        _word(x(best), height, note, f"note from-{WORDS_FROM}", side, aside=aside),
    )


def _end_labels(x: Scale, y: Scale, epochs: Sequence[int], series: Sequence[Series]) -> Markup:
    """The names of the curves at their ends, moved apart where they would overlap."""
    ends = []
    for s in series:
        if runs := _runs(epochs, s.values):
            ends.append((y(runs[-1][-1][1]), s))
    ends.sort(key=lambda end: end[0])
    heights = spread([height for height, _ in ends], y.stop + 4, y.start - LABEL_GAP)
    return joined(
        *(
            _word(ACROSS, height + 4, s.name, f"name {s.style} from-{WORDS_FROM}", aside=12)
            for height, (_, s) in zip(heights, ends, strict=True)
        )
    )


def spread(heights: Sequence[float], top: float, bottom: float) -> list[float]:
    """Ascending ``heights``, moved to be `LABEL_GAP` apart and above ``bottom``."""
    moved: list[float] = []
    for height in heights:
        moved.append(max(height, moved[-1] + LABEL_GAP if moved else top))
    limit = bottom
    for i in reversed(range(len(moved))):
        moved[i] = min(moved[i], limit)
        limit = moved[i] - LABEL_GAP
    return moved


# -------------------------------------------------------------------------------- residuals


def scatter(
    key: str, title: str, words: str, points: Sequence[tuple[float, float]], axes: tuple[str, str]
) -> Markup:
    """Points (x, y) with the same scale on both axes, and the line x = y."""
    both = [v for point in points for v in point]
    y = Scale.of(both, 366.0, 0.0)
    x = Scale(y.ticks, y.low, y.high, 0.0, ACROSS)
    parts = [_grid(x, y, *axes), _line(x(x.low), y(y.low), x(x.high), y(y.high), "equal")]
    parts += [
        _dot(x(a), y(b), 3.5, "point", f"true {format_number(a)}, predicted {format_number(b)}")
        for a, b in points
    ]
    return _plot(key, title, words, y, parts)


def histogram(
    key: str,
    title: str,
    words: str,
    edges: Sequence[float],
    counts: Sequence[int],
    axes: tuple[str, str],
) -> Markup:
    """Bars between ``edges``, and a line at zero."""
    y = Scale.of([0, *counts], 186.0, 0.0, count=4, whole=True)
    x = Scale.tight(min(0.0, edges[0]), max(0.0, edges[-1]), 0.0, ACROSS, whole=False)
    parts = [_grid(x, y, *axes)]
    for (left, right), count in zip(pairwise(edges), counts, strict=True):
        tip = element("title", f"{format_number(left)} to {format_number(right)}: {count}")
        wide = max(x(right) - x(left) - BETWEEN_BARS, 0.1)
        parts.append(
            element("rect", tip, x=_share(x(left) + BETWEEN_BARS / 2), y=_at(y(count)),
                    width=_share(wide), height=_at(y(0) - y(count)), class_="bar")
        )  # fmt: skip
    parts.append(_line(x(0), y.stop, x(0), y.start, "best"))
    return _plot(key, title, words, y, parts)


# --------------------------------------------------------------------------- many trainings


def points(
    key: str,
    title: str,
    words: str,
    data: Sequence[tuple[float, float, str]],
    axes: tuple[str, str],
    *,
    log: bool = False,
    best: int | None = None,
    names: Sequence[str] = (),
    height: float = 186.0,
) -> Markup:
    """Points (x, y), each with what it says of itself; that at ``best`` has a ring. With ``names``,
    x is the index of one."""
    y = Scale.of([v for _, v, _ in data], height, 0.0)
    across = [u for u, _, _ in data]
    if names:
        x = Scale(tuple(range(len(names))), -0.5, len(names) - 0.5, 0.0, ACROSS)
    elif log:
        x = Scale.of(across, 0.0, ACROSS, log=True)
    else:
        x = Scale.of(across, 0.0, ACROSS)
    parts = [_grid(x, y, *axes)] if not names else [_named_grid(x, y, names, axes)]
    for i, (u, v, said) in enumerate(data):
        ring = i == best
        parts.append(_dot(x(u), y(v), 5 if ring else 3.5, "ring" if ring else "point", said))
    return _plot(key, title, words, y, parts)


def _named_grid(x: Scale, y: Scale, names: Sequence[str], axes: tuple[str, str]) -> Markup:
    unnamed = Scale((), x.low, x.high, x.start, x.stop)
    words = (_word(x(i), y.start + 19, n, "tick", "middle") for i, n in enumerate(names))
    return joined(_grid(unnamed, y, *axes), *words)


def bars(key: str, title: str, words: str, shares: Sequence[tuple[str, float]]) -> Markup:
    """A horizontal bar for each name, from 0 to 1, with its percentage behind it."""
    step = 2 * LABEL_GAP
    y = Scale((), 0.0, 1.0, step * len(shares), 0.0)
    parts = []
    for i, (name, share) in enumerate(shares):
        top = i * step
        parts.append(_word(0, top + 10, f"{name}  {share:.0%}", "tick"))
        parts.append(
            element("rect", element("title", name), x="0%", y=_at(top + 14),
                    width=_share(max(ACROSS * share, 0.3)), height=8, class_="bar")
        )  # fmt: skip
    svg = element(
        "svg",
        element("title", title, id=f"{key}-title"),
        element("desc", words, id=f"{key}-words"),
        *parts,
        width="100%", height=_at(y.start), role="img",
        aria_labelledby=f"{key}-title {key}-words",
    )  # fmt: skip
    return element("div", svg)


def parallel(
    key: str,
    title: str,
    words: str,
    heads: Sequence[str],
    lines: Sequence[tuple[Sequence[float], str]],
    best: int | None = None,
    height: float = 206.0,
) -> Markup:
    """A line through one axis for each of ``heads``; positions on it go from 0 to 1. That at
    ``best`` is the main one, and ticks of each axis are left to ``words``."""
    y = Scale((), 0.0, 1.0, height, 0.0)
    x = Scale((), 0.0, max(len(heads) - 1, 1), 0.0, ACROSS)
    paths = []
    order = sorted(range(len(lines)), key=lambda i: i == best)
    for i in order:
        values, said = lines[i]
        steps = " L".join(f"{_across(x(j))} {_at(y(v))}" for j, v in enumerate(values))
        style = "curve main" if i == best else "curve faint"
        paths.append(element("path", element("title", said), d=f"M{steps}", class_=style))
    parts = [_line(x(j), 0, x(j), height, "axis") for j in range(len(heads))]
    parts.append(_stretched(height, paths))
    for j, head in enumerate(heads):
        low = height + 19 + (j % 2) * LABEL_GAP  # neighbours do not run into one another
        parts.append(_word(x(j), low, head, "tick", "middle"))
    return _plot(key, title, words, Scale((0.0, 1.0), 0.0, 1.0, height, 0.0), parts)
