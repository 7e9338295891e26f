"""One training: what it works with, and how far it has come."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError, StateError
from .accumulate import Accumulation
from .batch_source import BatchSource, Rows, has_lengths
from .callback import CallbackList
from .checkpoints.folder import Checkpoints
from .interrupts import Interrupts
from .order import Order
from .plan import batches

__all__ = ["Run", "check_settings", "checked_epochs"]


@dataclass
class Run:
    """What one call of `Trainer.fit` works with, and how far it is: ``step`` steps of ``epoch``."""

    train: BatchSource
    validation: BatchSource | None
    order: Order
    epochs: int
    hooks: CallbackList
    checkpoints: Checkpoints | None = None
    interrupts: Interrupts = field(default_factory=Interrupts)
    epoch: int = 0
    step: int = 0
    #: the sums of the losses of the rows, for each of those steps
    sums: list[npt.NDArray[np.float64]] = field(default_factory=list)
    #: seconds spent: in ``all``, in the ``first`` call of steps (with compilation), in the other
    #: ``steps``, ``validation``, ``callbacks``, ``observing`` and ``preparing`` to observe
    clock: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    #: whether it came to its end, rather than to an error or Ctrl-C
    completed: bool = False
    #: whether it is going on
    active: bool = True

    @property
    def steps(self) -> int:
        """Steps done since the beginning, in all epochs."""
        return self.epoch * self.order.steps + self.step

    def batches(self, epoch: int) -> list[Rows]:
        """The rows of the batches of an epoch; see `plan.batches`."""
        return batches(self.train, self.order, epoch)

    def advance(self, losses: npt.NDArray[Any], batch: int) -> None:
        """Steps on batches of ``batch`` rows were done, with these mean losses."""
        self.sums.append(losses.astype(np.float64) * batch)
        self.step += len(losses)

    @property
    def loss_sum(self) -> float:
        """The sum of the losses of all rows of the epoch so far, however the steps were sliced."""
        return float(np.concatenate(self.sums).sum())

    def begin_epoch(self, epoch: int) -> None:
        """Nothing of ``epoch`` is done yet."""
        self.epoch, self.step, self.sums = epoch, 0, []

    def save(self, state: Callable[[], Any], logs: Mapping[str, float]) -> None:
        """A checkpoint of this moment, unless there is one already."""
        if self.checkpoints is not None:
            self.checkpoints.save(state, self.steps, self.epoch, logs)

    def position(self) -> dict[str, Any]:
        """For a checkpoint."""
        sums = np.concatenate(self.sums) if self.sums else np.empty(0)
        return {"epoch": self.epoch, "step": self.step, "sums": sums}

    def set_position(self, position: dict[str, Any]) -> None:
        """Go on from what `position` gave."""
        self.epoch, self.step = position["epoch"], position["step"]
        self.sums = [position["sums"]] if self.step else []

    def settings(self, accumulation: Accumulation) -> dict[str, Any]:
        """What must be the same when a training goes on, because the order of rows comes of it."""
        order = self.order
        lengths = {"lengths": list(self.train.bounds)} if has_lengths(self.train) else {}
        parts = {} if accumulation.parts == 1 else {"parts": accumulation.parts}
        return {
            "rows": order.rows,
            "batch_size": order.batch,
            "seed": order.seed,
            "shuffle": order.shuffle,
            "accumulate": accumulation.every,
            **parts,
            **lengths,
        }


def check_settings(saved: dict[str, Any], current: dict[str, Any]) -> None:
    """StateError that names what differs."""
    changed = [
        f"{name} {saved.get(name)!r}, now {value!r}"
        for name, value in ({"parts": 1} | current).items()
        if saved.get(name, 1 if name == "parts" else None) != value
    ]
    if changed:
        raise StateError(
            f"the interrupted training had {'; '.join(changed)}",
            help="resume with the same data and settings, or start a new training in another "
            "folder with the weights of this one",
        )


def checked_epochs(epochs: Any) -> int:
    """ConfigError unless it is a number of epochs."""
    if not isinstance(epochs, int | np.integer) or isinstance(epochs, bool) or epochs < 0:
        raise ConfigError(
            f"epochs is {epochs!r}", help="epochs must be a whole number of at least 0"
        )
    return int(epochs)
