"""The facts of real runs agree with their predictors; damaged runs are told as far as they go."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.errors import StateError
from chainrule.modalities.doors import load_run
from chainrule.report import report_facts, report_html
from chainrule.report.confusion import rates

from .conftest import EVIL, Page

Copied = Callable[[Path], Path]
ODD: tuple[Any, ...] = (None, True, -1, 1e308, "<b>", [], [[]], {}, {"x": [None]})


def test_a_classification(classes: Path) -> None:
    facts, model = report_facts(classes), load_run(classes)
    assert facts["status"] == "done"
    assert facts["troubles"] == []
    assert {m["name"]: m["test"] for m in facts["metrics"]} == model.metrics
    assert {m["name"]: m["baseline"] for m in facts["metrics"]} == model.baseline
    counts = np.array(facts["test"]["confusion"])
    assert counts.sum() == facts["split"]["test"] == facts["test"]["rows"]
    assert np.trace(counts) / counts.sum() == pytest.approx(model.metrics["accuracy"])
    assert facts["test"]["labels"] == facts["classes"]
    f1 = [rates(counts.tolist(), k)["f1"] or 0.0 for k in range(3)]
    assert np.mean(f1) == pytest.approx(model.metrics["f1_macro"])
    at = facts["history"]["epoch"].index(facts["best"]["epoch"])
    assert facts["history"]["val_loss"][at] == min(facts["history"]["val_loss"])
    [accuracy] = [m["validation"] for m in facts["metrics"] if m["name"] == "accuracy"]
    assert accuracy == pytest.approx(facts["history"]["val_accuracy"][at])


def test_columns_say_what_became_of_them(classes: Path) -> None:
    columns = {c["name"]: c for c in report_facts(classes)["columns"]}
    assert list(columns) == [EVIL, "kind", "flag"]
    assert columns["kind"]["treatment"] == (
        "3 categories, one input each: </td>0, </td>1 and </td>2"
    )
    assert "of the rows" in columns["flag"]["treatment"]
    assert "flagged by an input of their own" in columns[EVIL]["treatment"]
    # 15 of 150 rows have a gap; a part of them is in the training rows.
    assert 5 <= columns[EVIL]["missing"] <= 15
    assert columns["kind"]["missing"] == 0


def test_a_regression(numbers: Path) -> None:
    facts, model = report_facts(numbers), load_run(numbers)
    points = np.array(facts["test"]["points"])
    assert len(points) == facts["split"]["test"] == 30
    assert np.abs(points[:, 0] - points[:, 1]).mean() == pytest.approx(model.metrics["mae"])
    histogram = facts["test"]["histogram"]
    assert sum(histogram["counts"]) == 30
    assert len(histogram["edges"]) == len(histogram["counts"]) + 1
    assert model.metrics["r2"] > 0.9
    assert "explains" in facts["result"]
    rates = facts["history"]["lr"]
    assert 0.015 < max(rates) <= 0.02
    assert rates[-1] < rates[10]
    assert "lr" not in model.history


def test_the_document_is_json(classes: Path) -> None:
    facts = report_facts(classes)
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts


@pytest.mark.parametrize(
    ("status", "running", "expected", "command"),
    [
        ("running", True, "running", "report"),
        ("running", False, "killed", "resume"),
        ("interrupted", False, "interrupted", "resume"),
        ("failed", False, "failed", "train"),
    ],
)
def test_runs_that_did_not_end(
    status: str, running: bool, expected: str, command: str, classes: Path, copied: Copied
) -> None:
    run = copied(classes)
    facts = json.loads((run / "run.json").read_text())
    facts |= {"status": status, "error": "it broke <b>", "best": {"epoch": 1, "val_loss": 9.0}}
    (run / "run.json").write_text(json.dumps(facts))
    found = report_facts(run, running=running)
    assert found["status"] == expected
    assert found["status_words"].startswith(expected)
    assert (found["best"]["epoch"] == 1) == (status == "interrupted")
    assert found["metrics"] == []  # those of an earlier end are not those of this model
    assert found["test"] == {}
    assert "no test result yet: 12 epochs have finished" in found["result"]
    assert found["commands"][0]["command"].startswith(f"chainrule {command} ")
    again = [c["command"] for c in found["commands"] if "run.toml train.lr=0.0001" in c["command"]]
    assert bool(again) == (status == "failed")
    page = Page(report_html(run, running=running))
    assert "it broke <b>" in page.text()
    assert "Confusion" not in page.text()


def test_a_run_without_evaluation_says_so(classes: Path, copied: Copied) -> None:
    run = copied(classes)
    (run / "evaluation.json").unlink()
    facts = report_facts(run)
    assert any("evaluation.json" in t for t in facts["troubles"])
    assert facts["metrics"][0]["validation"] is None
    assert "no confusion matrix" in Page(report_html(run)).text()


@pytest.mark.parametrize("file", ["run.json", "run.toml", "metrics.jsonl", "pipeline.json",
                                  "evaluation.json", "events.jsonl"])  # fmt: skip
@pytest.mark.parametrize(
    "content", [None, b"", b"{", b"[1]\n", b"\xff\xfe", b"nul", b'"\\ud800"\n']
)
def test_lost_and_damaged_files(
    file: str, content: bytes | None, classes: Path, copied: Copied
) -> None:
    run = copied(classes)
    if content is None:
        (run / file).unlink()
    else:
        (run / file).write_bytes(content)
    facts = report_facts(run)
    json.dumps(facts, allow_nan=False)
    assert any(file in words for words in facts["troubles"])
    Page(report_html(run))


def test_files_cut_off_anywhere(numbers: Path, copied: Copied) -> None:
    run = copied(numbers)
    for file in ("run.json", "metrics.jsonl", "evaluation.json", "pipeline.json", "run.toml"):
        whole = (run / file).read_bytes()
        for length in range(0, len(whole), max(1, len(whole) // 9)):
            (run / file).write_bytes(whole[:length])
            Page(report_html(run))
        (run / file).write_bytes(whole)


@pytest.mark.parametrize("file", ["run.json", "evaluation.json", "pipeline.json"])
def test_odd_values_anywhere(file: str, classes: Path, numbers: Path, copied: Copied) -> None:
    """Every value of the file, one after the other, is not what it should be."""
    # What `run.json` says is of one kind for all.
    for source in (classes,) if file == "run.json" else (classes, numbers):
        run = copied(source)
        document = json.loads((run / file).read_text())
        for i, (holder, key) in enumerate(places(document)):
            kept = holder[key]
            holder[key] = ODD[i % len(ODD)]
            (run / file).write_text(json.dumps(document))
            holder[key] = kept
            json.dumps(report_facts(run))
            assert "<b>" not in report_html(run)


def places(value: Any) -> list[tuple[Any, Any]]:
    """(holder, key) of all values in a document; of long lists the first few."""
    keys = list(value)[:30] if isinstance(value, dict) else range(min(len(value), 3))
    found = [(value, key) for key in keys]
    inner = [value[k] for k in keys if isinstance(value[k], dict | list)]
    return found + [place for v in inner for place in places(v)]


def test_odd_numbers_in_the_epochs(classes: Path, copied: Copied) -> None:
    run = copied(classes)
    lines = [
        {"epoch": 1, "loss": 1e308, "val_loss": None, "lr": 0.1},
        {"epoch": 2, "loss": -1e-320, "val_loss": 3, "lr": 1e-5},
        {"epoch": 2, "loss": 0.5, "val_loss": 2.0, "lr": 1e-5, "<i>": 1},
        {"epoch": "x", "loss": 1}, {"loss": 1}, {"epoch": 9, "loss": "a", "val_loss": 1.0},
    ]  # fmt: skip
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"ep')
    (run / "run.json").write_text(json.dumps({"status": "running"}))
    facts = report_facts(run)
    assert facts["history"] == {
        "epoch": [1, 2, 9], "loss": [None, 0.5, None], "val_loss": [None, 2.0, 1.0],
        "lr": [0.1, 1e-5, None], "<i>": [None, 1.0, None],
    }  # fmt: skip
    assert facts["best"] == {"epoch": 9, "monitor": "val_loss", "value": 1.0}
    page = Page(report_html(run))
    assert "Learning rate. The scale is logarithmic." in page.text().replace(".  ", ". ")


def test_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="there is no run folder"):
        report_facts(tmp_path / "nowhere")
    with pytest.raises(StateError, match="nothing in it was written by a training run"):
        report_facts(tmp_path)
    (tmp_path / "group.json").write_text("{}")
    with pytest.raises(StateError, match="a group of 0 runs"):
        report_facts(tmp_path)
