"""Named sets of settings for tables. Each sets the same keys, so that one replaces another.

    fast      one network; a second or two for most tables
    good      eight members that share their weights but for scales (TabM), with numbers by
              quantiles where there are rows enough for it
    tabm      TabM as published but for its width: thirty-two members
    realmlp   RealMLP with its own schedule, rates and number of epochs; slow. realmlp_short: half
              of its epochs, as one of several recipes
    best      five networks each of good, fast and realmlp_short, every one trained without another
              fifth of the rows, which decides what they count

`chainrule config show DATA preset=good` prints all of them in full. The settings of ``good`` were
chosen on the tuning half of `benchmarks/tables`; docs/tables.md has its figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from ...runs.settings.sources import Key

__all__ = ["PRESETS", "Preset"]

Preset: TypeAlias = Literal["fast", "good", "best", "tabm", "realmlp", "realmlp_short"]

FAST: Mapping[Key, Any] = {
    ("model", "network"): "mlp",
    ("model", "members"): 1,
    ("model", "numbers"): "plain",
    ("model", "bins"): 12,
    ("model", "trial_epochs"): 0,
    ("model", "layers"): "auto",
    ("model", "dropout"): "auto",
    ("train", "epochs"): 200,
    ("train", "batch_size"): "auto",
    ("train", "lr"): "auto",
    ("train", "optimizer", "name"): "adamw",
    ("train", "optimizer", "betas"): (0.9, 0.999),
    ("train", "optimizer", "weight_decay"): 0.1,
    ("train", "schedule", "name"): "constant",
    ("train", "early_stopping", "patience"): 15,
    ("ensemble", "folds"): 0,
    ("ensemble", "recipes"): (),
}
GOOD = {
    **FAST,
    ("model", "network"): "tabm",
    ("model", "members"): 8,
    ("model", "numbers"): "auto",
    ("model", "bins"): "auto",
    ("model", "trial_epochs"): 10,
    ("train", "lr"): 2e-3,
}
TABM = {
    **GOOD,
    ("model", "members"): 32,
    ("model", "numbers"): "piecewise",
    ("model", "trial_epochs"): 0,
    ("model", "layers"): (128, 128),
    ("model", "dropout"): 0.1,
    ("train", "batch_size"): 256,
    ("train", "optimizer", "weight_decay"): 3e-4,
    ("train", "early_stopping", "patience"): 16,
}
REALMLP = {
    **FAST,
    ("model", "network"): "realmlp",
    ("model", "numbers"): "periodic",
    ("model", "layers"): (256, 256, 256),
    ("model", "dropout"): 0.15,
    ("train", "epochs"): 256,
    ("train", "batch_size"): 256,
    ("train", "optimizer", "betas"): (0.9, 0.95),
    ("train", "optimizer", "weight_decay"): 0.02,
    ("train", "schedule", "name"): "coslog",
    ("train", "early_stopping", "patience"): 256,
}
REALMLP_SHORT = {
    **REALMLP,
    ("train", "epochs"): 128,
}
BEST = {
    **GOOD,
    ("ensemble", "folds"): 5,
    ("ensemble", "recipes"): ("good", "fast", "realmlp_short"),
}
PRESETS: Mapping[str, Mapping[Key, Any]] = {
    "fast": FAST,
    "good": GOOD,
    "best": BEST,
    "tabm": TABM,
    "realmlp": REALMLP,
    "realmlp_short": REALMLP_SHORT,
}
