"""What looks on while a table is learned: the run folder, a time limit, whoever wants to hear."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from ..data import Finding
from ..train import Callback, Progress
from .runfolder import RunFolder

if TYPE_CHECKING:
    from .predictor import Predictor

__all__ = ["Listener", "Recorder", "Talk", "TimeLimit", "closing", "finding_text", "headline",
           "number", "result_lines", "result_rows"]  # fmt: skip

Logs = Mapping[str, float]


class Listener:
    """Hears of every stage of ``fit``; does nothing by itself."""

    def findings(self, findings: tuple[Finding, ...]) -> None:
        """What was noticed in the data, before training."""

    def begin(self, facts: Mapping[str, Any]) -> None:
        """The run as ``run.json`` describes it, when training begins."""

    def callbacks(self, epochs: int) -> list[Callback]:
        """Callbacks of its own for the trainer."""
        return []

    def interrupted(self, facts: Mapping[str, Any], run: Path | None) -> None:
        """Ctrl-C: what there was is saved in ``run``."""

    def done(self, predictor: Predictor, facts: Mapping[str, Any]) -> None:
        """The fitted predictor and the final ``run.json``."""


class Talk(Listener):
    """Says all of it in plain lines on stderr, with live progress on a terminal."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = sys.stderr if stream is None else stream

    def say(self, text: str) -> None:
        print(text, file=self.stream, flush=True)

    def findings(self, findings: tuple[Finding, ...]) -> None:
        for finding in findings:
            self.say(finding_text(finding))

    def begin(self, facts: Mapping[str, Any]) -> None:
        self.say(headline(facts))

    def callbacks(self, epochs: int) -> list[Callback]:
        return [Progress(epochs, self.stream)]

    def interrupted(self, facts: Mapping[str, Any], run: Path | None) -> None:
        self.say(closing(facts))
        if run is not None:
            self.say(f"the weights of that epoch are in {run}")

    def done(self, predictor: Predictor, facts: Mapping[str, Any]) -> None:
        for line in result_lines(facts):
            self.say(line)


def finding_text(finding: Finding) -> str:
    """A finding in one to three lines, marked by its severity."""
    return f"{'!' if finding.severity == 'warning' else '·'} {finding}"


def headline(facts: Mapping[str, Any]) -> str:
    """``heart: 918 rows, 10 columns -> mlp 64-64 -> disease (2 classes), 5,441 parameters``."""
    data, model, split = facts["data"], facts["model"], facts["split"]
    layers = "-".join(str(w) for w in model["layers"])
    classes = facts["classes"]
    goal = f"{len(classes)} classes" if classes else "a number"
    parts = ", ".join(f"{count} {name}" for name, count in split.items())
    return (
        f"{data['name']}: {data['rows']} rows, {model['columns']} columns -> "
        f"{f'mlp {layers}' if layers else 'linear'} -> {data['target']} ({goal}), "
        f"{model['parameters']} parameters\n{parts}; seed {facts['seed']}"
    )


def closing(facts: Mapping[str, Any]) -> str:
    """How training ended, in one line."""
    best = facts["best"]
    return (
        f"{facts['status']} after {facts['seconds']:.1f} s, best epoch {best['epoch']} of "
        f"{facts['epochs']} (val_loss {number(best['val_loss'])})"
    )


def result_rows(facts: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Metric, value on the test rows, value of a constant guess; first a row of headings."""
    guess = "always the mean" if facts["task"] == "regression" else "always the same guess"
    rows = [(f"{facts['split']['test']} test rows", "this model", guess)]
    for name, value in facts["metrics"].items():
        rows.append((name, number(value), number(facts["baseline"].get(name))))
    return rows


def result_lines(facts: Mapping[str, Any]) -> list[str]:
    """How training ended, and the results as aligned text."""
    rows = result_rows(facts)
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    aligned = [f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}" for a, b, c in rows]
    return [closing(facts), *aligned]


def number(value: float | None) -> str:
    """Four digits, or a dash for a number that does not exist."""
    return "-" if value is None or value != value else f"{value:.4g}"


class Recorder(Callback):
    """Writes every epoch to the run folder."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        self.folder.metrics({"epoch": epoch + 1, "seconds": self.folder.seconds(), **logs})


class TimeLimit(Callback):
    """Ends training after the epoch in which ``seconds`` have passed."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.reached = False

    def on_train_begin(self, logs: Logs) -> None:
        self._begun = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        if time.monotonic() - self._begun >= self.seconds:
            self.reached = self.trainer.stop_training = True
