"""What is said while a table is learned."""

from __future__ import annotations

import errno
import io

import numpy as np
import pytest

from chainrule.data import Finding, Setting
from chainrule.errors import DataError
from chainrule.modalities.doors import fit
from chainrule.modalities.tables import TABLES
from chainrule.runs.listeners import Talk
from chainrule.runs.wording import finding_text, result_lines

FACTS = {
    "status": "done", "seconds": 2.25, "epochs": 30, "best": {"epoch": 12, "val_loss": 0.43216},
    "task": "binary", "split": {"test": 138}, "metrics": {"accuracy": 0.81884, "f1": 1.0},
    "baseline": {"accuracy": 0.5, "f1": float("nan")},
}  # fmt: skip


def test_results_are_aligned() -> None:
    assert result_lines(FACTS) == [
        "done after 2.2 s, best epoch 12 of 30 (val_loss 0.4322)",
        "138 test rows  this model  always the same guess",
        "accuracy           0.8188                    0.5",
        "f1                      1                      -",
    ]


def test_findings_are_marked_by_severity() -> None:
    assert finding_text(Finding("D101", "info", "m")) == "· D101 m"
    assert finding_text(Finding("D106", "warning", "m", "e", "f")) == (
        "! D106 m\n  seen: e\n  fix:  f"
    )


def test_fixes_are_arguments_of_the_function_that_was_called() -> None:
    stream = io.StringIO()
    chol = Setting(("data", "missing", "chol"), (0,))
    finding = Finding("D106", "warning", "m", setting=chol)
    Talk(stream, arguments=TABLES.arguments).findings((finding,))
    Talk(stream).findings((finding,))
    assert [line for line in stream.getvalue().splitlines() if "fix" in line] == [
        '  fix:  missing={"chol": [0]}',
        '  fix:  settings=["data.missing.chol=[0]"]',
    ]


def test_a_fit_shows_its_own_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    table = {"zip": [i % 30 for i in range(200)], "y": [i % 2 for i in range(200)]}
    fit(table, "y", layers=[], epochs=1, runs_dir=None)
    assert '\n  fix:  columns={"zip": "number"}\n' in capsys.readouterr().err


def test_the_talk_of_a_fit() -> None:
    stream = io.StringIO()
    fit("heart", epochs=2, runs_dir=None, listener=Talk(stream))
    lines = stream.getvalue().splitlines()
    assert lines[0].startswith("heart: 918 rows, 10 columns -> mlp 64-64 -> disease (2 classes), ")
    assert lines[1] == "642 train, 138 validation, 138 test; seed 0"
    assert lines[2].startswith("epoch   1/2") or lines[2].startswith("epoch 1/2")
    assert [line.split()[0] for line in lines[-4:]] == ["accuracy", "f1", "roc_auc", "log_loss"]


def test_a_fit_whose_talk_cannot_be_written() -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    assert len(fit("heart", epochs=2, runs_dir=None, listener=Talk(Full())).history.epoch) == 2


def test_a_terminal_shows_what_is_done_before_training() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    X = np.arange(40.0).reshape(20, 2)
    fit(X, X[:, 0], epochs=1, runs_dir=None, listener=Talk(stream))
    begin = stream.getvalue().split("target: ")[0]
    assert begin.startswith("\rreading the data ...\x1b[K\r\x1b[K\rpreparing")
    with pytest.raises(DataError):
        fit(X[:1], X[:1, 0], epochs=1, runs_dir=None, listener=Talk(stream))
    assert stream.getvalue().endswith("\r\x1b[K")  # the error has a line of its own


def test_a_file_shows_nothing_before_training() -> None:
    stream = io.StringIO()
    X = np.arange(40.0).reshape(20, 2)
    fit(X, X[:, 0], epochs=1, runs_dir=None, listener=Talk(stream))
    assert "reading" not in stream.getvalue()
