"""Settings that depend on the data. Chosen on splits that the published comparison does not use."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = [
    "EMA_SETTINGS",
    "EPOCHS",
    "OPTIMIZER",
    "OPTIMIZER_SETTINGS",
    "PATIENCE",
    "batch_size_for",
    "lr_for",
]

EPOCHS = 200  # an upper bound: early stopping ends almost every run before
PATIENCE = 15
OPTIMIZER = "adamw"

#: where a table wants something else than the optimizer's own default
OPTIMIZER_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "adamw": {"weight_decay": 0.1},
    # Steps of AdamW's size, so that one rate serves matrices and the rest (Liu et al. 2025).
    "muon": {"adjust_lr_fn": "match_rms_adamw"},
}

#: a table may have been learned before an average over a thousand steps has begun to move
EMA_SETTINGS: dict[str, Any] = {"warmup": True}

LR = 1e-3
#: for optimizers whose steps are not of the size of their learning rate, or are larger or smaller
LR_OF_OPTIMIZER: Mapping[str, float] = {
    "sgd": 0.05,
    "adagrad": 0.02,
    "adadelta": 1.0,
    "rprop": 1e-3,
    "lion": 2e-4,
    "lbfgs": 1.0,
}
#: divided by the training rows
LR_OF_LANGEVIN = 0.1

#: the sign or size of a change of the gradient tells them about curvature: not if the rows changed
FULL_BATCH = ("lbfgs", "rprop")
SMALLEST_BATCH = 32
LARGEST_BATCH = 1024


def batch_size_for(rows: int, optimizer: str) -> int:
    """The power of two nearest to the root of the training rows: noise in small tables, speed in
    large ones. All rows (0) for optimizers that learn from what changes between steps."""
    if optimizer in FULL_BATCH:
        return 0
    nearest = 1 << round(math.log2(math.sqrt(max(rows, 1))))
    return min(max(nearest, SMALLEST_BATCH), LARGEST_BATCH)


def lr_for(optimizer: str, rows: int) -> float:
    """A learning rate that this optimizer trains most tables with."""
    if optimizer == "sgld":
        return LR_OF_LANGEVIN / rows  # its gradient is that of the sum over the rows
    return LR_OF_OPTIMIZER.get(optimizer, LR)
