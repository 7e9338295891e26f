"""Default settings, some of which depend on the data.

They were chosen on splits that the published comparison does not use.
"""

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

EPOCHS = 200  # an upper bound: early stopping ends almost every run earlier
PATIENCE = 15
OPTIMIZER = "adamw"

#: where tables need something other than the optimizer's own default
OPTIMIZER_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "adamw": {"weight_decay": 0.1},
    # Steps of the size of AdamW's, so that one rate suits matrices and the rest (Liu et al. 2025).
    "muon": {"adjust_lr_fn": "match_rms_adamw"},
}

#: training on a small table may end before an average over a thousand steps has begun to move
EMA_SETTINGS: dict[str, Any] = {"warmup": True}

LR = 1e-3
#: for optimizers whose steps differ in size from their learning rate, or from those of AdamW
LR_OF_OPTIMIZER: Mapping[str, float] = {
    "sgd": 0.05,
    "adagrad": 0.02,
    "adadelta": 1.0,
    "rprop": 1e-3,
    "lion": 2e-4,
    "lbfgs": 1.0,
}
#: to be divided by the number of training rows
LR_OF_LANGEVIN = 0.1

#: these compare gradients of consecutive steps, which must be of the same rows
FULL_BATCH = ("lbfgs", "rprop")
SMALLEST_BATCH = 32
LARGEST_BATCH = 1024


def batch_size_for(rows: int, optimizer: str) -> int:
    """The power of two nearest to sqrt(rows), from 32 to 1024; 0 (all rows) for optimizers that
    compare the gradients of consecutive steps."""
    if optimizer in FULL_BATCH:
        return 0
    nearest = 1 << round(math.log2(math.sqrt(max(rows, 1))))
    return min(max(nearest, SMALLEST_BATCH), LARGEST_BATCH)


def lr_for(optimizer: str, rows: int) -> float:
    """A learning rate with which this optimizer trains most tables."""
    if optimizer == "sgld":
        return LR_OF_LANGEVIN / rows  # its gradient is of the sum over the rows
    return LR_OF_OPTIMIZER.get(optimizer, LR)
