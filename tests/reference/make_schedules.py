"""The rates of PyTorch's schedulers over the first steps of a run, in float64."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch.optim import lr_scheduler

STEPS = 60
BASE = 0.1

Made = Callable[[torch.optim.Optimizer], Any]

#: our name and settings, the scheduler that does the same, and for how many steps it does
CASES: list[tuple[str, dict[str, Any], Made, int]] = [
    ("step", {"every": 7, "gamma": 0.3}, lambda o: lr_scheduler.StepLR(o, 7, 0.3), STEPS),
    (
        "multi_step",
        {"milestones": [5, 6, 30], "gamma": 0.5},
        lambda o: lr_scheduler.MultiStepLR(o, [5, 6, 30], 0.5),
        STEPS,
    ),
    ("exponential", {"gamma": 0.93}, lambda o: lr_scheduler.ExponentialLR(o, 0.93), STEPS),
    (
        "polynomial",
        {"steps": 40, "power": 1.7},
        lambda o: lr_scheduler.PolynomialLR(o, 40, 1.7),
        STEPS,
    ),
    (
        "linear",
        {"steps": 23, "start_factor": 0.25, "end_factor": 0.8},
        lambda o: lr_scheduler.LinearLR(o, 0.25, 0.8, 23),
        STEPS,
    ),
    *(
        (
            "cyclical",
            {"low": 0.02, "up": 5, "down": down, "mode": mode, "gamma": gamma},
            lambda o, down=down, mode=mode, gamma=gamma: lr_scheduler.CyclicLR(
                o, 0.02, BASE, 5, down, mode, gamma, cycle_momentum=False
            ),
            STEPS,
        )
        for down, mode, gamma in (
            (None, "triangular", 1.0),
            (8, "triangular", 1.0),
            (8, "triangular2", 1.0),
            (None, "exp_range", 0.97),
        )
    ),
    # After T_max PyTorch's cosine rises again; ours stays.
    (
        "cosine",
        {"steps": 45, "final": 0.01},
        lambda o: lr_scheduler.CosineAnnealingLR(o, 45, 0.01),
        46,
    ),
    *(
        (
            "cosine_restarts",
            {"T_0": 7, "T_mult": growth, "final": 0.004},
            lambda o, growth=growth: lr_scheduler.CosineAnnealingWarmRestarts(o, 7, growth, 0.004),
            STEPS,
        )
        for growth in (1, 2, 3)
    ),
    *(
        (
            "one_cycle",
            {"steps": STEPS, "rise": rise, "div": 20.0, "final_div": 500.0, "shape": shape},
            lambda o, rise=rise, shape=shape: lr_scheduler.OneCycleLR(
                o, BASE, STEPS, pct_start=rise, anneal_strategy=shape, cycle_momentum=False,
                div_factor=20.0, final_div_factor=500.0,
            ),
            STEPS,
        )
        for rise, shape in ((0.3, "cos"), (0.25, "linear"), (0.43, "cos"))
    ),
    (
        "cosine",
        {"steps": 50, "warmup": 10},
        lambda o: lr_scheduler.SequentialLR(
            o,
            [
                lr_scheduler.LinearLR(o, 1 / 10, 1.0, 9),
                lr_scheduler.CosineAnnealingLR(o, 50),
            ],
            [10],
        ),
        STEPS,
    ),
]  # fmt: skip

#: values observed one after another, and what is to be reduced by them
OBSERVED = [
    5.0, 4.0, 4.0, 3.9999, 3.0, 3.1, 3.2, 3.3, 3.4, 2.9, float("nan"), 3.0, 3.0, 3.0, 3.0,
    3.0, 3.0, 2.0, 2.1, 2.2, 2.3, 2.4, 2.5, 2.6, 2.7, 2.8, 2.9, 3.0, 1.0, 1.0, 1.0, 1.0, 1.0,
]  # fmt: skip
PLATEAUS: list[dict[str, Any]] = [
    {"factor": 0.5, "patience": 2},
    {"factor": 0.1, "patience": 0, "min_lr": 0.001},
    {"factor": 0.5, "patience": 1, "cooldown": 3, "threshold": 0.05},
    {"factor": 0.5, "patience": 3, "mode": "max"},
]


def optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1, dtype=torch.float64)], lr=BASE)


def rates(make: Made, steps: int) -> list[float]:
    """The rate of each step."""
    inner = optimizer()
    scheduler, found = make(inner), []
    for step in range(steps):
        found.append(float(inner.param_groups[0]["lr"]))
        inner.step()
        if step < steps - 1:
            scheduler.step()
    return found


def plateau(settings: dict[str, Any]) -> list[float]:
    """The rate after each observation."""
    inner, found = optimizer(), []
    scheduler = lr_scheduler.ReduceLROnPlateau(inner, eps=0.0, **settings)
    for value in OBSERVED:
        scheduler.step(value)
        found.append(float(inner.param_groups[0]["lr"]))
    return found


def schedules() -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SequentialLR uses an interface PyTorch calls deprecated
        cases = [
            {"name": name, "kwargs": settings, "rates": rates(make, steps)}
            for name, settings, make, steps in CASES
        ]
    plateaus = [
        {"name": "reduce_on_plateau", "kwargs": settings, "rates": plateau(settings)}
        for settings in PLATEAUS
    ]
    return {"base": BASE, "cases": cases, "observed": OBSERVED, "plateaus": plateaus}
