"""The section on how good the model is: metrics, confusion matrix, residuals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .markup import EMPTY, Markup, element, joined
from .parts import data_table, figure, paragraph, scrollable, section
from .plot import histogram, scatter
from .reading import items, number, table, text, whole
from .words import counted, percent, quoted, shown

__all__ = ["judging", "rates"]

SHOWN_CLASSES = 16  # a matrix of more is no longer read
MISTAKES = 10
LEVELS = 6

Facts = Mapping[str, Any]


def judging(facts: Facts) -> Markup:
    """Metrics beside a constant guess, and how the predictions of the test rows lie."""
    if not facts["metrics"]:
        return EMPTY
    parts = [_metrics(facts)]
    test = facts["test"]
    labels, counts = _matrix(test)
    if labels:
        parts += _confusion(labels, counts, test, facts["data"]["unit"])
    elif points := _points(test):
        parts += _residuals(points, test, text(facts["data"]["target"]))
    if facts["mistakes"]:
        parts += _pictures(facts["mistakes"])
    return section("Result", parts)


def _metrics(facts: Facts) -> Markup:
    guess = "always the mean" if facts["task"] == "regression" else "always the same guess"
    unit = facts["data"]["unit"]
    heads = ["metric", f"validation {unit}s", f"test {unit}s", guess, ""]
    signs = {"better": "✓ better", "not better": "✕ not better"}
    rows = [
        [m["name"], shown(m["validation"]), shown(m["test"]), shown(m["baseline"]),
         signs.get(m["verdict"], "")]
        for m in facts["metrics"]
    ]  # fmt: skip
    words = "Metrics of the model and of a constant guess"
    return data_table(words, heads, rows, numbers=(1, 2, 3))


# --------------------------------------------------------------------------------- classes


def _matrix(test: Facts) -> tuple[list[str], list[list[int]]]:
    """Labels and counts, if they fit one another."""
    labels = [text(label) for label in items(test.get("labels"))]
    rows = [[whole(n) for n in items(row)] for row in items(test.get("confusion"))]
    counts = [[n for n in row if n is not None and n >= 0] for row in rows]
    square = len(counts) == len(labels) and all(len(row) == len(labels) for row in counts)
    return (labels, counts) if square else ([], [])


def rates(counts: Sequence[Sequence[int]], k: int) -> dict[str, float | None]:
    """Precision, recall and their harmonic mean F1 of class ``k``; None where nothing counts."""
    right, true = counts[k][k], sum(counts[k])
    predicted = sum(row[k] for row in counts)
    return {
        "precision": right / predicted if predicted else None,
        "recall": right / true if true else None,
        "f1": 2 * right / (true + predicted) if true + predicted else None,
    }


def _confusion(
    labels: Sequence[str], counts: Sequence[Sequence[int]], test: Facts, unit: str
) -> list[Markup]:
    parts = [element("h3", "Confusion matrix")]
    if len(labels) <= SHOWN_CLASSES:
        how = "A line for each true class, a column for each predicted one, counted in test "
        parts += [paragraph(f"{how}{unit}s.", "quiet"), _matrix_table(labels, counts)]
    classes = _by_class(labels, counts, test, unit)
    return [*parts, _mistakes(labels, counts, unit), element("h3", "By class"), classes]


def _matrix_table(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> Markup:
    heads = [element("th", label, scope="col") for label in labels]
    corner = element("th", "true ↓  predicted →", class_="corner", scope="col")
    rows = [element("tr", corner, *heads)]
    for i, row in enumerate(counts):
        total = sum(row)
        cells = [
            element("td", f"{n:,}", class_=_cell_style(n, total, i == j)) for j, n in enumerate(row)
        ]
        rows.append(element("tr", element("th", labels[i], scope="row"), *cells))
    return scrollable(element("table", *rows, class_="matrix"), "Confusion matrix")


def _cell_style(count: int, total: int, right: bool) -> str | None:
    """The shade of a share of a line; right answers are bold as well."""
    level = -(-count * LEVELS // total) if total else 0
    return " ".join([f"s{level}"] * (level > 0) + ["right"] * right) or None


def _mistakes(labels: Sequence[str], counts: Sequence[Sequence[int]], unit: str) -> Markup:
    """The most frequent mistakes in words."""
    found = [
        (n, i, j) for i, row in enumerate(counts) for j, n in enumerate(row) if n and i != j
    ]  # fmt: skip
    if not found:
        return paragraph(f"There is no mistake among the test {unit}s.")
    most = 1 if len(labels) <= SHOWN_CLASSES else MISTAKES
    lines = [
        f"{quoted(labels[i])} taken for {quoted(labels[j])}: {counted(n, unit)}"
        for n, i, j in sorted(found, key=lambda f: (-f[0], f[1:]))[:most]
    ]
    if most == 1:
        return paragraph(f"The most frequent mistake: {lines[0]}.")
    return joined(paragraph("The most frequent mistakes:"), element("ul", *(
        element("li", line) for line in lines)))  # fmt: skip


def _by_class(
    labels: Sequence[str], counts: Sequence[Sequence[int]], test: Facts, unit: str
) -> Markup:
    rows = []
    for k, label in enumerate(labels):
        known = rates(counts, k)
        rows.append([label, f"{sum(counts[k]):,}", *(shown(known[n]) for n in known)])
    words = paragraph(
        f"Precision: of the {unit}s predicted as the class, the share that is. Recall: of the "
        f"{unit}s of the class, the share that was found. F1: their harmonic mean.", "quiet"
    )  # fmt: skip
    if merged := whole(test.get("merged")):
        rest = paragraph(f"The {merged} rarest classes are counted as one.", "quiet")
        words = joined(words, rest)
    heads = ["class", f"test {unit}s", "precision", "recall", "F1"]
    return joined(words, data_table("By class", heads, rows, numbers=(1, 2, 3, 4), long=(0,)))


def _pictures(mistakes: Sequence[Mapping[str, Any]]) -> list[Markup]:
    """The worst mistakes as a grid of images."""
    how = (
        "The test images that gave the true class the least probability, the worst first: what "
        "it was taken for, how surely, and what it is."
    )
    cells = []
    for mistake in mistakes:
        words = f"{mistake['predicted']} ({percent(mistake['probability'])})"
        image = element("img", src=mistake["image"], alt=mistake["name"], title=mistake["name"])
        is_ = element("span", f"is {mistake['true']}", class_="quiet")
        cells.append(element("li", image, element("span", words), is_))
    heading = element("h3", "Worst mistakes")
    return [heading, paragraph(how, "quiet"), element("ul", *cells, class_="pictures")]


# --------------------------------------------------------------------------------- numbers


def _points(test: Facts) -> list[tuple[float, float]]:
    pairs = [[number(v) for v in items(pair)] for pair in items(test.get("points"))]
    return [(p[0], p[1]) for p in pairs if len(p) == 2 and p[0] is not None and p[1] is not None]


def _residuals(points: Sequence[tuple[float, float]], test: Facts, target: str) -> list[Markup]:
    rows = whole(test.get("rows")) or len(points)
    some = "" if rows <= len(points) else f" Shown are {len(points)} of {rows:,} test rows."
    how = f"Each point is a test row; on the dashed line the prediction is exact.{some}"
    words = (
        f"{counted(len(points), 'point')}. True values from {shown(min(points)[0])} to "
        f"{shown(max(points)[0])}, predictions from {shown(min(p for _, p in points))} to "
        f"{shown(max(p for _, p in points))}."
    )
    name = f"Predicted against true {target}"
    drawing = scatter("residual-points", name, words, points, ("true", "predicted"))
    return [figure(f"{name}.", how, drawing), _histogram(test)]


def _histogram(test: Facts) -> Markup:
    found = table(test.get("histogram"))
    edges = [e for e in map(number, items(found.get("edges"))) if e is not None]
    counts = [c for c in map(whole, items(found.get("counts"))) if c is not None]
    if not counts or len(edges) != len(counts) + 1:
        return EMPTY
    how = "Predicted minus true, in the unit of the target; right of zero is too high."
    mean = f"Mean {shown(test.get('mean'))}."
    if outside := whole(found.get("outside")):
        how += f" {counted(outside, 'row')} further out {'is' if outside == 1 else 'are'} left out."
    peak = max(range(len(counts)), key=lambda i: counts[i])
    words = (
        f"Residuals from {shown(edges[0])} to {shown(edges[-1])}; most of them, {counts[peak]}, "
        f"between {shown(edges[peak])} and {shown(edges[peak + 1])}. {mean}"
    )
    drawing = histogram("residual-bars", "Residuals", words, edges, counts, "residual")
    return figure("Residuals.", f"{how} {mean}", drawing)
