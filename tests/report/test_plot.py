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


def share(value: str | None) -> float:
    """A percentage."""
    assert value is not None
    assert value.endswith("%")
    return float(value[:-1])


def test_a_curve_goes_through_its_numbers() -> None:
    page = Page(curves("k", "Loss", "words", [1, 2, 3], [Series("training", [1.0, 0.5, 0.0])]))
    [piece] = points_of(page.all("path")[0]["d"] or "")
    assert [x for x, _ in piece] == [0, 50, 100]  # per cent of the width
    assert [y for _, y in piece] == [0, 113, 226]  # ticks from 0 to 1; y grows downwards
    assert page.all("svg")[0]["aria-labelledby"] == "k-title k-words"
    assert ("desc", "words") in page.texts


def test_equal_factors_are_equally_far_apart_on_a_log_scale() -> None:
    series = [Series("training", [1.0, 0.1, 0.01])]
    page = Page(curves("k", "Loss", "words", [1, 2, 3], series, log=True))
    [piece] = points_of(page.all("path")[0]["d"] or "")
    assert [y for _, y in piece] == [0, 113, 226]


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
    assert (share(ring["cx"]), float(ring["cy"] or 0)) == validation[1]
    assert ("span", "best: epoch 2, 1") in page.texts  # the legend of narrow windows
    assert {p["class"] for p in page.all("path")} == {"curve main", "curve second"}


def test_many_epochs_keep_their_peaks() -> None:
    values = [0.5] * 50_000
    values[31_234] = 1.0
    page = Page(curves("k", "t", "w", list(range(50_000)), [Series("a", values)]))
    [piece] = points_of(page.all("path")[0]["d"] or "")
    assert len(piece) <= MOST_POINTS + 4
    assert min(y for _, y in piece) == 0


def test_labels_do_not_touch() -> None:
    found = spread([100.0, 101.0, 102.0], 0.0, 110.0)
    assert found == [110 - 2 * LABEL_GAP, 110 - LABEL_GAP, 110]
    assert spread([0.0, 50.0], 10.0, 110.0) == [10.0, 50.0]


def test_scatter_has_equal_scales() -> None:
    page = Page(
        scatter("k", "t", "w", [(0.0, 0.0), (10.0, 10.0), (4.0, 6.0)], ("true", "predicted"))
    )
    [line] = [a for a in page.all("line") if a["class"] == "equal"]
    first, second, third = [(share(c["cx"]), float(c["cy"] or 0)) for c in page.all("circle")]
    assert first == (share(line["x1"]), float(line["y1"] or 0))
    assert second == (share(line["x2"]), float(line["y2"] or 0))
    assert third == (40.0, 146.4)  # 0.4 of the width, 0.6 of the height


def test_bars_have_the_height_of_their_counts() -> None:
    page = Page(histogram("k", "t", "w", [-1.0, 0.0, 1.0, 3.0], [5, 10, 0], ("residual", "rows")))
    bars = [(float(b["height"] or 0), share(b["width"])) for b in page.all("rect")]
    assert [h for h, _ in bars] == [93, 186, 0]
    assert bars[2][1] > 1.9 * bars[0][1]
    assert re.search(r"0 to 1: 10", page.text())


def test_every_second_of_many_ticks_gives_way_in_narrow_windows() -> None:
    long = [(v, v) for v in (0.0, 80_000.0)]
    ticks = ticks_below(scatter("k", "t", "w", long, ("true", "predicted")))
    assert len(ticks) > 4
    assert [style for _, style in ticks[:2]] == ["tick", "tick from-40"]
    few = ticks_below(scatter("k", "t", "w", [(0.0, 0.0), (4.0, 4.0)], ("true", "predicted")))
    assert {style for _, style in few} == {"tick"}


def ticks_below(html: str) -> list[tuple[str | None, str | None]]:
    middle = [a for a in Page(html).all("text") if a["text-anchor"] == "middle"]
    return [(a["x"], a["class"]) for a in middle]


def test_long_ticks_get_a_wider_margin() -> None:
    wide = scatter("k", "t", "w", [(0.0, 0.0), (900_000.5, 0.0)], ("true", "predicted"))
    assert Page(wide).all("div")[0]["class"] == "plot"
    wide = scatter("k", "t", "w", [(123_456.5, 123_456.0), (123_456.1, 123_456.2)], ("x", "y"))
    assert Page(wide).all("div")[0]["class"] == "plot roomy"
