"""Listeners to a training: its run folder, the terminal, or one of your own."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from ..data import Finding, Setting
from ..showing import visible
from ..train import Callback, Progress
from ..train.callbacks.progress import is_terminal, write_talk
from ..train.callbacks.rates import rates_of
from ..train.observation import Observation
from .fixes import as_argument
from .folder import RunFolder
from .predictor import Predictor
from .settings.arguments import COMMON_ARGUMENTS
from .wording import closing, finding_text, group_lines, headline, result_lines

__all__ = ["Listener", "Recorder", "Talk"]

Logs = Mapping[str, float]


class Listener:
    """Hears of every stage of ``fit``. Override the methods you need; here they do nothing."""

    def stage(self, text: str) -> None:
        """What is done before training, such as ``reading heart``; empty when it is over."""

    @contextlib.contextmanager
    def staged(self, text: str) -> Iterator[None]:
        """Inside, ``text`` is what is done."""
        self.stage(text)
        try:
            yield
        finally:
            self.stage("")

    def findings(self, findings: tuple[Finding, ...]) -> None:
        """What was found in the data, before training."""

    def begin(self, facts: Mapping[str, Any]) -> None:
        """Training begins; ``facts`` are those of ``run.json``."""

    def callbacks(self, epochs: int) -> list[Callback]:
        """Callbacks to add to the trainer."""
        return []

    def note(self, text: str) -> None:
        """Something happened in training: it converged, or rolled back to an earlier state."""

    def interrupted(self, facts: Mapping[str, Any], run: Path | None) -> None:
        """Ctrl-C: the state so far is saved in ``run``."""

    def done(self, predictor: Predictor[Any, Any, Any], facts: Mapping[str, Any]) -> None:
        """Training is done: the fitted predictor, and the final ``run.json``."""

    def member(self, index: int, count: int, name: str) -> None:
        """In a group, the training called ``name`` comes next; ``index`` counts from 0."""

    def repeated(self, facts: Mapping[str, Any], group: Path | None) -> None:
        """All trainings of a group are done; ``facts`` are those of ``group.json``."""


class Talk(Listener):
    """Reports everything in plain lines on stderr, with live progress on a terminal. Training goes
    on if the stream cannot be written.

    ``arguments`` are those of the function that was called, each with the key of its setting; the
    fixes of findings are spelled as such.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        progress: str = "auto",
        arguments: Mapping[str, tuple[str, ...]] = COMMON_ARGUMENTS,
    ) -> None:
        self.stream: TextIO | None = sys.stderr if stream is None else stream
        self.progress = progress
        self.arguments = arguments

    def say(self, text: str) -> None:
        write_talk(self.stream, f"{visible(text)}\n")

    def stage(self, text: str) -> None:
        # One line of a terminal, which is empty again when the work is done.
        if self._live():
            shown = f"{visible(text)} ..." if text else ""
            write_talk(self.stream, f"\r{shown[: shutil.get_terminal_size().columns - 1]}\x1b[K")

    def _live(self) -> bool:
        if self.progress != "auto":
            return self.progress == "bar"
        return is_terminal(self.stream) and os.environ.get("TERM") != "dumb"

    def findings(self, findings: tuple[Finding, ...]) -> None:
        for finding in findings:
            self.say(finding_text(finding, self.spell))

    def spell(self, setting: Setting) -> str:
        """A setting as the reader would set it."""
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


class Recorder(Callback):
    """Writes every epoch and every message of the trainer to the run folder."""

    def __init__(self, folder: RunFolder, listener: Listener) -> None:
        self.folder, self.listener = folder, listener
        self._epochs = self._reported = 0

    def on_epoch_begin(self, epoch: int, logs: Logs) -> None:
        self._report_messages()
        run = self.trainer.run
        if epoch < self._epochs and run is not None:  # training rolled back
            self.folder.cut_observations(run.steps)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        self._report_messages()
        if epoch < self._epochs:  # training rolled back to an earlier state
            self.folder.cut_metrics(self.trainer.history.rows()[:epoch])
        self._epochs = epoch + 1
        metrics = {"epoch": epoch + 1, "seconds": self.folder.seconds(), **logs}
        rates = rates_of(self.trainer.optimizer)
        self.folder.metrics({**metrics, "lr": rates[0]} if rates else metrics)

    def on_observation(self, observation: Observation) -> None:
        seconds = {"seconds": self.folder.seconds()}
        layers, histograms = observation.to_dict(), observation.histograms()
        self.folder.observation({**layers, **seconds}, histograms)

    def on_rollback(self, epoch: int, logs: Logs) -> None:
        run = self.trainer.run
        assert run is not None
        self.folder.event("rollback", epoch=epoch, step=run.steps, **logs)

    def on_train_end(self, logs: Logs) -> None:
        self._report_messages()

    def _report_messages(self) -> None:
        for text in self.trainer.messages[self._reported :]:
            self.folder.event("note", message=text)
            self.folder.log(text)
            self.listener.note(text)
        self._reported = len(self.trainer.messages)

    def state(self) -> dict[str, int]:
        return {"epochs": self._epochs}

    def set_state(self, state: Mapping[str, Any]) -> None:
        self._epochs = int(state["epochs"])
