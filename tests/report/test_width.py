"""The page fits windows from 360 pixels on: nothing of it scrolls sideways.

There is no browser here, so what is tested is what the page is made of: no width of the style is
larger than the smallest window leaves, no drawing has a width of its own, and each table is
displayed as one only in windows that have room for its words, by widths of letters that are rather
too large. That this is enough was looked at in Chromium 156 with runs of tables, of a regression
and of images, with 2, 4, 10, 30 and 45 classes, names of 40 letters without a space among them:
each page in frames of 17 widths from 360 to 1,600 pixels, all parts unfolded, where no element
reached over the edge, none scrolled, and no two texts of a drawing overlapped; and on paper.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from chainrule.markup import joined
from chainrule.report import report_html
from chainrule.report.confusion import FORMS, MATRIX_CLASSES, confusion, forms, matrix_width
from chainrule.report.parts import GAP, LETTERS, LONG, data_table, table_width
from chainrule.report.style import STYLE
from chainrule.report.training import training
from chainrule.report.width import (
    BREAKPOINTS,
    LONGEST_PIECE,
    NARROWEST,
    WIDE_MARGINS,
    abbreviated,
    breakable,
    characters,
    first_that_fits,
    longest_piece,
    room,
)

from .conftest import Page

Counts = list[list[int]]


def counts_of(classes: int, largest: int) -> Counts:
    rng = np.random.default_rng(classes)
    return (rng.integers(0, largest, (classes, classes)) + largest * np.eye(classes, dtype=int)
            ).tolist()  # fmt: skip


# ------------------------------------------------------------------------------ the style


def test_the_style_has_no_width_above_the_smallest_window() -> None:
    widths = re.findall(r"(?<![-\w])(?:min-)?width: ([^;}]+)", without_media(STYLE))
    assert widths
    for width in widths:
        number, unit = re.fullmatch(r"([\d.]+)(rem|px|%)", width.strip()).groups()  # type: ignore[union-attr]
        limit = {"rem": room(NARROWEST), "px": 16 * room(NARROWEST), "%": 100}[unit]
        assert float(number) <= limit, width


def test_the_style_leaves_the_room_that_tables_count_with() -> None:
    assert room(NARROWEST) == NARROWEST - 2 * 1.0 - 1.0  # with a scrollbar
    wide = rule(STYLE, "body")
    assert "max-width: 54rem; padding: 4rem 1.5rem 6rem;" in wide
    [narrow] = re.findall(rf"not all and \(min-width: {WIDE_MARGINS}rem\) {{\n  (body.*)", STYLE)
    assert narrow == "body { padding: 2rem 1rem 4rem; }"
    assert f"font-size: {str(LETTERS).lstrip('0')}rem" in rule(STYLE, "table")
    assert f"padding: .4rem {GAP:g}rem .4rem 0;" in rule(STYLE, "th, td")
    assert rule(STYLE, "td.long") == f"min-width: {LONG:g}rem;"


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.classes)
def test_the_style_sets_a_matrix_as_it_is_measured(form: object) -> None:
    style, letters, padding = form.style, form.letters, form.padding  # type: ignore[attr-defined]
    size = rule(STYLE, f".{style}", "table")
    assert f"font-size: {str(letters).lstrip('0')}rem" in size
    sides = rule(STYLE, f".{style} td, .{style} th")
    aside = re.findall(r"padding: (?:[\d.]+rem )?([\d.]+)rem", sides)
    assert float(aside[0]) * 2 == padding


def test_each_breakpoint_has_its_rules() -> None:
    for window in BREAKPOINTS:
        assert f".stack-{window} td {{" in STYLE
        below, above = (STYLE.index(f".{name}-{window} {{ display: none; }}")
                        for name in ("from", "until"))  # fmt: skip
        assert STYLE.rindex("@media", 0, below) == STYLE.rindex(
            f"@media not all and (min-width: {window}rem)", 0, below
        )
        assert STYLE.rindex("@media", 0, above) == STYLE.rindex(
            f"@media (min-width: {window}rem)", 0, above
        )


def without_media(style: str) -> str:
    """The rules, without the conditions in which the width of the window stands."""
    return re.sub(r"@media[^{]*", "", style)


def rule(style: str, *selectors: str) -> str:
    """What the first of ``selectors`` that the style has is given."""
    for selector in selectors:
        if match := re.search(rf"(?:^|[}}] ){re.escape(selector)} {{ ?([^}}]*?) ?}}", style, re.M):
            return match[1]
    raise AssertionError(selectors)


# ------------------------------------------------------------------------------- the page


def test_drawings_are_as_wide_as_the_page(classes: Path, numbers: Path) -> None:
    for html in map(report_html, (classes, numbers)):
        svgs = Page(html).all("svg")
        assert svgs
        assert all(svg["width"] == "100%" for svg in svgs)
        # What is stretched has a frame of its own; a drawing with letters has none.
        assert all(("viewbox" in svg) == ("preserveaspectratio" in svg) for svg in svgs)


def test_every_table_stands_in_what_was_made_to_fit(classes: Path, numbers: Path) -> None:
    for html in map(report_html, (classes, numbers)):
        before, *parts = re.split(r'<div class="fit[^"]*">', html)
        assert [part.count("<table") for part in (before, *parts)] == [0] + [1] * len(parts)


def test_twenty_measures_are_blocks_in_every_window() -> None:
    names = [f"a_measure_of_our_own_{i}" for i in range(20)]
    history = {"epoch": [1, 2], **{name: [0.1234, 0.2345] for name in names}}
    page = Page(training({"history": history, "best": None}))
    [table] = page.all("table")
    assert table["class"] == "stack"
    cells = page.all("td")
    assert [c["data-label"] for c in cells[: len(names) + 1]] == ["epoch", *names]
    # What is no longer displayed as a table is still one to who listens.
    assert (table["role"], cells[0]["role"]) == ("table", "cell")


def test_a_table_is_one_from_the_width_on_that_its_words_need() -> None:
    heads, row = ["metric", "test images"], ["accuracy", "0.8116"]
    page = Page(data_table("Metrics", heads, [row], numbers=(1,)))
    assert "class" not in page.all("table")[0]
    wide = Page(data_table("Metrics", heads * 3, [row * 3], numbers=(1, 3, 5)))
    need = table_width(heads * 3, [row * 3], ["", "number"] * 3)
    assert wide.all("table")[0]["class"] == f"stack-{first_that_fits(need)}"
    assert need == pytest.approx(0.64 * 0.925 * 3 * (8 + 6) + 5)


# ----------------------------------------------------------------------------- the matrix


@pytest.mark.parametrize("classes", [2, 3, 10, 16, 30])
@pytest.mark.parametrize("name", ["{}", "class {}", "species of animal number {}", "x" * 40 + "{}"])
@pytest.mark.parametrize("largest", [9, 99, 1_000, 100_000])
def test_a_matrix_fits_where_it_is_shown(classes: int, name: str, largest: int) -> None:
    labels, counts = [name.format(i) for i in range(classes)], counts_of(classes, largest)
    ranges = forms(labels, counts)
    assert [start for _, start, _ in ranges] == [0, *(end for _, _, end in ranges[:-1])]
    assert ranges[-1][2] is None
    for form, start, _ in ranges:
        if form is not None:
            assert matrix_width(form, labels, counts) <= room(start or NARROWEST)
    if classes <= 10:
        assert ranges[-1][0] is not None  # at 1,200 pixels there is a matrix
    html = joined(*confusion({"labels": labels, "confusion": counts}, "image", "images"))
    page = Page(html)
    matrices = [a for a in page.all("table") if "matrix" in (a["class"] or "")]
    assert len(matrices) == sum(form is not None for form, _, _ in ranges)
    for label in labels:  # a name that was cut stands there in full
        titles = [a.get("title") for a in page.all("th")]
        assert label in titles or label in page.text()


def test_thirty_classes_have_a_matrix_and_a_list() -> None:
    labels = [f"species of animal number {i}" for i in range(MATRIX_CLASSES)]
    counts = counts_of(MATRIX_CLASSES, 50)
    counts[0] = [90, 7, *[0] * 27, 3]
    page = Page(joined(*confusion({"labels": labels, "confusion": counts}, "image", "images")))
    ranges = forms(labels, counts)
    assert [form is not None for form, _, _ in ranges][-1]
    assert ranges[0][0] is None
    [list_of_classes] = [a for a in page.all("div") if a.get("class") == f"until-{ranges[0][2]}"]
    assert list_of_classes
    assert (
        " 90 of 100 correct; the others predicted as species of animal number 1 (7) and species of "
        "animal number 29 (3)."
    ) in page.text()
    hint = "species of animal number 0 predicted as species of animal number 1: 7"
    assert hint in [cell.get("title") for cell in page.all("td")]


def test_counts_that_are_too_wide_are_percentages() -> None:
    labels = [chr(ord("A") + i) for i in range(26)]
    counts = [[100_000 if i == j else i for j in range(26)] for i in range(26)]
    form = forms(labels, counts)[-1][0]
    assert form is not None
    assert form.percent
    assert [form.cell(n, 200) for n in (0, 1, 50, 200)] == ["·", "<1", "25", "100"]


# ------------------------------------------------------------------------------ the words


def pieces(text: str) -> Sequence[str]:
    return str(breakable(text)).replace("<wbr>", " ").split()


def test_long_words_are_divided_at_their_seams() -> None:
    assert str(breakable("balanced_accuracy & more")) == "balanced_<wbr>accuracy &amp; more"
    assert pieces("aCamelCaseNameOfAColumn") == ["aCamelCaseName", "OfAColumn"]
    assert pieces("x" * 30) == ["x" * 14, "x" * 14, "xx"]
    assert pieces("short-name") == ["short-name"]
    assert longest_piece("x" * 30 + " balanced_accuracy") == LONGEST_PIECE
    # An accent is not parted from its letter, nor an emoji from what it is joined with.
    accents = pieces("e\N{COMBINING ACUTE ACCENT}" * 20)
    assert not any(piece.startswith("\N{COMBINING ACUTE ACCENT}") for piece in accents)
    assert "".join(accents) == "e\N{COMBINING ACUTE ACCENT}" * 20


def test_wide_letters_count_twice() -> None:
    assert characters("画像") == 4
    assert characters("e\N{COMBINING ACUTE ACCENT}") == 1


def test_abbreviations_stay_apart() -> None:
    assert abbreviated(["Ankle boot", "species of animal 12"], 14) == [
        "Ankle boot",
        "species o…l 12",
    ]
    alike = [f"{'a' * 20}{i}{'z' * 20}" for i in range(12)]
    short = abbreviated(alike, 14)
    assert len(set(short)) == 12
    assert short[0] == "1 aaaaaaa…zzzz"
    assert max(map(len, short)) <= 14
