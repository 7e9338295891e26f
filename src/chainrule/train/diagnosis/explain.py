"""Why a loss stopped being finite: found by going back and doing the steps once more."""

from __future__ import annotations

import time
from typing import Any

from ...nonfinite import find_nonfinite
from ...optim import LBFGS, Optimizer
from ..batch_source import BatchSource, Rows, host_batch
from ..callbacks.rates import rates_of
from ..learning import Replayable
from ..state import gathered, put_back

__all__ = ["ReplayLog", "advice_on"]

#: copies of the state may take this share of the time
SHARE = 0.005


#: it takes the change of the gradient between two batches for curvature
SEARCH_ADVICE = (
    'L-BFGS is for full batches with a line search: batch_size None (in run.toml "all") and '
    'line_search_fn "strong_wolfe". Else '
)


def advice_on(optimizer: Optimizer, steps: int) -> str:
    """What to do about a loss that is not finite, in a training of ``steps`` steps an epoch."""
    rates = ", ".join(f"{rate:g}" for rate in sorted(set(rates_of(optimizer)))) or "none"
    advice = ""
    if isinstance(optimizer, LBFGS):
        searches = optimizer.param_groups[0]["line_search_fn"] is not None
        advice = "" if searches and steps == 1 else SEARCH_ADVICE
    return (
        f"{advice}lower the learning rate (it is {rates}), "
        "standardise the inputs, and scale a regression's target to about 1"
    )


class ReplayLog:
    """A copy of the state from some calls ago, and the rows that were trained since.

    Steps are the same bits whenever they are done, so those that led to a NaN can be done again, up
    to the one where it arose. That one is then computed with every value in sight. The copy is
    renewed as often as takes half a per cent of the time.
    """

    def __init__(self, learner: Replayable) -> None:
        self._learner = learner
        self._state: dict[str, Any] = {}
        self._at = 0
        self._since: list[Rows] = []
        self._made, self._cost = 0.0, 0.0

    def begin(self) -> None:
        """A training begins, or goes on from elsewhere."""
        self._since = []
        self._copy()

    def record(self, rows: Rows) -> None:
        """Steps on ``rows`` are about to be done."""
        if time.perf_counter() - self._made > self._cost / SHARE:
            self.begin()
        self._since.append(rows)

    def _copy(self) -> None:
        begun = time.perf_counter()
        self._state = gathered(self._learner, None)
        self._at = self._learner.accumulation.at
        self._made = time.perf_counter()
        self._cost = self._made - begun

    def explain(self, source: BatchSource, bad: int) -> str:
        """Why step ``bad`` of the latest call has a loss that is not finite; empty if unknown.

        The state is that before the step which went wrong afterwards: finite, if it was before.
        """
        if not self._since:
            return ""
        learner, latest = self._learner, self._since[-1]
        history = learner.history.state()
        put_back(learner, self._state, None)
        learner.history.set_state(history)
        learner.accumulation.begin(learner.accumulation.position[0], self._at)
        for rows in self._since[:-1]:
            learner.stepper.run(source, rows)
            source.release()
        self._since = []
        # The update of the step before may have been what broke the weights.
        first = max(bad - 1, 0)
        if first:
            learner.stepper.run(source, latest[:first])
        step = learner.looked_into()
        for rows in latest[first : bad + 1]:
            culprit = find_nonfinite(step, *host_batch(source, rows))
            if culprit is not None:
                names = culprit.rows_text(rows.tolist())
                return str(culprit).removesuffix(culprit.rows_text()) + names
            learner.stepper.run(source, rows[None])
        return ""
