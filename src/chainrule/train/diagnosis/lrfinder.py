"""The learning-rate range test: one ramp through all rates tells which of them work.

Smith 2017, "Cyclical learning rates for training neural networks", section 3.3; the exponential
ramp and the smoothing follow Howard and Gugger 2020, "fastai: a layered API for deep learning".
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ...errors import ConfigError
from ...ir.types import is_real, is_whole
from ...notebook import chart, framed, words
from ...optim.schedule import Schedule
from ..batch_source import BatchSource, Rows, calls
from ..callbacks.rates import rates_of, update_counts
from ..learning import OnTrial
from ..order import Order

__all__ = ["RateSearch", "find_rate"]

#: how much of the past is in a running loss
MEMORY = 0.9
#: a running loss so many times the best one has diverged
DIVERGED = 4.0
#: the part of a curve, to either side, that a smoothed loss is the mean of
REACH = 1 / 20
#: a curve that never falls by this share of its start shows nothing
LEAST_FALL = 0.02
#: updates between two looks at the losses: diverged steps cost time, and nothing else
SLICE = 10


@dataclass(frozen=True)
class RateSearch:
    """What a search found: ``losses`` of the steps at ``rates``, and their means over neighbours.

    ``suggestion`` is the smaller of ``steepest``, the rate at which the smoothed loss fell fastest
    against the logarithm of the rate, and a tenth of ``minimum``, the rate at which it was lowest.
    All three are None if the loss never fell. ``reason`` says in words why.
    """

    rates: npt.NDArray[np.float64]
    losses: npt.NDArray[np.float64]
    smoothed: npt.NDArray[np.float64]
    steepest: float | None
    minimum: float | None
    suggestion: float | None
    reason: str

    def _repr_html_(self) -> str:
        if not len(self.rates):
            return framed(words(self.reason))
        chosen = self.suggestion
        dot = None
        if chosen is not None:
            nearest = int(np.abs(np.log(self.rates / chosen)).argmin())
            dot = (chosen, float(self.smoothed[nearest]))
        curve = [("smoothed loss", list(map(float, self.smoothed)))]
        drawn = chart("Loss over the learning rate", list(map(float, self.rates)), curve,
                      said=self.reason, dot=dot, log_x=True)  # fmt: skip
        return framed(drawn)


@dataclass(frozen=True)
class Ramp(Schedule):
    """``start * (end / start)**((step - first) / (steps - 1))``, times ``share``."""

    name: ClassVar[str] = "ramp"
    start: float
    end: float
    steps: int
    first: int = 0
    share: float = 1.0

    def lr_at(self, step: int) -> float:
        done = (step - self.first) / (self.steps - 1)
        return float(self.share * self.start * (self.end / self.start) ** done)


def find_rate(
    learner: OnTrial,
    data: Any,
    *,
    start: float = 1e-6,
    end: float = 10.0,
    steps: int = 100,
    batch_size: int | None = 32,
    seed: int = 0,
) -> RateSearch:
    """Trains ``steps`` updates while the rate rises from ``start`` to ``end``, then undoes them.

    The ramp is a schedule, so the step is compiled once. The search ends early when the running
    loss is above four times its best, or no longer finite. Groups keep the ratios of their rates.
    Weights, optimizer and random numbers are as before afterwards, to the bit. Raises ConfigError
    for a ramp that does not rise.
    """
    valid = is_real(start) and is_real(end) and is_whole(steps)
    if not valid or not 0 < start < end < math.inf or steps < 10:
        raise ConfigError(
            f"cannot search along a ramp from {start!r} to {end!r} in {steps!r} steps",
            help="choose 0 < start < end and at least 10 steps",
        )
    source = learner.read(data)[0]
    order = Order.of(source.rows, batch_size, seed, shuffle=True)
    per_update = min(learner.accumulation.every, order.rows // order.batch)
    rates = start * (end / start) ** (np.arange(steps) / (steps - 1))
    with learner.undone():
        _set_ramps(learner, start, end, steps)
        # The short last batch of an epoch is left out: it would need a program of its own.
        even = Order(order.rows // order.batch * order.batch, order.batch, seed, True)
        learner.accumulation.begin(even, 0)
        losses = _losses(learner, source, _slices(order, steps * per_update), steps, per_update)
    return _judged(rates[: len(losses)], np.array(losses, np.float64), steps)


def _set_ramps(learner: OnTrial, start: float, end: float, steps: int) -> None:
    groups = learner.optimizer.param_groups
    usual = rates_of(learner.optimizer)
    if not usual:
        raise ConfigError(
            f"{type(learner.optimizer).__name__} has no learning rate to search for",
            help="use a gradient-based optimizer",
        )
    largest = max(usual) or 1.0
    for group, rate, first in zip(groups, usual, update_counts(learner.optimizer), strict=True):
        group["lr"] = Ramp(start, end, steps, first, rate / largest if max(usual) else 1.0)


def _slices(order: Order, batches: int) -> Iterator[Rows]:
    """Whole batches of as many epochs as are needed, epoch by epoch."""
    epoch = 0
    while batches > 0:
        rows = order.batches(epoch)[0][:batches]
        yield rows
        batches -= len(rows)
        epoch += 1


def _losses(
    learner: OnTrial,
    source: BatchSource,
    epochs: Iterator[Rows],
    updates: int,
    per_update: int,
) -> list[float]:
    """The mean loss of every update, until the curve has diverged."""
    batches: list[float] = []
    for epoch in epochs:
        for i in range(0, len(epoch), SLICE * per_update):
            for piece in calls(source, epoch[i : i + SLICE * per_update]):
                batches += learner.stepper.run(source, piece).tolist()
            complete = len(batches) // per_update * per_update
            losses = np.array(batches[:complete]).reshape(-1, per_update).mean(axis=1)
            end = _diverged(losses)
            if end is not None:
                return [float(v) for v in losses[:end]]
    complete = updates * per_update
    means = np.array(batches[:complete]).reshape(-1, per_update).mean(axis=1)
    return [float(v) for v in means]


def _diverged(losses: npt.NDArray[np.float64]) -> int | None:
    """The number of losses before the curve has diverged; None if it has not."""
    bad = ~np.isfinite(losses)
    running = _running(np.where(bad, np.inf, losses))
    with np.errstate(invalid="ignore"):
        bad |= running > DIVERGED * np.minimum.accumulate(running)
    return int(np.flatnonzero(bad)[0]) if bad.any() else None


def _running(losses: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """An exponential moving mean of what came before, corrected for its start at zero."""
    mean, means = 0.0, []
    for k, loss in enumerate(losses.tolist()):
        mean = MEMORY * mean + (1 - MEMORY) * loss
        means.append(mean / (1 - MEMORY ** (k + 1)))
    return np.array(means, np.float64)


def _smoothed(losses: npt.NDArray[np.float64], reach: int) -> npt.NDArray[np.float64]:
    """The mean over ``reach`` steps to either side, so that nothing moves along the curve.

    Losses beyond twice the first ones count as that: a few of a diverging end would hide the rest.
    """
    start = float(np.median(losses[: reach + 1])) if len(losses) else 0.0
    bounded = np.minimum(losses, start + abs(start))
    spans = [bounded[max(i - reach, 0) : i + reach + 1] for i in range(len(losses))]
    return np.array([span.mean() for span in spans], np.float64)


def _judged(
    rates: npt.NDArray[np.float64], losses: npt.NDArray[np.float64], steps: int
) -> RateSearch:
    """The search with its suggestion; ``steps`` were meant to be made."""
    reach = max(2, round(REACH * steps))
    smoothed = _smoothed(losses, reach)
    end = "it did not diverge"
    if len(losses) < steps:
        end = f"it diverged above {rates[-1]:.2g}" if len(losses) else "it was not finite at once"
    lowest = int(np.argmin(smoothed)) if len(smoothed) else 0
    first = float(smoothed[0]) if len(smoothed) else float("nan")
    if lowest < 2 * reach or not first - smoothed[lowest] > LEAST_FALL * abs(first):
        reason = (
            f"the loss never fell by more than {LEAST_FALL:.0%} of its initial value, {first:.4g} "
            f"({end}): the curve suggests no rate. Check the data and the loss, or widen the range"
        )
        return RateSearch(rates, losses, smoothed, None, None, None, reason)
    falls = smoothed[: lowest + 1 - 2 * reach] - smoothed[2 * reach : lowest + 1]
    steepest, minimum = float(rates[int(np.argmax(falls)) + reach]), float(rates[lowest])
    suggestion = min(steepest, minimum / 10)
    which = "the steepest descent" if steepest <= minimum / 10 else "a tenth of the minimum"
    reason = (
        f"the smoothed loss fell fastest at {steepest:.2g} and was lowest ({smoothed[lowest]:.4g}) "
        f"at {minimum:.2g}, a tenth of which is {minimum / 10:.2g}; {end}. The smaller of the two "
        f"is {which}"
    )
    return RateSearch(rates, losses, smoothed, steepest, minimum, suggestion, reason)
