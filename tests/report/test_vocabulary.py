"""Sentences count what the run is about, and say what its task is judged by."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from chainrule.report import report_facts, report_html
from chainrule.report.vocabulary import result, task_of, vocabulary

from .conftest import Page

IMAGES = {"data": {"kind": "images"}, "task": "multiclass"}
ROWS = {"task": "binary"}
NUMBERS = {"task": "regression"}


def test_results_of_a_classification() -> None:
    assert result(ROWS, {"accuracy": 0.75}, {"accuracy": 0.5}, 100) == (
        "On 100 test rows that it never saw, it is right 75.0% of the time (95% confidence "
        "interval 66 to 82%); always guessing the most frequent class would be right 50.0% "
        "of the time."
    )
    worse = result(IMAGES, {"accuracy": 0.5}, {"accuracy": 0.5}, 1)
    assert worse.startswith("On 1 test image that it never saw, it is right 50.0% of the time")
    assert worse.endswith("it learned nothing useful.")
    assert result(ROWS, {}, {}, 9) == ""


def test_results_of_a_regression() -> None:
    assert result(NUMBERS, {"mae": 2.0, "r2": 0.5}, {"mae": 4.0}, 1) == (
        "On 1 test row that it never saw, its predictions are off by 2 on average; always "
        "predicting the mean would be off by 4. It explains 50.0% of the variance."
    )
    assert "it learned nothing useful" in result(NUMBERS, {"mae": 5.0}, {"mae": 4.0}, 9)


@pytest.mark.parametrize("odd", [[], {}, 3, "pictures"])
def test_a_kind_that_is_not_known_is_counted_in_examples(odd: object) -> None:
    facts = {"data": {"kind": odd}, "task": odd}
    assert vocabulary(facts).units == "examples"
    assert task_of(facts).baseline_name == "constant guess"


@pytest.mark.parametrize("odd", [None, [], {}, {"unit": "row"}, {"unit": 3}])
def test_words_that_are_damaged_are_found_anew(odd: object) -> None:
    assert vocabulary({"data": {}, "words": odd}).units == "rows"


def test_a_report_on_images_counts_images(classes: Path, copied: Callable[[Path], Path]) -> None:
    """Every word of it: a run of a table that says it is one of images."""
    run = copied(classes)
    facts = json.loads((run / "run.json").read_text())
    facts["data"]["kind"] = "images"
    facts["findings"] = []  # whose words are those of the data
    del facts["words"]
    facts["model"] |= {"name": "resnet", "images": "28 x 28 grey pixels"}
    (run / "run.json").write_text(json.dumps(facts))
    facts = report_facts(run)
    assert facts["summary"].startswith("A convolutional network (resnet, 28 x 28 grey pixels) (")
    assert "was trained on 106 images to tell" in facts["summary"]
    words = {"unit": "image", "units": "images", "baseline": "constant guess", "judged": "test"}
    assert facts["words"] == words
    page = Page(report_html(run))
    text = page.text().replace(str(run), "")
    assert not re.findall(r".{20}\brows?\b", text)
    labels = [value or "" for _, a in page.found for value in a.values()]
    assert not [label for label in labels if re.search(r"\brows? ", label)]
