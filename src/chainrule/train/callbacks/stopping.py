"""Callbacks that end a training: early stopping, convergence, a time limit, no finite loss."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import ConfigError, TrainingError
from ...ir.types import is_real, is_whole
from ..callback import Callback, Logs, Mode, direction, watched

__all__ = ["Converged", "EarlyStopping", "LastEpoch", "TerminateOnNaN", "TimeLimit"]


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
        valid = is_whole(patience) and patience >= 0 and is_real(min_delta) and min_delta >= 0
        if not valid:
            raise ConfigError(
                f"invalid early stopping: patience={patience!r}, min_delta={min_delta!r}",
                help="both must be at least 0, and patience a whole number",
            )
        self.monitor, self.patience, self.min_delta = monitor, patience, float(min_delta)
        self.sign = direction("early stopping", monitor, mode)
        self.restore_best = restore_best
        self.on_train_begin({})

    def on_train_begin(self, logs: Logs) -> None:
        self.best, self.best_epoch, self.stopped_epoch = self.sign * np.inf, -1, -1
        self.best_weights: dict[str, Any] | None = None
        self._wait = 0

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        value = watched("early stopping", self.monitor, logs)
        if self.sign * value < self.sign * self.best - self.min_delta:
            self.best, self.best_epoch, self._wait = value, epoch, 0
            if self.restore_best:
                self.best_weights = self.trainer.weights()
            return
        self._wait += 1
        if self._wait >= max(self.patience, 1):
            self.stopped_epoch = epoch
            self.trainer.stop_training = True

    def on_train_end(self, logs: Logs) -> None:
        if self.best_weights is not None:
            self.trainer.set_weights(self.best_weights)

    def state(self) -> dict[str, Any]:
        return {
            "best": float(self.best),
            "best_epoch": self.best_epoch,
            "stopped_epoch": self.stopped_epoch,
            "wait": self._wait,
            "weights": self.best_weights,
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        self.best, self.best_epoch = state["best"], state["best_epoch"]
        self.stopped_epoch, self._wait = state["stopped_epoch"], state["wait"]
        self.best_weights = state["weights"]
        if self.stopped_epoch >= 0:
            self.trainer.stop_training = True


class TimeLimit(Callback):
    """Ends training after the epoch whose end is nearest to ``seconds``, as far as the epoch before
    tells; after one epoch at least.

    A training that is resumed after that has the whole time once more.
    """

    def __init__(self, seconds: float) -> None:
        if not is_real(seconds) or not seconds > 0:
            raise ConfigError(
                f"invalid time limit: {seconds!r} seconds", help="pass a number above 0"
            )
        self.seconds = seconds
        self.reached = False

    def on_train_begin(self, logs: Logs) -> None:
        self.reached = False
        self._begun = self._latest = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        now = time.monotonic()
        another, self._latest = now - self._latest, now
        near = now - self._begun + another / 2 >= self.seconds
        if near and not self.trainer.stop_training:
            self.reached = self.trainer.stop_training = True

    def state(self) -> dict[str, Any]:
        return {"reached": self.reached}

    def set_state(self, state: Mapping[str, Any]) -> None:
        if state["reached"]:
            self.trainer.stop_training = False


class LastEpoch(Callback):
    """Ends training after so many ``epochs``, though its schedule may be planned for more."""

    def __init__(self, epochs: int) -> None:
        if not is_whole(epochs) or epochs < 1:
            raise ConfigError(f"invalid last epoch: {epochs!r}", help="pass a whole number above 0")
        self.epochs = epochs

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        if epoch + 1 >= self.epochs:
            self.trainer.stop_training = True


class TerminateOnNaN(Callback):
    """Ends training quietly when the loss is no longer finite, where an error would be raised.

    ``epoch`` is the epoch in which it happened (-1 if never) and ``message`` what there was to say.
    The weights are those before the step that failed (after it, with ``explain=False``);
    `EarlyStopping` puts the best ones back.
    """

    def __init__(self) -> None:
        self.epoch, self.message = -1, ""

    def on_train_begin(self, logs: Logs) -> None:
        self.epoch, self.message = -1, ""

    def on_divergence(self, epoch: int, error: TrainingError) -> bool:
        self.epoch, self.message = epoch, str(error)
        self.trainer.tell(f"training stops: {error.what} ({error.where})")
        self.trainer.stop_training = True
        return True


class Converged(Callback):
    """Trains until nothing moves any more. Each tolerance that is given is a test of its own:

    * ``loss``: the loss of the epoch changed by at most ``loss * max(1, |loss|)``;
    * ``gradient``: the gradient of the mean loss over all training rows, in evaluation mode, has a
      norm of at most ``gradient``. This takes the time of an epoch more for each epoch;
    * ``parameters``: the weights moved by at most ``parameters * max(1, |weights|)`` in the epoch,
      both as Euclidean norms.

    Training stops when one of them holds in ``patience`` epochs one after the other; ``reason``
    then says which, in words (empty while nothing has converged). The tests of Nocedal, Wright
    2006, "Numerical optimization", and of Dennis, Schnabel 1983, section 7.2, with norms of 2.
    """

    def __init__(
        self,
        loss: float | None = None,
        gradient: float | None = None,
        parameters: float | None = None,
        patience: int = 1,
    ) -> None:
        tolerances = [t for t in (loss, gradient, parameters) if t is not None]
        valid = all(is_real(t) and 0 <= t < np.inf for t in tolerances)
        if not tolerances or not valid or not is_whole(patience) or patience < 1:
            raise ConfigError(
                f"invalid convergence test: loss={loss!r}, gradient={gradient!r}, "
                f"parameters={parameters!r}, patience={patience!r}",
                help="pass at least one tolerance of 0 or more, such as Converged(loss=1e-6)",
            )
        self.loss, self.gradient, self.parameters = loss, gradient, parameters
        self.patience = patience
        self._reset()

    def _reset(self) -> None:
        self.reason = ""
        self._epochs_held = {"loss": 0, "gradient": 0, "parameters": 0}
        self._last_loss: float | None = None
        self._last: list[Any] | None = None

    def on_train_begin(self, logs: Logs) -> None:
        self._reset()
        if self.parameters is not None:
            self._last = self._weights()

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        settled = {
            "loss": self._loss_settled(logs),
            "gradient": self._gradient_is_small(),
            "parameters": self._weights_settled(),
        }
        for test, words in settled.items():
            self._epochs_held[test] = self._epochs_held[test] + 1 if words else 0
            if words and self._epochs_held[test] >= self.patience and not self.reason:
                self.reason = words
                self.trainer.tell(f"converged after epoch {epoch + 1}: {words}")
                self.trainer.stop_training = True

    def _loss_settled(self, logs: Logs) -> str:
        before, self._last_loss = self._last_loss, watched("convergence", "loss", logs)
        if self.loss is None or before is None:
            return ""
        change = abs(self._last_loss - before)
        small = change <= self.loss * max(1.0, abs(before))
        return f"the loss changed by {change:.3g}" if small else ""

    def _gradient_is_small(self) -> str:
        if self.gradient is None:
            return ""
        norm = self.trainer.gradient_norm()
        return f"the gradient has norm {norm:.3g}" if norm <= self.gradient else ""

    def _weights_settled(self) -> str:
        if self.parameters is None or self._last is None:
            return ""
        before, self._last = self._last, self._weights()
        moved = _norm([a - b for a, b in zip(self._last, before, strict=True)])
        small = moved <= self.parameters * max(1.0, _norm(before))
        return f"the weights changed by {moved:.3g}" if small else ""

    def _weights(self) -> list[Any]:
        return [p.numpy() for p in self.trainer.model.parameters()]

    def state(self) -> dict[str, Any]:
        return {
            "reason": self.reason,
            "held": dict(self._epochs_held),
            "loss": self._last_loss,
            "weights": self._last,
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        self.reason, self._epochs_held = state["reason"], dict(state["held"])
        self._last_loss, self._last = state["loss"], state["weights"]
        if self.reason:
            self.trainer.stop_training = True


def _norm(arrays: list[Any]) -> float:
    return float(np.sqrt(sum(float(np.sum(np.square(a, dtype=np.float64))) for a in arrays)))
