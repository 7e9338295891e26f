"""Sentences count what the run is about, and say what its task is judged by."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import chainrule.report
from chainrule.report import report_facts, report_html
from chainrule.report.vocabulary import vocabulary

from .conftest import Page

IMAGES = {"data": {"kind": "images"}, "task": "multiclass"}
ROWS = {"task": "binary"}
NUMBERS = {"task": "regression"}
HOME = Path(chainrule.report.__file__).parent


def test_results_of_a_classification() -> None:
    assert vocabulary(ROWS).result({"accuracy": 0.75}, {"accuracy": 0.5}, 100) == (
        "On 100 test rows that it never saw, it is right 75.0% of the time (95% confidence "
        "interval 66 to 82%); always guessing the most frequent class would be right 50.0% "
        "of the time."
    )
    worse = vocabulary(IMAGES).result({"accuracy": 0.5}, {"accuracy": 0.5}, 1)
    assert worse.startswith("On 1 test image that it never saw, it is right 50.0% of the time")
    assert worse.endswith("it learned nothing useful.")
    assert vocabulary(ROWS).result({}, {}, 9) == ""


def test_results_of_a_regression() -> None:
    words = vocabulary(NUMBERS)
    assert words.result({"mae": 2.0, "r2": 0.5}, {"mae": 4.0}, 1) == (
        "On 1 test row that it never saw, its predictions are off by 2 on average; always "
        "predicting the mean would be off by 4. It explains 50.0% of the variance."
    )
    assert "it learned nothing useful" in words.result({"mae": 5.0}, {"mae": 4.0}, 9)


@pytest.mark.parametrize("odd", [None, [], {}, 3, "pictures"])
def test_a_kind_that_is_not_known_is_counted_in_rows(odd: object) -> None:
    words = vocabulary({"data": {"kind": odd}, "task": odd})
    assert words.counted(2) == "2 rows"
    assert words.task.baseline == "constant guess"


def test_a_report_on_images_counts_images(classes: Path, copied: Callable[[Path], Path]) -> None:
    """Every word of it: a run of a table that says it is one of images."""
    run = copied(classes)
    facts = json.loads((run / "run.json").read_text())
    facts["data"]["kind"] = "images"
    facts["findings"] = []  # whose words are those of the data
    facts["model"] |= {"name": "resnet", "images": "28 x 28 grey pixels"}
    (run / "run.json").write_text(json.dumps(facts))
    told = report_facts(run)
    assert told["summary"].startswith("A convolutional network (resnet, 28 x 28 grey pixels) (")
    assert "was trained on 106 images to tell" in told["summary"]
    assert told["words"] == {"unit": "image", "units": "images", "baseline": "constant guess"}
    page = Page(report_html(run))
    about_matrix = "One row per true class"
    text = page.text().replace(about_matrix, "").replace(str(run), "")
    assert not re.findall(r".{20}\brows?\b", text)
    labels = [value or "" for _, a in page.found for value in a.values()]
    assert not [label for label in labels if re.search(r"\brows? ", label)]


def test_no_other_file_of_the_report_names_a_kind_or_a_task() -> None:
    names = re.compile(
        r"[\"'](images|tables|series|audio|regression|binary|multiclass|classification)[\"']"
    )
    naming = {f.name for f in HOME.glob("*.py") if names.search(f.read_text(encoding="utf-8"))}
    assert naming == {"vocabulary.py"}
