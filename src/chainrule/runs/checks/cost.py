"""What the training will take: time, measured on a few steps, and memory, as it is planned."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ...train.evaluation import EVALUATION_ROWS
from ...train.loop import LoopStepper
from .model import Trial
from .result import Check, check

__all__ = ["memory", "shown_bytes", "shown_time", "training_time"]

#: seconds that a measurement may take
BUDGET = 0.1


def training_time(trial: Trial) -> Check:
    """Steps and validation, measured as they will run, times the epochs."""
    trainer, prepared = trial.trainer, trial.run.prepared
    chosen = prepared.settings.train
    order, rows = trial.order, trial.order.batches(0)[0]
    with trainer.undone():
        trainer.accumulation.begin(order, 0)
        begun = time.perf_counter()
        trainer.stepper.run(trial.train, rows[:1])
        first = time.perf_counter() - begun
        # As many steps as fit into the budget, judged by one that is warm.
        one = _seconds(lambda: trainer.stepper.run(trial.train, rows[:1]), 1)
        count = max(1, min(len(rows), int(BUDGET / max(one, 1e-9))))
        step = _seconds(lambda: trainer.stepper.run(trial.train, rows[:count]), 3) / count
        validation = 0.0
        if prepared.sizes["validation"]:
            held = trainer.read(prepared.validation)[0]
            trainer.evaluate_source(held, EVALUATION_ROWS)
            validation = _seconds(lambda: trainer.evaluate_source(held, EVALUATION_ROWS), 1)
    epoch = order.steps * step + validation
    whole = chosen.epochs * epoch
    limit = f"; train.time_limit ends it after {shown_time(chosen.time_limit)}"
    evidence = (
        f"about {shown_time(whole)} for {chosen.epochs} epochs, if nothing ends them before: "
        f"{order.steps} steps of {shown_time(step)} and {shown_time(validation)} of validation in "
        f"each" + (limit if 0 < chosen.time_limit < whole else "")
    )
    facts = {"seconds": whole, "epoch": epoch, "step": step, "validation": validation,
             "first_step": first, "steps": order.steps, "epochs": chosen.epochs}  # fmt: skip
    return check("time", "ok", evidence, facts=facts)


def _seconds(run: Callable[[], Any], repeats: int) -> float:
    """The shortest of some times: others were held up."""
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        run()
        times.append(time.perf_counter() - begun)
    return min(times)


def memory(trial: Trial) -> Check:
    """The bytes of the training step's program: nothing is allocated while it runs."""
    trainer, prepared = trial.trainer, trial.run.prepared
    parts = (prepared.train, prepared.validation, prepared.test)
    data = sum(a.nbytes for p in parts for a in trainer.read(p)[0].arrays)
    weights = sum(p.numpy().nbytes for p in trainer.model.parameters())
    count = sum(int(np.prod(p.shape)) for p in trainer.model.parameters())
    if not isinstance(trainer.stepper, LoopStepper):
        evidence = (
            f"{shown_bytes(data)} of data and {shown_bytes(weights)} of weights ({count:,}); "
            f"{prepared.settings.train.optimizer.name} keeps more on the host"
        )
        return check("memory", "ok", evidence, facts={"data": data, "weights": weights})
    planned = trainer.stepper.program(trial.train, trial.order.batch).planned_bytes
    whole = data + sum(planned.values())
    evidence = (
        f"{shown_bytes(whole)}: data {shown_bytes(data)}, states {shown_bytes(planned['states'])} "
        f"({count:,} weights and what the optimizer keeps of them), temporaries "
        f"{shown_bytes(planned['arena'])}, code with constants {shown_bytes(planned['code'])}"
    )
    facts = {"bytes": whole, "data": data, "weights": weights, **planned}
    return check("memory", "ok", evidence, facts=facts)


def shown_bytes(count: int) -> str:
    """``1.4 MB``: powers of a thousand."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} bytes"


def shown_time(seconds: float) -> str:
    """``2.1 ms``, ``1.4 s``, ``3 min``, ``2.5 h``."""
    for unit, size in (("h", 3600.0), ("min", 60.0), ("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{_short(seconds / size)} {unit}"
    return f"{_short(seconds * 1e6)} us"


def _short(value: float) -> str:
    """Two digits, or all before the point."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"
