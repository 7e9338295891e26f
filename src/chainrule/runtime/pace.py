"""How many threads run a program, and how many steps go into one slice: decided by measuring.

The results are the same bits for any number of threads and any slices, so the choice is free.
"""

from __future__ import annotations

import math

__all__ = ["Pace"]

CALL_SECONDS = 100e-6  # a shorter step, called alone, is not worth waking anybody
LOOP_SECONDS = 20e-6  # a shorter step is not worth its barriers
SLICE_SECONDS = 0.05  # Ctrl-C waits that long
_TRIAL_SECONDS = 1e-3
_TRIALS = 3  # slices of each way, at least
_TRIED_SECONDS = 3e-3  # and at least so long: three short calls may all meet a busy neighbour
_SLOWER = 1.25  # all threads together are doubted once their steps take so much longer
_LONG_SECONDS = 0.1  # a step so long surely gains from threads, and is too long to try alone
_HOPELESS = 1.5  # all together are not tried further once a slice takes so much longer than alone
_WAKING_SECONDS = 1e-3  # and their first slice so much more: they may have been asleep
#: seconds until the choice is doubted, at first and at most: of the caller alone, and of all
_PATIENCE = {True: (0.05, 1.0), False: (0.5, 30.0)}
_FEW_STEPS = 20  # and at least so many steps: a trial is not to cost more than a twentieth

# A guess for the first slice only: a slow core's arithmetic and memory, per second.
_FLOPS, _BYTES = 2e10, 5e9


class Pace:
    """Measures a program's steps; asked before each slice, told after it.

    Alone and together are tried a few times each, the best times are compared, and the winner runs
    on. As a neighbour may come or go, the trial is repeated. A caller who works alone doubts that
    soon and often: the neighbour may have gone, and trying costs little. All together are doubted
    rarely, and not while they are as fast as they were: trying alone would cost them half.
    """

    def __init__(self, flops: int = 0, traffic_bytes: int = 0) -> None:
        self._step_seconds = flops / _FLOPS + traffic_bytes / _BYTES
        self._most = 1
        self._patience = {alone: first for alone, (first, _) in _PATIENCE.items()}
        self.alone = False  # whether a call of one step should be made on the caller alone
        self._try()

    def _try(self) -> None:
        self._decided = 0
        self._runs = {True: 0, False: 0}  # of the caller alone, of all
        self._spent = {True: 0.0, False: 0.0}
        self._best = {True: math.inf, False: math.inf}
        self._wait()

    def _wait(self) -> None:
        self._elapsed, self._recent = 0.0, math.inf

    def _tried(self, alone: bool) -> bool:
        return self._runs[alone] >= _TRIALS and self._spent[alone] >= _TRIED_SECONDS

    def threads(self, most: int) -> int:
        """How many of ``most`` threads run the next slice."""
        if most != self._most:
            self._most = most
            self._try()
        if most == 1:
            return 1
        return self._decided or (most if self._tried(True) else 1)

    def steps(self, remaining: int) -> int:
        """How many steps the next slice has, at most ``remaining``."""
        if self._step_seconds == 0:
            return 1
        settled = self._decided or self._most == 1
        budget = SLICE_SECONDS if settled else _TRIAL_SECONDS
        return max(1, min(remaining, int(budget / self._step_seconds)))

    def record(self, threads: int, steps: int, seconds: float) -> None:
        """A slice of ``steps`` steps on ``threads`` threads took ``seconds``."""
        step_seconds = seconds / max(steps, 1)
        self._step_seconds = step_seconds
        if self._decided:
            self._elapsed += seconds
            self._recent = min(self._recent, step_seconds)
            alone = self._decided == 1
            patience = max(self._patience[alone], _FEW_STEPS * step_seconds)
            if self._elapsed > patience and (alone or step_seconds < SLICE_SECONDS):
                self._doubt()
            return
        alone = threads == 1
        self._runs[alone] += 1
        self._spent[alone] += seconds
        self._best[alone] = min(self._best[alone], step_seconds)
        if alone and self._tried(True):
            self.alone = self._best[True] < CALL_SECONDS
        if self._most > 1:
            self._decide()

    def _doubt(self) -> None:
        """Try again, if that may change anything."""
        if self._decided > 1 and self._recent < _SLOWER * self._best[False]:
            self._wait()
            return
        alone = self._decided == 1
        self._patience[alone] = min(2 * self._patience[alone], _PATIENCE[alone][1])
        self._try()

    def _decide(self) -> None:
        if self._best[True] >= _LONG_SECONDS and self._runs[True]:
            self._decided = self._most
        elif self._tried(True) and self._best[True] < LOOP_SECONDS:
            self._decided = 1
        elif self._tried(False) or self._hopeless():
            self._decided = 1 if self._best[True] <= self._best[False] else self._most
            other = self._decided != 1
            self._patience[other] = _PATIENCE[other][0]

    def _hopeless(self) -> bool:
        """Whether all together are so slow that a few more slices would change nothing."""
        waking = _WAKING_SECONDS if self._runs[False] == 1 else 0.0
        limit = _HOPELESS * self._best[True] + waking
        return self._runs[False] > 0 and self._best[False] > limit
