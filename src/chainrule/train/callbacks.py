"""Callbacks: code that runs at fixed points of a training, with Keras' hook names.

Epochs and batches count from 0. ``logs`` holds the numbers known by then. A callback stops the
training with ``self.trainer.stop_training = True``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..errors import ConfigError
from .metrics import METRICS

if TYPE_CHECKING:
    from .trainer import Trainer

__all__ = ["Callback", "CallbackList", "EarlyStopping", "LambdaCallback"]

Logs = Mapping[str, float]
Mode = Literal["auto", "min", "max"]


class Callback:
    """Base of all callbacks: override the hooks you need.

    Overriding a batch hook makes the trainer run one step at a time; all others cost nothing
    between steps.
    """

    trainer: Trainer

    def set_trainer(self, trainer: Trainer) -> None:
        """Called before `on_train_begin`."""
        self.trainer = trainer

    def on_train_begin(self, logs: Logs) -> None: ...

    def on_train_end(self, logs: Logs) -> None:
        """Always called when `on_train_begin` was, also after an error or Ctrl-C."""

    def on_epoch_begin(self, epoch: int, logs: Logs) -> None: ...

    def on_epoch_end(self, epoch: int, logs: Logs) -> None: ...

    def on_train_batch_begin(self, batch: int, logs: Logs) -> None: ...

    def on_train_batch_end(self, batch: int, logs: Logs) -> None: ...

    def on_test_begin(self, logs: Logs) -> None: ...

    def on_test_end(self, logs: Logs) -> None: ...

    def on_progress(self, epoch: int, share: float, logs: Logs) -> None:
        """Called some times a second with the share of the epoch's steps that are done."""


class CallbackList:
    """Calls a hook of every callback that overrides it, in order.

    ``hooks("on_epoch_end", 3, logs)``; ``hooks.listens("on_epoch_end")`` tells whether any does.
    """

    def __init__(self, callbacks: Sequence[Callback], trainer: Trainer) -> None:
        self._calls: dict[str, list[Callable[..., None]]] = {}
        for callback in callbacks:
            if not isinstance(callback, Callback):
                raise ConfigError(
                    f"{callback!r} is not a callback",
                    help="derive it from chainrule.callbacks.Callback and give an instance",
                )
            callback.set_trainer(trainer)
            for name, inherited in vars(Callback).items():
                if name.startswith("on_") and getattr(type(callback), name) is not inherited:
                    self._calls.setdefault(name, []).append(getattr(callback, name))

    def listens(self, *hooks: str) -> bool:
        """Whether any callback overrides one of ``hooks``."""
        return any(hook in self._calls for hook in hooks)

    def __call__(self, hook: str, *args: Any) -> None:
        for call in self._calls.get(hook, ()):
            call(*args)


class LambdaCallback(Callback):
    """Calls a function at the end of each epoch: ``LambdaCallback(lambda epoch, logs: ...)``."""

    def __init__(self, on_epoch_end: Callable[[int, Logs], None]) -> None:
        self._function = on_epoch_end

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        self._function(epoch, logs)


class EarlyStopping(Callback):
    """Stops when ``monitor`` has not improved by more than ``min_delta`` for ``patience`` epochs.

    At the end of training, however it ends, the weights of the best epoch are restored unless
    ``restore_best=False``. ``mode`` says what is better; ``auto`` knows losses and the metrics of
    `chainrule.train.metrics`. Afterwards ``best``, ``best_epoch`` and ``stopped_epoch`` (-1 if
    never) tell what happened.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 5,
        min_delta: float = 0.0,
        mode: Mode = "auto",
        restore_best: bool = True,
    ) -> None:
        if patience < 0 or not min_delta >= 0:
            raise ConfigError(
                f"early stopping with patience {patience!r} and min_delta {min_delta!r}",
                help="both are at least 0",
            )
        self.monitor, self.patience, self.min_delta = monitor, patience, float(min_delta)
        self.sign = -1.0 if _direction(monitor, mode) == "max" else 1.0
        self.restore_best = restore_best
        self.on_train_begin({})

    def on_train_begin(self, logs: Logs) -> None:
        self.best, self.best_epoch, self.stopped_epoch = self.sign * np.inf, -1, -1
        self.best_weights: dict[str, Any] | None = None
        self._wait = 0

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        value = self._value(logs)
        if self.sign * value < self.sign * self.best - self.min_delta:
            self.best, self.best_epoch, self._wait = value, epoch, 0
            if self.restore_best:
                self.best_weights = copy.deepcopy(dict(self.trainer.model.state_dict()))
            return
        self._wait += 1
        if self._wait >= max(self.patience, 1):
            self.stopped_epoch = epoch
            self.trainer.stop_training = True

    def on_train_end(self, logs: Logs) -> None:
        if self.best_weights is not None:
            self.trainer.model.load_state_dict(self.best_weights)

    def _value(self, logs: Logs) -> float:
        if self.monitor not in logs:
            validation = self.monitor.startswith("val_")
            raise ConfigError(
                f"early stopping watches {self.monitor!r}, which is not computed",
                help=f"computed are {', '.join(logs)}"
                + ("; give fit(..., validation=(Xv, yv))" if validation else ""),
            )
        return float(logs[self.monitor])


def _direction(monitor: str, mode: Mode) -> str:
    """``min`` or ``max``."""
    if mode in ("min", "max"):
        return mode
    name = monitor.removeprefix("val_")
    if mode != "auto" or (name != "loss" and name not in METRICS):
        raise ConfigError(
            f"early stopping cannot tell whether more or less of {monitor!r} is better",
            help='say mode="min" or mode="max"',
        )
    return "max" if name in METRICS and METRICS[name].higher_is_better else "min"
