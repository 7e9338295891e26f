"""Scalars for TensorBoard, written by TensorBoard's own writer (the extra ``tensorboard``).

Training and validation go to the folders ``train`` and ``validation``, so that TensorBoard draws
both in one chart: ``loss``, each metric under its name, and ``learning_rate``. Steps are epochs,
counted from 1.
"""

from __future__ import annotations

import importlib
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..arguments import user_path
from ..errors import ConfigError, StateError
from ..train import Callback
from ..train.callback import Logs
from ..train.callbacks.rates import rates_of
from .facts import report_facts

__all__ = ["TensorBoard", "export_tensorboard"]

RATE = "learning_rate"


class TensorBoard(Callback):
    """Writes the numbers of every epoch to ``folder``::

        trainer.fit(..., callbacks=[chainrule.report.TensorBoard("logs/first")])

    Then ``tensorboard --logdir logs``. When training is resumed or rolls back to an earlier epoch,
    TensorBoard is told to discard what was written of the epochs that come again. With several
    parameter groups, the learning rate is that of the first. Raises ConfigError if the package is
    missing, StateError if nothing can be written.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = user_path(folder, "the folder of TensorBoard")
        self._events = Events(self.folder)  # a missing package raises before training

    def on_train_begin(self, logs: Logs) -> None:
        self._events = Events(self.folder)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        rates = rates_of(self.trainer.optimizer)
        numbers = {**logs, RATE: rates[0]} if rates else dict(logs)
        self._events.write(epoch + 1, numbers, time.time())
        self._events.flush()

    def on_train_end(self, logs: Logs) -> None:
        self._events.close()


def export_tensorboard(run: str | os.PathLike[str], folder: str | os.PathLike[str]) -> Path:
    """Writes the epochs of a run folder as TensorBoard events in ``folder``, and returns it.

    Raises what `report_facts` and `TensorBoard` raise.
    """
    history: dict[str, list[Any]] = report_facts(user_path(run, "the run folder"))["history"]
    target = user_path(folder, "the folder of TensorBoard")
    events = Events(target)
    now = time.time()
    for i, epoch in enumerate(history["epoch"]):
        numbers = {n: v[i] for n, v in history.items() if n != "epoch" and v[i] is not None}
        events.write(epoch, {RATE if n == "lr" else n: v for n, v in numbers.items()}, now)
    events.close()
    return target


class Protocol:
    """The names of TensorBoard's package that are used here."""

    def __init__(self) -> None:
        try:
            events = importlib.import_module("tensorboard.compat.proto.event_pb2")
            summaries = importlib.import_module("tensorboard.compat.proto.summary_pb2")
            writer = importlib.import_module("tensorboard.summary.writer.event_file_writer")
        except ImportError:
            raise ConfigError(
                "the package tensorboard is not installed",
                help='pip install "chainrule[tensorboard]"',
            ) from None
        self.event, self.session_log = events.Event, events.SessionLog
        self.summary, self.writer = summaries.Summary, writer.EventFileWriter


class Events:
    """Event files in one folder, one for each of ``train`` and ``validation``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._protocol = Protocol()
        self._writers: dict[str, Any] = {}
        self._last: dict[str, int] = {}

    def write(self, epoch: int, numbers: Mapping[str, float], moment: float) -> None:
        """Writes the numbers of one epoch, counted from 1."""
        parts: dict[str, dict[str, float]] = {}
        for name, value in numbers.items():
            part = "validation" if name.startswith("val_") else "train"
            parts.setdefault(part, {})[name.removeprefix("val_")] = value
        for part, values in parts.items():
            self._write(part, epoch, values, moment)

    def _write(self, part: str, epoch: int, numbers: Mapping[str, float], moment: float) -> None:
        p = self._protocol
        writer = self._writer(part)
        if epoch <= self._last.get(part, epoch):
            # Readers discard what earlier events say of this epoch and later ones.
            start = p.session_log(status=p.session_log.START)
            writer.add_event(p.event(wall_time=moment, step=epoch, session_log=start))
        self._last[part] = epoch
        values = [p.summary.Value(tag=n, simple_value=_to_float32(v)) for n, v in numbers.items()]
        writer.add_event(p.event(wall_time=moment, step=epoch, summary=p.summary(value=values)))

    def _writer(self, part: str) -> Any:
        if part not in self._writers:
            try:
                self._writers[part] = self._protocol.writer(str(self.folder / part))
            except OSError as error:
                raise _unwritable(self.folder, error) from None
        return self._writers[part]

    def flush(self) -> None:
        """Makes what was written visible to readers."""
        try:
            for writer in self._writers.values():
                writer.flush()
        except OSError as error:
            raise _unwritable(self.folder, error) from None

    def close(self) -> None:
        """Closes all files."""
        try:
            for writer in self._writers.values():
                writer.close()
        except OSError as error:
            raise _unwritable(self.folder, error) from None


def _to_float32(value: float) -> float:
    """``value``, infinite if it is out of the range of float32."""
    return value if abs(value) <= 3.4028234e38 or value != value else math.copysign(math.inf, value)


def _unwritable(folder: Path, error: OSError) -> StateError:
    return StateError(
        f"TensorBoard's events cannot be written: {error.strerror or error}",
        where=str(folder),
        help="choose another folder, or make room",
    )
