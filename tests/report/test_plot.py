"""Curves lie where their numbers are, and say in words what they show."""

from __future__ import annotations

import re

from chainrule.report.plot import LABEL_GAP, MOST_POINTS, Series, curves, histogram, scatter, spread

from .conftest import Page


def points_of(path: str) -> list[list[tuple[float, float]]]:
    """The pieces of a path."""
    pieces = [piece.replace("L", "").split() for piece in path.split("M")[1:]]
    return [
        [(float(a), float(b)) for a, b in zip(piece[::2], piece[1::2], strict=True)]
        for piece in pieces
    ]


def test_a_curve_goes_through_its_numbers() -> None:
    page = Page(curves("k", "Loss", "words", [1, 2, 3], [Series("training", [1.0, 0.5, 0.0])]))
    [piece] = points_of(page.all("path")[0]["d"] or "")
    assert [x for x, _ in piece] == [64, 353, 642]
    assert [y for _, y in piece] == [14, 127, 240]  # ticks from 0 to 1; y grows downwards
    assert page.all("svg")[0]["aria-labelledby"] == "k-title k-words"
    assert ("desc", "words") in page.texts


def test_equal_factors_are_equally_far_apart_on_a_log_scale() -> None:
    series = [Series("training", [1.0, 0.1, 0.01])]
    page = Page(curves("k", "Loss", "words", [1, 2, 3], series, log=True))
    [piece] = points_of(page.all("path")[0]["d"] or "")
    assert [y for _, y in piece] == [14, 127, 240]


def test_gaps_interrupt_and_lonely_numbers_are_dots() -> None:
    values = [1.0, 2.0, None, 3.0, None, 2.0, 2.0]
    page = Page(curves("k", "t", "w", list(range(1, 8)), [Series("a", values)]))
    pieces = points_of(page.all("path")[0]["d"] or "")
    assert [len(piece) for piece in pieces] == [2, 1, 2]
    assert len(page.all("circle")) == 1


def test_the_best_epoch_is_marked() -> None:
    series = [Series("validation", [3.0, 1.0, 2.0]), Series("training", [3.0, 2.0, 1.0], "second")]
    page = Page(curves("k", "t", "w", [1, 2, 3], series, best=2))
    assert ("text", "best: epoch 2, 1") in page.texts
    [ring] = page.all("circle")
    validation = points_of(page.all("path")[1]["d"] or "")[0]
    assert (float(ring["cx"] or 0), float(ring["cy"] or 0)) == validation[1]
    assert {p["class"] for p in page.all("path")} == {"curve main", "curve second"}


def test_many_epochs_keep_their_peaks() -> None:
    values = [0.5] * 50_000
    values[31_234] = 1.0
    page = Page(curves("k", "t", "w", list(range(50_000)), [Series("a", values)]))
    [piece] = points_of(page.all("path")[0]["d"] or "")
    assert len(piece) <= MOST_POINTS + 4
    assert min(y for _, y in piece) == 14


def test_labels_do_not_touch() -> None:
    found = spread([100.0, 101.0, 102.0], 0.0, 110.0)
    assert found == [110 - 2 * LABEL_GAP, 110 - LABEL_GAP, 110]
    assert spread([0.0, 50.0], 10.0, 110.0) == [10.0, 50.0]


def test_scatter_has_equal_scales() -> None:
    page = Page(
        scatter("k", "t", "w", [(0.0, 0.0), (10.0, 10.0), (4.0, 6.0)], ("true", "predicted"))
    )
    [line] = [a for a in page.all("line") if a["class"] == "equal"]
    first, second, third = [(float(c["cx"] or 0), float(c["cy"] or 0)) for c in page.all("circle")]
    assert first == (float(line["x1"] or 0), float(line["y1"] or 0))
    assert second == (float(line["x2"] or 0), float(line["y2"] or 0))
    assert third == (295.2, 160.4)  # 0.4 of the width, 0.6 of the height


def test_bars_have_the_height_of_their_counts() -> None:
    page = Page(histogram("k", "t", "w", [-1.0, 0.0, 1.0, 3.0], [5, 10, 0], "residual"))
    bars = [(float(b["height"] or 0), float(b["width"] or 0)) for b in page.all("rect")]
    assert [h for h, _ in bars] == [93, 186, 0]
    assert bars[2][1] > 1.9 * bars[0][1]
    assert re.search(r"0 to 1: 10", page.text())
