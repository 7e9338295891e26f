"""Overfitting one batch: the shortest test that a network can learn at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import ConfigError
from ...ir.types import is_whole
from ..batch_source import calls
from ..learning import OnTrial
from ..order import Order

__all__ = ["Overfit", "overfit"]

#: the loss must fall to this share of what it was
GOAL = 0.1


@dataclass(frozen=True)
class Overfit:
    """``losses`` of the steps; ``before`` and ``after`` are the batch's loss in evaluation mode.

    ``passed`` if ``after`` is at most a tenth of ``before``; ``reason`` says so in words.
    """

    losses: npt.NDArray[np.float64]
    before: float
    after: float
    passed: bool
    reason: str


def overfit(learner: OnTrial, data: Any, steps: int = 200, batch_size: int = 32) -> Overfit:
    """Trains ``steps`` steps on the first ``batch_size`` rows of ``data``, then undoes them.

    A network with enough weights can learn a few rows by heart. If it does not, gradients do not
    arrive, the learning rate is off, the target does not belong to the rows, or dropout, penalty or
    label smoothing are too strong. Weights, optimizer and random numbers are as before afterwards.
    """
    if not all(is_whole(n) and n >= 1 for n in (steps, batch_size)):
        raise ConfigError(
            f"cannot train {steps!r} steps on a batch of {batch_size!r} rows",
            help="both must be whole numbers of at least 1",
        )
    source = learner.read(data)[0]
    few = np.arange(min(batch_size, source.rows), dtype=np.int32)
    order = Order.of(len(few), None, 0, shuffle=False)
    with learner.undone():
        learner.accumulation.begin(order, 0)
        before = learner.evaluate_source(source, len(few), few)["loss"]
        pieces = calls(source, np.tile(few, (steps, 1)))
        losses = np.concatenate([learner.stepper.run(source, p) for p in pieces], dtype=np.float64)
        after = learner.evaluate_source(source, len(few), few)["loss"]
    passed = bool(np.isfinite(losses).all() and after <= GOAL * before)
    verdict = "it can learn" if passed else "it should be able to: something is wrong"
    reason = (
        f"{steps} steps on {len(few)} rows brought the loss from {before:.4g} to {after:.4g}; "
        f"{verdict}"
    )
    if not passed:
        reason += (
            ". Try another learning rate first; then see whether every layer's weights move, "
            "whether the targets belong to the rows, and train without dropout and penalty"
        )
    return Overfit(losses, before, after, passed, reason)
