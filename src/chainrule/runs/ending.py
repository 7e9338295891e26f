"""How a training ended."""

from __future__ import annotations

from ..train import Trainer
from ..train.callbacks import TimeLimit
from .control import Controlled

__all__ = ["clock_of", "stopped_early", "timed_out"]


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
