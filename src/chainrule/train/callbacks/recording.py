"""Callbacks that write: weights, numbers, backups; and one that calls a function."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...arguments import path_of
from ...errors import ConfigError, StateError
from ...ir.types import is_whole
from ...showing import spreadsheet_text
from ..callback import Callback, Logs, Mode, direction, watched
from ..checkpoints.folder import Checkpoints
from ..checkpoints.weights_file import save

__all__ = ["BackupAndRestore", "CSVLogger", "LambdaCallback", "ModelCheckpoint"]


class LambdaCallback(Callback):
    """Calls a function at the end of each epoch: ``LambdaCallback(lambda epoch, logs: ...)``."""

    def __init__(self, on_epoch_end: Callable[[int, Logs], None]) -> None:
        if not callable(on_epoch_end):
            raise ConfigError(
                f"on_epoch_end is {on_epoch_end!r}", help="pass a function of (epoch, logs)"
            )
        self._function = on_epoch_end

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        self._function(epoch, logs)


class ModelCheckpoint(Callback):
    """Writes the model's weights to a safetensors file after each epoch.

    ``path`` may hold the epoch (from 1) and the epoch's numbers:
    ``"weights-{epoch:03d}-{val_loss:.3f}.safetensors"``. With ``save_best_only`` a file is written
    when ``monitor`` is better than ever before. ``keep`` leaves only the last so many files that
    it has written. With an average of weights, that is what is written.

    For everything that a training needs to go on, see `Checkpoints`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        monitor: str = "val_loss",
        save_best_only: bool = False,
        mode: Mode = "auto",
        keep: int | None = None,
    ) -> None:
        if keep is not None and (not is_whole(keep) or keep < 1):
            raise ConfigError(
                f"keep is {keep!r}", help="keep must be a whole number of at least 1, or None"
            )
        self.path = str(path_of(path, "the file for weights"))
        self.monitor, self.keep = monitor, keep
        self.save_best_only = save_best_only
        self.sign = direction("ModelCheckpoint", monitor, mode) if save_best_only else 1
        self.on_train_begin({})

    def on_train_begin(self, logs: Logs) -> None:
        self.best = self.sign * np.inf
        self.written: list[str] = []

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        if self.save_best_only:
            value = watched("ModelCheckpoint", self.monitor, logs)
            if not self.sign * value < self.sign * self.best:
                return
            self.best = value
        name = self._name(epoch, logs)
        with self.trainer.averaged():
            save(self.trainer.model, name)
        self.written = [n for n in self.written if n != name] + [name]
        if self.keep is not None:
            for old in self.written[: -self.keep]:
                Path(old).unlink(missing_ok=True)
            self.written = self.written[-self.keep :]

    def _name(self, epoch: int, logs: Logs) -> str:
        try:
            return self.path.format(epoch=epoch + 1, **logs)
        except (KeyError, IndexError, ValueError) as error:
            raise ConfigError(
                f"the path {self.path!r} cannot be filled in: {error}",
                help=f"available: epoch, {', '.join(logs)}",
            ) from None

    def state(self) -> dict[str, Any]:
        return {"best": float(self.best), "written": list(self.written)}

    def set_state(self, state: Mapping[str, Any]) -> None:
        self.best, self.written = state["best"], list(state["written"])


class CSVLogger(Callback):
    """Writes a line of numbers for each epoch, with a line of names above.

    A training that is resumed goes on in the same file; lines that were written after its
    checkpoint, and are about to be written again, are removed first.
    """

    def __init__(self, path: str | os.PathLike[str], separator: str = ",") -> None:
        self.path, self.separator = path_of(path, "the file for numbers"), separator
        self.on_train_begin({})

    def on_train_begin(self, logs: Logs) -> None:
        self._names: list[str] = []
        self._length = 0

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        try:
            self._write(epoch, logs)
        except OSError as error:
            raise StateError(
                f"cannot write {self.path}: {error.strerror or error}",
                help="check that the folder exists and is writable, and that the disk has space",
            ) from None

    def _write(self, epoch: int, logs: Logs) -> None:
        with self.path.open("a+", encoding="utf-8", newline="") as file:
            file.truncate(min(self._length, file.seek(0, os.SEEK_END)))
            writer = csv.writer(file, delimiter=self.separator, lineterminator="\n")
            if not self._names:
                self._names = ["epoch", *logs]
                writer.writerow(map(spreadsheet_text, self._names))
            numbers: dict[str, float] = {"epoch": epoch, **logs}
            writer.writerow([numbers.get(name, float("nan")) for name in self._names])
            file.flush()
            self._length = file.tell()

    def state(self) -> dict[str, Any]:
        return {"names": list(self._names), "length": self._length}

    def set_state(self, state: Mapping[str, Any]) -> None:
        self._names, self._length = list(state["names"]), state["length"]


class BackupAndRestore(Callback):
    """Makes `Trainer.fit` keep a checkpoint in ``folder``, and go on from one that is there.

    The same as ``fit(..., checkpoints=Checkpoints(folder, save_freq, keep=1), resume=True)``, but
    the checkpoints are removed when the training comes to its end, unless ``delete_checkpoint`` is
    false.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        save_freq: str | int = "epoch",
        delete_checkpoint: bool = True,
    ) -> None:
        self.checkpoints = Checkpoints(folder, save_freq, keep=1, monitor=None)
        self.delete_checkpoint = delete_checkpoint

    def on_train_end(self, logs: Logs) -> None:
        run = self.trainer.run
        if self.delete_checkpoint and run is not None and run.completed:
            self.checkpoints.clear()
