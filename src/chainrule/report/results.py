"""The section on the test result: metrics, confusion matrix or residuals, worst mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..markup import EMPTY, Markup, element, joined
from ..phrasing import counted, format_number, percent
from ..unverified import items, number, table, text, whole
from .confusion import confusion
from .drawn import charts, tables
from .parts import data_table, figure, paragraph, section
from .plot import histogram, scatter

__all__ = ["result_fragments", "results"]

Facts = Mapping[str, Any]


def results(facts: Facts) -> Markup:
    """Metrics beside those of the baseline, and the predictions for the test part."""
    if not facts["metrics"]:
        return EMPTY
    parts = [_metrics(facts), *_predictions(facts), *charts(facts["test"])]
    parts += tables(facts["test"])
    if facts["mistakes"]:
        parts += _pictures(facts["mistakes"], _judged(facts)[1])
    return section("Result", parts)


def result_fragments(facts: Facts) -> dict[str, Markup]:
    """The same, in pieces for a page that shows more than a report: where curves can be read with
    the cursor, and mistakes followed."""
    if not facts["metrics"]:
        return {}
    return {
        "metrics": _metrics(facts),
        "predictions": joined(*_predictions(facts)),
        "tables": joined(*tables(facts["test"])),
    }


def _judged(facts: Facts) -> tuple[str, str]:
    """What the judged part consists of: "test row", "test rows"."""
    words = facts["words"]
    return f"{words['judged']} {words['unit']}", f"{words['judged']} {words['units']}"


def _predictions(facts: Facts) -> list[Markup]:
    """What was predicted, against what is true: classes, or numbers."""
    test, (unit, units) = facts["test"], _judged(facts)
    if classes := confusion(test, unit, units):
        return classes
    if points := _points(test):
        return _residuals(points, test, text(facts["data"]["target"]), unit, units)
    return []


def _metrics(facts: Facts) -> Markup:
    units = facts["words"]["units"]
    others = list(facts["metrics"][0]["others"])
    # Without a test part the second column would repeat the first.
    parts = ["validation", "test"][: 1 + (facts["words"]["judged"] == "test")]
    heads = ["metric", *(f"{part} {units}" for part in parts), facts["words"]["baseline"],
             *others, "verdict"]  # fmt: skip
    signs = {"better": "✓ better", "not better": "✕ not better"}
    rows = [
        [m["name"], *(format_number(m[key]) for key in (*parts, "baseline")),
         *(format_number(m["others"].get(who)) for who in others),
         signs.get(m["verdict"], "\N{EN DASH}")]
        for m in facts["metrics"]
    ]  # fmt: skip
    words = "Metrics of the model, beside those of a guess that needs no model"
    return data_table(words, heads, rows, numbers=range(1, 2 + len(parts) + len(others)))


def _pictures(mistakes: Sequence[Mapping[str, Any]], units: str) -> list[Markup]:
    """The worst mistakes as a grid of pictures."""
    how = (
        f"The {units} whose true class was given the lowest probability, worst first: the "
        "predicted class with its probability, and the true class."
    )
    cells = []
    for mistake in mistakes:
        words = f"{mistake['predicted']} ({percent(mistake['probability'])})"
        image = element("img", src=mistake["image"], alt=mistake["name"], title=mistake["name"])
        true = element("span", f"actually {mistake['true']}", class_="quiet")
        cells.append(element("li", image, element("span", words), true))
    heading = element("h3", "Worst mistakes")
    return [heading, paragraph(how, "quiet"), element("ul", *cells, class_="pictures")]


# --------------------------------------------------------------------------------- numbers


def _points(test: Facts) -> list[tuple[float, float]]:
    pairs = [[number(v) for v in items(pair)] for pair in items(test.get("points"))]
    return [(p[0], p[1]) for p in pairs if len(p) == 2 and p[0] is not None and p[1] is not None]


def _residuals(
    points: Sequence[tuple[float, float]], test: Facts, target: str, unit: str, units: str
) -> list[Markup]:
    rows = whole(test.get("rows")) or len(points)
    sampled = "" if rows <= len(points) else f" {len(points)} of {rows:,} {units} are shown."
    how = f"Each point is one {unit}; points on the dashed line are predicted exactly.{sampled}"
    (low, high), (predicted_low, predicted_high) = (
        (format_number(min(values)), format_number(max(values)))
        for values in zip(*points, strict=True)
    )
    words = (
        f"{counted(len(points), 'point')}. True values from {low} to {high}, predictions from "
        f"{predicted_low} to {predicted_high}."
    )
    name = f"Predicted against true {target}"
    drawing = scatter("residual-points", name, words, points, ("true", "predicted"))
    return [figure(f"{name}.", how, drawing), _histogram(test, unit, units)]


def _histogram(test: Facts, unit: str, units: str) -> Markup:
    bars = table(test.get("histogram"))
    edges = [e for e in map(number, items(bars.get("edges"))) if e is not None]
    counts = [c for c in map(whole, items(bars.get("counts"))) if c is not None]
    if not counts or len(edges) != len(counts) + 1:
        return EMPTY
    how = "Predicted minus true, in the unit of the target; predictions right of zero are too high."
    mean = f"Mean {format_number(test.get('mean'))}."
    if outside := whole(bars.get("outside")):
        are = "is" if outside == 1 else "are"
        how += f" {counted(outside, unit, units)} further out {are} not shown."
    peak = max(range(len(counts)), key=lambda i: counts[i])
    words = (
        f"Residuals from {format_number(edges[0])} to {format_number(edges[-1])}; most of them, "
        f"{counts[peak]}, between {format_number(edges[peak])} and "
        f"{format_number(edges[peak + 1])}. {mean}"
    )
    drawing = histogram("residual-bars", "Residuals", words, edges, counts, ("residual", units))
    return figure("Residuals.", f"{how} {mean}", drawing)
