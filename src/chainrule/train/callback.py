"""The base of callbacks: code that runs at fixed points of a training, with Keras' hook names.

Epochs and batches count from 0. ``logs`` holds the numbers known by then. A callback stops the
training with ``self.trainer.stop_training = True``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ..errors import ConfigError, TrainingError
from .metrics import METRICS

if TYPE_CHECKING:
    from .observation import Observation
    from .trainer import Trainer

__all__ = ["Callback", "CallbackList", "Logs", "Mode", "direction", "watched"]

Logs = Mapping[str, float]
Mode = Literal["auto", "min", "max"]


class Callback:
    """Base of all callbacks: override the hooks you need.

    Overriding a batch hook makes the trainer run one step at a time; all others cost nothing
    between steps. A callback that remembers something from epoch to epoch overrides `state` and
    `set_state` as well, so that a training that is resumed goes on as if it had never stopped.
    """

    trainer: Trainer

    #: False for callbacks that hold states of the trainer themselves (see `Trainer.state`)
    in_snapshots: ClassVar[bool] = True

    def set_trainer(self, trainer: Trainer) -> None:
        """Called before `on_train_begin`."""
        self.trainer = trainer

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps: numbers, text, lists, dicts and arrays (copies)."""
        return {}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave; called after `on_train_begin` of a resumed training."""

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

    def on_observation(self, observation: Observation) -> None:
        """A step was observed; see ``observe`` of `Trainer.fit`."""

    def on_rollback(self, epoch: int, logs: Logs) -> None:
        """The training went back to before ``epoch``, where the largest learning rate was
        ``before``; from here on, all rates are multiplied by ``factor``."""

    def on_divergence(self, epoch: int, error: TrainingError) -> bool:
        """The loss is no longer finite. True if the callback has handled it (it went back to
        an earlier state, or stopped the training); ``error`` is raised if no callback has.
        """
        return False


class CallbackList:
    """Calls a hook of every callback that overrides it, in order.

    ``hooks("on_epoch_end", 3, logs)``; ``hooks.listens("on_epoch_end")`` tells whether any does.
    """

    def __init__(self, callbacks: Sequence[Callback], trainer: Trainer) -> None:
        self._calls: dict[str, list[Callable[..., Any]]] = {}
        self.seconds = 0.0  # spent in them
        for callback in callbacks:
            if not isinstance(callback, Callback):
                raise ConfigError(
                    f"{callback!r} is not a callback",
                    help="derive it from chainrule.callbacks.Callback and pass an instance",
                )
            callback.set_trainer(trainer)
        # Those that hold states of the trainer come last: they must see what the others made of
        # the same epoch.
        self._callbacks = sorted(callbacks, key=lambda c: not c.in_snapshots)
        for callback in self._callbacks:
            for name, inherited in vars(Callback).items():
                if name.startswith("on_") and getattr(type(callback), name) is not inherited:
                    self._calls.setdefault(name, []).append(getattr(callback, name))

    def __iter__(self) -> Iterator[Callback]:
        return iter(self._callbacks)

    def listens(self, *hooks: str) -> bool:
        """Whether any callback overrides one of ``hooks``."""
        return any(hook in self._calls for hook in hooks)

    def __call__(self, hook: str, *args: Any) -> None:
        if hook in self._calls:
            begun = time.perf_counter()
            for call in self._calls[hook]:
                call(*args)
            self.seconds += time.perf_counter() - begun

    def rescue(self, epoch: int, error: TrainingError) -> bool:
        """Whether a callback handles ``error``; those after the first that does are not asked."""
        return any(call(epoch, error) for call in self._calls.get("on_divergence", ()))

    def state(self, snapshot: bool = False) -> list[tuple[str, dict[str, Any]]]:
        """(class name, state) of every callback that has one."""
        states = [(type(c).__name__, c.state()) for c in self if c.in_snapshots or not snapshot]
        return [(name, state) for name, state in states if state]

    def set_state(self, states: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Hands each state to the callback of its class, the first to the first. States of
        callbacks that are gone are left out; callbacks without one begin afresh.
        """
        waiting: dict[str, list[Mapping[str, Any]]] = {}
        for name, state in states:
            waiting.setdefault(name, []).append(state)
        for callback in self:
            states_of_class = waiting.get(type(callback).__name__)
            if states_of_class:
                callback.set_state(states_of_class.pop(0))


def watched(owner: str, monitor: str, logs: Logs) -> float:
    """The number that ``owner`` watches. Raises ConfigError if it is not computed."""
    if monitor not in logs:
        validation = monitor.startswith("val_")
        raise ConfigError(
            f"{owner} monitors {monitor!r}, which is not computed",
            help=f"available: {', '.join(logs)}"
            + ("; pass validation data: fit(..., validation=(Xv, yv))" if validation else ""),
        )
    return float(logs[monitor])


def direction(owner: str, monitor: str, mode: Mode) -> float:
    """1 if less of ``monitor`` is better, -1 if more is."""
    if mode in ("min", "max"):
        return -1.0 if mode == "max" else 1.0
    name = str(monitor).removeprefix("val_")
    if mode != "auto" or (name != "loss" and name not in METRICS):
        raise ConfigError(
            f"{owner} cannot tell whether a higher or lower {monitor!r} is better",
            help='set mode="min" or mode="max"',
        )
    return -1.0 if name in METRICS and METRICS[name].higher_is_better else 1.0
