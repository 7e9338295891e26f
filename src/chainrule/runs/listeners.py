"""Who hears of a training: its run folder, the terminal, whoever wants to."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

from ..data import Finding, Setting
from ..showing import visible
from ..train import Callback, Progress
from ..train.callbacks.progress import write_talk
from ..train.callbacks.rates import rates_of
from .fixes import as_argument
from .folder import RunFolder
from .predictor import Predictor
from .recognition import task_of_run, words_of
from .settings.arguments import COMMON

__all__ = ["Listener", "Recorder", "Talk", "closing", "finding_text", "group_lines",
           "headline", "number", "result_lines", "result_rows"]  # fmt: skip

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

    def note(self, text: str) -> None:
        """Something happened in training: it converged, or went back to an earlier state."""

    def interrupted(self, facts: Mapping[str, Any], run: Path | None) -> None:
        """Ctrl-C: what there was is saved in ``run``."""

    def done(self, predictor: Predictor[Any, Any, Any], facts: Mapping[str, Any]) -> None:
        """The fitted predictor and the final ``run.json``."""

    def member(self, index: int, count: int, name: str) -> None:
        """Of several trainings, the one called ``name`` comes next; ``index`` counts from 0."""

    def repeated(self, facts: Mapping[str, Any], group: Path | None) -> None:
        """All of several trainings are done; ``facts`` are those of ``group.json``."""


class Talk(Listener):
    """Says all of it in plain lines on stderr, with live progress on a terminal. Training goes on
    where it cannot be written.

    ``arguments`` are those of the function that was called, each with the key of its setting: fixes
    of findings are shown as such.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        progress: str = "auto",
        arguments: Mapping[str, tuple[str, ...]] = COMMON,
    ) -> None:
        self.stream: TextIO | None = sys.stderr if stream is None else stream
        self.progress = progress
        self.arguments = arguments

    def say(self, text: str) -> None:
        write_talk(self.stream, f"{visible(text)}\n")

    def findings(self, findings: tuple[Finding, ...]) -> None:
        for finding in findings:
            self.say(finding_text(finding, self.spelled))

    def spelled(self, setting: Setting) -> str:
        """A setting as whoever reads this would set it."""
        return as_argument(setting, self.arguments)

    def begin(self, facts: Mapping[str, Any]) -> None:
        self.say(headline(facts))

    def callbacks(self, epochs: int) -> list[Callback]:
        if self.progress == "none":
            return []
        live = None if self.progress == "auto" else self.progress == "bar"
        return [Progress(epochs, self.stream, live)]

    def note(self, text: str) -> None:
        self.say(text)

    def interrupted(self, facts: Mapping[str, Any], run: Path | None) -> None:
        self.say(closing(facts))
        if run is not None:
            self.say(f"the weights of that epoch are in {run}")

    def done(self, predictor: Predictor[Any, Any, Any], facts: Mapping[str, Any]) -> None:
        for line in result_lines(facts):
            self.say(line)

    def member(self, index: int, count: int, name: str) -> None:
        self.say(f"\n{name}, {index + 1} of {count}" if index else f"{name}, 1 of {count}")

    def repeated(self, facts: Mapping[str, Any], group: Path | None) -> None:
        self.say(f"\n{len(facts['members'])} runs of {facts['name']}")
        for line in group_lines(facts):
            self.say(line)


def finding_text(finding: Finding, spell: Callable[[Setting], str] = str) -> str:
    """A finding in one to three lines, marked by its severity; ``spell`` writes its setting."""
    return f"{'!' if finding.severity == 'warning' else '·'} {finding.text(spell)}"


def headline(facts: Mapping[str, Any]) -> str:
    """``heart: 918 rows, 10 columns -> mlp 64-64 -> disease (2 classes), 5,441 parameters``."""
    data, words = facts["data"], words_of(facts)
    classes = facts["classes"]
    goal = f"{len(classes)} classes" if classes else "a number"
    parts = ", ".join(f"{count} {name}" for name, count in facts["split"].items())
    return (
        f"{data['name']}: {words.source} -> {words.network} -> {data['target']} ({goal}), "
        f"{facts['model']['parameters']} parameters\n{parts}; seed {facts['seed']}"
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
    words, count = words_of(facts), facts["split"]["test"]
    unit = words.unit if count == 1 else words.units
    rows = [(f"{count} test {unit}", "this model", task_of_run(facts).guess)]
    for name, value in facts["metrics"].items():
        rows.append((name, number(value), number(facts["baseline"].get(name))))
    return rows


def result_lines(facts: Mapping[str, Any]) -> list[str]:
    """How training ended, and the results as aligned text."""
    rows = result_rows(facts)
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    aligned = [f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}" for a, b, c in rows]
    return [closing(facts), *aligned]


def group_lines(facts: Mapping[str, Any]) -> list[str]:
    """Mean and standard deviation of each metric over the runs of a group, aligned."""
    rows = [("metric", "mean", "std", "lowest", "highest")]
    for name, s in facts["summary"].items():
        rows.append((name, *(number(s[k]) for k in ("mean", "std", "min", "max"))))
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    return [
        f"{row[0]:<{widths[0]}}  "
        + "  ".join(f"{c:>{w}}" for c, w in zip(row[1:], widths[1:], strict=True))
        for row in rows
    ]


def number(value: float | None) -> str:
    """Four digits, or a dash for a number that does not exist."""
    return "-" if value is None or value != value else f"{value:.4g}"


class Recorder(Callback):
    """Writes every epoch to the run folder, and what the trainer has to tell."""

    def __init__(self, folder: RunFolder, listener: Listener) -> None:
        self.folder, self.listener = folder, listener
        self._epochs = self._told = 0

    def on_epoch_begin(self, epoch: int, logs: Logs) -> None:
        self._tell()

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        self._tell()
        if epoch < self._epochs:  # training went back to an earlier state
            self.folder.cut_metrics(self.trainer.history.rows()[:epoch])
        self._epochs = epoch + 1
        numbers = {"epoch": epoch + 1, "seconds": self.folder.seconds(), **logs}
        rates = rates_of(self.trainer.optimizer)
        self.folder.metrics({**numbers, "lr": rates[0]} if rates else numbers)

    def on_train_end(self, logs: Logs) -> None:
        self._tell()

    def _tell(self) -> None:
        for text in self.trainer.messages[self._told :]:
            self.folder.event("note", message=text)
            self.folder.log(text)
            self.listener.note(text)
        self._told = len(self.trainer.messages)

    def state(self) -> dict[str, int]:
        return {"epochs": self._epochs}

    def set_state(self, state: Mapping[str, Any]) -> None:
        self._epochs = int(state["epochs"])
