"""How a training ended."""

from __future__ import annotations

from typing import Any

from ..optim import EMA, SWA
from ..train import Checkpoint, History, Trainer
from ..train.callbacks import TimeLimit
from .control import Controlled

__all__ = ["clock_of", "epoch_metrics", "stopped_early", "timed_out", "use_average", "with_more"]


def clock_of(trainer: Trainer) -> dict[str, float]:
    """The seconds spent in parts of the training."""
    clock = trainer.run.clock if trainer.run is not None else {}
    return {part: round(seconds, 4) for part, seconds in clock.items()}


def stopped_early(trainer: Trainer) -> bool:
    """Whether a callback ended the training for good; a time limit, or somebody who asked for it,
    only interrupts it."""
    hooks = trainer.run.hooks if trainer.run is not None else ()
    asked = any(isinstance(hook, Controlled) and hook.stopped for hook in hooks)
    return trainer.stop_training and not asked and not timed_out(trainer)


def timed_out(trainer: Trainer) -> bool:
    """Whether a time limit ended the training."""
    hooks = trainer.run.hooks if trainer.run is not None else ()
    return any(isinstance(hook, TimeLimit) and hook.reached for hook in hooks)


def use_average(trainer: Trainer) -> None:
    """From here on the average of the weights is the model."""
    if isinstance(trainer.average, EMA | SWA) and trainer.average.updates:
        trainer.average.copy_to(trainer.model)


def epoch_metrics(checkpoint: Checkpoint) -> list[dict[str, float]]:
    """The metrics of each epoch up to a checkpoint."""
    history = History()
    with checkpoint.taken_apart():
        history.set_state(checkpoint.state()["history"])
    return history.rows()


def with_more(evaluation: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Both of what is said of the results; lists, such as charts, one after the other."""
    for key, value in more.items():
        lists = all(isinstance(part, list) for part in (evaluation.get(key), value))
        evaluation[key] = [*evaluation[key], *value] if lists else value
    return evaluation
