"""Requests to a training that is going on, through its run folder.

Whoever may write the folder may ask: a file in ``control/`` says what for, and the training looks
there between its calls and at the end of each epoch. Where there is no such folder, looking costs
one call of the system. What was done is an event of the run, with epoch and step:

    pause   the training waits, and resume ends that: no bit changes
    stop    the training ends with this epoch, is evaluated and saved, and can be resumed
    lr      the learning rate from here on. A schedule goes on, scaled. ``run.toml`` alone no longer
            gives this run: the event is what is missing. Checkpoints keep the rate
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError, StateError
from ..ir.types import is_real
from ..phrasing import plain_number
from ..records import file_text, parsed
from ..train import Callback
from ..train.callbacks.rates import rates_of, set_rates
from ..train.checkpoints.weights_file import write_whole
from ..unverified import number, table, text
from .folder import RunFolder, is_being_written, json_text
from .listeners import Listener

__all__ = ["ACTIONS", "Controlled", "request_action"]

Logs = Mapping[str, float]

ACTIONS = ("pause", "resume", "stop", "lr")
FOLDER = "control"
#: seconds between two looks while the training waits
WAIT = 0.1


def request_action(run: Path, action: object, value: object = None) -> None:
    """Asks the training that writes ``run`` for one of `ACTIONS`; ``value`` is the rate for ``lr``.

    ConfigError for anything else, StateError if nothing is being trained there.
    """
    if action not in ACTIONS:
        raise ConfigError(
            f"a training cannot be asked for {action!r}", help=f"it knows {', '.join(ACTIONS)}"
        )
    rate = number(value) if action == "lr" else None
    if action == "lr" and (rate is None or not 0 < rate <= 1e6):
        raise ConfigError(f"{value!r} is not a learning rate", help="pass a number above 0")
    if not is_being_written(run):
        raise StateError("the run is not being trained", where=str(run), help="resume it first")
    request = {"action": action} if rate is None else {"action": action, "value": rate}
    try:
        (run / FOLDER).mkdir(exist_ok=True)
    except OSError as error:
        raise StateError(
            f"nothing can be asked of the run: {error.strerror or error}", where=str(run),
            help="check who owns the folder",
        ) from None  # fmt: skip
    file = run / FOLDER / f"{time.time_ns():020d}-{os.getpid()}.json"
    write_whole(file, json_text(request).encode("utf-8"))


class Controlled(Callback):
    """Does what was asked for, and says so."""

    def __init__(self, folder: RunFolder, listener: Listener) -> None:
        self.folder, self.listener = folder, listener
        #: whether a request, and no rule of the training, ended it
        self.stopped = False

    def on_train_begin(self, logs: Logs) -> None:
        self.stopped = False
        for _ in self._requests():
            pass  # meant for a process that has ended

    def on_progress(self, epoch: int, share: float, logs: Logs) -> None:
        self._look()

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        self._look()

    def on_train_end(self, logs: Logs) -> None:
        if self.folder.path is not None:
            with contextlib.suppress(OSError):
                (self.folder.path / FOLDER).rmdir()

    def state(self) -> dict[str, Any]:
        return {"stopped": True} if self.stopped else {}

    def set_state(self, state: Mapping[str, Any]) -> None:
        if state["stopped"]:
            self.trainer.stop_training = False

    def _requests(self) -> Iterator[Mapping[str, Any]]:
        """What was asked for, in order; each once."""
        if self.folder.path is None:
            return
        try:
            names = sorted(os.listdir(self.folder.path / FOLDER))
        except OSError:
            return
        for name in names:
            if name.startswith("."):
                continue  # being written
            file = self.folder.path / FOLDER / name
            request: Any = None
            with contextlib.suppress(OSError, StateError):
                request = parsed(file_text(file), name, str(file))
            with contextlib.suppress(OSError):
                file.unlink()
            yield table(request)

    def _look(self) -> None:
        for request in self._requests():
            if request.get("action") == "pause":
                self._pause()
            else:
                self._do(request)

    def _do(self, request: Mapping[str, Any]) -> None:
        action, rate = text(request.get("action")), number(request.get("value"))
        if action == "stop" and not self.trainer.stop_training:
            self.stopped = self.trainer.stop_training = True
            self._tell("stop", "asked to stop: the training ends with this epoch and is saved")
        elif action == "lr" and self.trainer.together.workers is not None:
            self._tell("lr", "the learning rate stays: workers of MPI share this training")
        elif action == "lr" and rate is not None and is_real(rate) and rate > 0:
            before = max(rates_of(self.trainer.optimizer), default=0.0)
            if not before:
                self._tell("lr", "a new learning rate was asked for, but there is none to replace")
                return
            set_rates(self.trainer.optimizer, rate)
            self._tell(
                "lr",
                f"learning rate set from {plain_number(before)} to {plain_number(rate)} by hand; "
                "run.toml alone no longer reproduces this run",
                before=before, value=rate,
            )  # fmt: skip

    def _pause(self) -> None:
        """Waits for ``resume``, ``stop`` or a signal."""
        run = self.trainer.run
        assert run is not None
        self._tell("pause", "paused")
        begun, over = time.monotonic(), False
        while not over and not run.interrupts.pending:
            time.sleep(WAIT)
            for request in self._requests():
                over |= request.get("action") in ("resume", "stop")
                if request.get("action") not in ("pause", "resume"):
                    self._do(request)
        run.clock["paused"] += time.monotonic() - begun
        self._tell("resume", f"resumed after a pause of {time.monotonic() - begun:.1f} s")

    def _tell(self, action: str, message: str, **facts: float) -> None:
        run = self.trainer.run
        assert run is not None
        position = {"epoch": run.epoch, "step": run.steps}
        self.folder.event("control", action=action, message=message, **position, **facts)
        self.folder.log(message)
        self.listener.note(message)
