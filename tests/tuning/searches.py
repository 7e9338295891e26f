"""Searches that take a moment, and one that dies: ``python -m tuning.searches TABLE AFTER``."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

import chainrule as cr
from chainrule.tuning import Tuned, TuningListener
from interpreting import interpreting

__all__ = ["SETTINGS", "SPACE", "search"]

SPACE: Mapping[str, Any] = {
    "train.lr": {"low": 1e-3, "high": 0.3, "log": True},
    "model.numbers": {"choices": ["plain", "piecewise"]},
    "only": True,
}
SETTINGS = ("model.layers=[4]", "train.batch_size=64", "model.dropout=0.0", "observe.level=off")


def search(source: object, **arguments: Any) -> Tuned:
    """Rates of a tiny network, interpreted; in ``runs`` of the current folder."""
    given = {"target": "y", "preset": "fast", "space": SPACE, "settings": SETTINGS, "epochs": 4,
             "trials": 3, "verbose": False, **arguments}  # fmt: skip
    with interpreting():
        return cr.tune(source, **given)


class KilledAfter(TuningListener):
    """As ``kill -9`` ends a process: nothing is written, closed or told any more."""

    def __init__(self, trials: int) -> None:
        self.trials = trials

    def trial(self, search: object, trial: Any, best: object, trials: int) -> None:
        if trial.index + 1 == self.trials:
            os._exit(9)


if __name__ == "__main__":
    search(sys.argv[1], trials=8, listener=KilledAfter(int(sys.argv[2])))
