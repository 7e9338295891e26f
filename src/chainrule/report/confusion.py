"""The confusion matrix, in forms for narrow and wide windows; the most frequent mistakes; and
precision and recall of each class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from ..markup import Markup, element, joined
from ..phrasing import counted, format_number, listed, quoted
from ..unverified import items, text, whole
from .parts import data_table, fitted, paragraph
from .width import (
    BREAKPOINTS,
    NARROWEST,
    abbreviated,
    breakable,
    characters,
    longest_piece,
    room,
    text_width,
)

__all__ = ["Form", "confusion", "forms", "matrix_width", "rates"]

MATRIX_CLASSES = 30  # of the largest matrix that anybody reads
MISTAKES = 10  # listed instead of a larger one
CONFUSED_WITH = 4  # classes named in each line of the list
LEVELS = 6

Counts = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Form:
    """One layout of the matrix: its CSS class; its measures in rem (letters, and the horizontal
    padding of a cell); whether heads are turned by 90 degrees; whether cells are percentages.
    """

    style: str
    letters: float
    padding: float
    turned: bool
    percent: bool = False

    @property
    def classes(self) -> str:
        """The CSS classes of the table."""
        return f"matrix {self.style}{' turned' if self.turned else ''}"

    def heads(self, labels: Sequence[str]) -> list[str]:
        """Names of the columns; long ones are abbreviated."""
        return abbreviated(labels, 14 if self.turned else 40)

    def names(self, labels: Sequence[str]) -> list[str]:
        """Names of the rows."""
        return abbreviated(labels, 14 if self.style == "dense" else 40)

    def cell(self, count: int, total: int) -> str:
        """A count, or its percentage of the row."""
        if not self.percent:
            return f"{count:,}"
        share = round(100 * count / total) if total else 0
        return "·" if not count else f"{share}" if share else "<1"


SIZES = (("ample", 0.925, 0.9), ("medium", 0.8, 0.4), ("dense", 0.7, 0.1))
#: from the most readable one to the one that needs the least room
FORMS = (
    *(Form(*size, turned=turned) for size, turned in product(SIZES, (False, True))),
    *(Form(*SIZES[-1], turned=turned, percent=True) for turned in (False, True)),
)


def confusion(test: Mapping[str, Any], unit: str, units: str) -> list[Markup]:
    """All about the classes, from the ``test`` section of the evaluation; nothing without counts
    that fit their labels.
    """
    labels, counts = _matrix(test)
    if not labels:
        return []
    return [
        element("h3", "Confusion matrix"),
        *(_matrices(labels, counts, units) if len(labels) <= MATRIX_CLASSES else ()),
        _mistakes(labels, counts, unit, units),
        element("h3", "By class"),
        _by_class(labels, counts, test, units),
    ]


def _matrix(test: Mapping[str, Any]) -> tuple[list[str], list[list[int]]]:
    """Labels and counts; both empty unless they fit one another."""
    labels = [text(label) for label in items(test.get("labels"))]
    rows = [[whole(n) for n in items(row)] for row in items(test.get("confusion"))]
    counts = [[n for n in row if n is not None and n >= 0] for row in rows]
    square = len(counts) == len(labels) and all(len(row) == len(labels) for row in counts)
    return (labels, counts) if square else ([], [])


def rates(counts: Counts, k: int) -> dict[str, float | None]:
    """Precision, recall and their harmonic mean F1 of class ``k``; None where nothing counts."""
    right, true = counts[k][k], sum(counts[k])
    predicted = sum(row[k] for row in counts)
    return {
        "precision": right / predicted if predicted else None,
        "recall": right / true if true else None,
        "f1": 2 * right / (true + predicted) if true + predicted else None,
    }


# --------------------------------------------------------------------------------- matrix


def matrix_width(form: Form, labels: Sequence[str], counts: Counts) -> float:
    """The minimum width in rem of a matrix in this form."""
    character = text_width("0", form.letters)
    name_length = characters if form.style == "dense" else longest_piece
    width = character * max(map(name_length, form.names(labels))) + form.padding
    for j, head in enumerate(form.heads(labels)):
        cells = max(characters(form.cell(row[j], sum(row))) for row in counts)
        letters = max(cells, 2 if form.turned else longest_piece(head))
        width += character * letters + form.padding
    return width


def forms(labels: Sequence[str], counts: Counts) -> list[tuple[Form | None, int, int | None]]:
    """``(form, from, until)``: for each range of breakpoints, the most readable form that fits;
    None where none does.
    """
    widths = [(form, matrix_width(form, labels, counts)) for form in FORMS]
    ranges: list[tuple[Form | None, int, int | None]] = []
    for window in (0, *BREAKPOINTS):
        space = room(window or NARROWEST)
        form = next((form for form, width in widths if width <= space), None)
        if not ranges:
            ranges.append((form, window, None))
        elif form != ranges[-1][0]:
            ranges[-1] = (*ranges[-1][:2], window)
            ranges.append((form, window, None))
    return ranges


def _matrices(labels: Sequence[str], counts: Counts, units: str) -> list[Markup]:
    parts = []
    for form, start, end in forms(labels, counts):
        style = " ".join([f"from-{start}"] * bool(start) + [f"until-{end}"] * bool(end))
        if form is None:
            parts.append(_confused_with(labels, counts, style))
            continue
        cells = f"percentages of the {units} of a class" if form.percent else units
        how = f"True classes down, predicted classes across, in {cells}."
        matrix = joined(paragraph(how, "quiet"), _table(form, labels, counts))
        parts.append(fitted(matrix, f"fit {style}".strip()))
    return parts


def _table(form: Form, labels: Sequence[str], counts: Counts) -> Markup:
    heads = (_head(short, full, "col", form.turned) for short, full in
             zip(form.heads(labels), labels, strict=True))  # fmt: skip
    rows = [element("tr", element("td"), *heads)]
    for i, (name, row) in enumerate(zip(form.names(labels), counts, strict=True)):
        total = sum(row)
        cells = [
            element("td", form.cell(n, total), class_=_cell_style(n, total, i == j),
                    title=f"{labels[i]} predicted as {labels[j]}: {n:,}" if form.turned else None)
            for j, n in enumerate(row)
        ]  # fmt: skip
        rows.append(element("tr", _head(name, labels[i], "row"), *cells))
    return element("table", *rows, class_=form.classes, aria_label="Confusion matrix")


def _head(short: str, full: str, scope: str, turned: bool = False) -> Markup:
    """The name of a class at the edge of the matrix; the full one is its tooltip and label."""
    name = element("span", short) if turned else breakable(short)
    hidden = full if short != full else None
    return element("th", name, scope=scope, title=hidden, aria_label=hidden)


def _cell_style(count: int, total: int, right: bool) -> str | None:
    """The shade for a share of a row; correct predictions are bold as well."""
    level = -(-count * LEVELS // total) if total else 0
    return " ".join([f"s{level}"] * (level > 0) + ["right"] * right) or None


def _confused_with(labels: Sequence[str], counts: Counts, style: str) -> Markup:
    """The matrix as a list: for each true class, how many are correct, and what the rest became."""
    lines = []
    for i, row in enumerate(counts):
        others = sorted((-n, j) for j, n in enumerate(row) if n and j != i)
        named = [f"{labels[j]} ({-n:,})" for n, j in others]
        wrong = f"; the others predicted as {listed(named, most=CONFUSED_WITH)}" if named else ""
        right = f" {row[i]:,} of {sum(row):,} correct{wrong}."
        lines.append(element("li", element("strong", f"{labels[i]}:"), right))
    how = paragraph("For each true class, how many were predicted correctly.", "quiet")
    return element("div", how, element("ul", *lines), class_=style or None)


# -------------------------------------------------------------------------------- in words


def _mistakes(labels: Sequence[str], counts: Counts, unit: str, units: str) -> Markup:
    """The most frequent mistakes in words."""
    mistakes = [
        (n, i, j) for i, row in enumerate(counts) for j, n in enumerate(row) if n and i != j
    ]  # fmt: skip
    if not mistakes:
        return paragraph(f"There are no mistakes among the {units}.")
    most = 1 if len(labels) <= MATRIX_CLASSES else MISTAKES
    lines = [
        f"{quoted(labels[i])} predicted as {quoted(labels[j])} ({counted(n, unit, units)})"
        for n, i, j in sorted(mistakes, key=lambda m: (-m[0], m[1:]))[:most]
    ]
    if most == 1:
        return paragraph(f"Most frequent mistake: {lines[0]}.")
    listing = element("ul", *(element("li", line) for line in lines))
    return joined(paragraph("Most frequent mistakes:"), listing)


def _by_class(labels: Sequence[str], counts: Counts, test: Mapping[str, Any], units: str) -> Markup:
    rows = []
    for k, label in enumerate(labels):
        cells = map(format_number, rates(counts, k).values())
        rows.append([label, f"{sum(counts[k]):,}", *cells])
    words = paragraph(
        f"Precision: the share of {units} predicted as this class that belong to it. Recall: the "
        f"share of {units} of this class that were recognised. F1: the harmonic mean of both.",
        "quiet",
    )
    merged = whole(test.get("merged"))
    note = f"The {merged} rarest classes are counted as one." if merged else ""
    heads = ["class", units, "precision", "recall", "F1"]
    table = data_table("By class", heads, rows, numbers=(1, 2, 3, 4), long=(0,))
    return joined(words, paragraph(note, "quiet"), table)
