"""Optuna as a pure function: which settings to try next, given what was tried.

What is tried in a trial depends on its number, the seed, and the trials before it that count. So a
search that is interrupted goes on to the trials that it would have come to without it.
"""

from __future__ import annotations

import contextlib
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ..runs.jobs import Outcome
from ..runs.space import Choices, Number, Parameter
from .library import optuna

__all__ = ["Trial", "bounds_for", "distributions", "frozen_trial", "quiet_optuna", "suggest",
           "thawed_trial"]  # fmt: skip

State = Literal["complete", "pruned", "failed"]
STATES: Mapping[State, optuna.trial.TrialState] = {
    "complete": optuna.trial.TrialState.COMPLETE,
    "pruned": optuna.trial.TrialState.PRUNED,
    "failed": optuna.trial.TrialState.FAIL,
}
#: complete trials before others are cut short, and the share of all epochs that none is
STARTUP, WARMUP = 5, 0.05
#: trials that are drawn at random before the search learns from them
RANDOM = 8


@dataclass(frozen=True)
class Trial:
    """Number ``index``, from 0, with the parameters ``chosen``: ``values`` of the objective by
    epoch, of which ``best`` has the best one; an ``error`` if the training failed."""

    index: int
    chosen: Mapping[str, Any]
    state: State
    values: Sequence[float] = ()
    best: int = 0
    seconds: float = 0.0
    error: str = ""

    @property
    def value(self) -> float:
        """The value of the best epoch; NaN for a trial that failed."""
        return self.values[self.best] if self.state != "failed" else math.nan

    @classmethod
    def of(cls, index: int, chosen: Mapping[str, Any], outcome: Outcome) -> Trial:
        """A trial that has ended."""
        if outcome.error is not None:
            return cls(index, chosen, "failed", error=outcome.error["what"],
                       seconds=outcome.seconds)  # fmt: skip
        state: State = "pruned" if outcome.pruned else "complete"
        return cls(index, chosen, state, outcome.values, outcome.best, outcome.seconds)

    def by_epoch(self, rises: bool) -> list[float]:
        """The best value so far, in each epoch."""
        best, sofar = (-math.inf if rises else math.inf), []
        for value in self.values:
            if value == value:
                best = max(best, value) if rises else min(best, value)
            sofar.append(best)
        return sofar


@contextlib.contextmanager
def quiet_optuna() -> Iterator[None]:
    """Inside, Optuna prints nothing but errors."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def distributions(
    parameters: Mapping[str, Parameter],
) -> dict[str, optuna.distributions.BaseDistribution]:
    """The parameters as Optuna knows them."""
    return {name: _distribution(parameter) for name, parameter in parameters.items()}


def _distribution(parameter: Parameter) -> optuna.distributions.BaseDistribution:
    if isinstance(parameter, Choices):
        return optuna.distributions.CategoricalDistribution(parameter.values)
    assert isinstance(parameter, Number)
    if parameter.whole:
        low, high = int(parameter.low), int(parameter.high)
        return optuna.distributions.IntDistribution(low, high, parameter.log, parameter.step)
    return optuna.distributions.FloatDistribution(parameter.low, parameter.high, parameter.log)


def suggest(
    parameters: Mapping[str, Parameter], told: Sequence[Trial], index: int, seed: int, rises: bool
) -> dict[str, Any]:
    """What trial ``index`` tries (tree-structured Parzen estimator, Bergstra et al. 2011)."""
    own = int(np.random.SeedSequence([seed, index]).generate_state(1)[0])
    study = optuna.create_study(
        direction="maximize" if rises else "minimize",
        sampler=optuna.samplers.TPESampler(seed=own, n_startup_trials=RANDOM),
    )
    known = distributions(parameters)
    study.add_trials([frozen_trial(trial, known) for trial in told])
    return dict(study.ask(known).params)


def bounds_for(told: Sequence[Trial], epochs: int, rises: bool) -> list[float | None]:
    """By epoch, what the best value of a trial must not be worse than: the median of what complete
    trials had reached by then (as in Golovin et al. 2017)."""
    complete = [trial for trial in told if trial.state == "complete"]
    if len(complete) < STARTUP:
        return []
    curves = [trial.by_epoch(rises) for trial in complete]
    first = max(2, round(WARMUP * epochs))
    bounds: list[float | None] = [None] * first
    for epoch in range(first, max(map(len, curves))):
        reached = [curve[min(epoch, len(curve) - 1)] for curve in curves]
        bounds.append(statistics.median(reached))
    return bounds


def frozen_trial(
    trial: Trial, known: Mapping[str, optuna.distributions.BaseDistribution]
) -> optuna.trial.FrozenTrial:
    """A trial as Optuna keeps it."""
    return optuna.trial.create_trial(
        state=STATES[trial.state],
        value=trial.value if trial.state == "complete" else None,
        params=dict(trial.chosen),
        distributions={name: known[name] for name in trial.chosen},
        intermediate_values=dict(enumerate(trial.values)),
        user_attrs={"index": trial.index, "best": trial.best, "seconds": trial.seconds,
                    "error": trial.error},
    )  # fmt: skip


def thawed_trial(frozen: optuna.trial.FrozenTrial) -> Trial | None:
    """The inverse of `frozen_trial`; None for one that somebody else has put there."""
    own = frozen.user_attrs
    states = {theirs: ours for ours, theirs in STATES.items()}
    if not {"index", "best", "seconds", "error"} <= own.keys() or frozen.state not in states:
        return None
    values = tuple(value for _, value in sorted(frozen.intermediate_values.items()))
    return Trial(
        int(own["index"]), frozen.params, states[frozen.state], values, int(own["best"]),
        float(own["seconds"]), str(own["error"]),
    )  # fmt: skip
