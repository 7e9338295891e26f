"""What training will cost: time, measured on a few steps, and memory, as planned."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ...durations import rough_duration
from ...phrasing import byte_size
from ...train.evaluation import EVALUATION_ROWS
from ...train.loop import LoopStepper
from .model import Trial
from .result import Check, check

__all__ = ["memory", "training_time"]

#: seconds that a measurement may take
BUDGET = 0.1


def training_time(trial: Trial) -> Check:
    """Steps and validation, measured as they will run, times the number of epochs."""
    trainer, prepared = trial.trainer, trial.run.prepared
    settings = prepared.settings.train
    order, rows = trial.order, trial.batches
    with trainer.undone():
        trainer.accumulation.begin(order, 0)
        first = _shortest(lambda: trainer.stepper.run(trial.train, rows[:1]), 1)
        # As many steps as fit into the budget, judging by one that is warm.
        warm = _shortest(lambda: trainer.stepper.run(trial.train, rows[:1]), 1)
        count = max(1, min(len(rows), int(BUDGET / max(warm, 1e-9))))
        step = _shortest(lambda: trainer.stepper.run(trial.train, rows[:count]), 3) / count
        validation = 0.0
        if prepared.sizes["validation"]:
            source = trainer.read(prepared.validation)[0]
            trainer.evaluate_source(source, EVALUATION_ROWS)
            validation = _shortest(lambda: trainer.evaluate_source(source, EVALUATION_ROWS), 1)
    epoch = order.steps * step + validation
    total = settings.epochs * epoch
    limit = f"; train.time_limit stops it after {rough_duration(settings.time_limit)}"
    evidence = (
        f"about {rough_duration(total)} for {settings.epochs} epochs, unless training stops "
        f"earlier: {order.steps} steps of {rough_duration(step)} and {rough_duration(validation)} "
        "of validation in each" + (limit if 0 < settings.time_limit < total else "")
    )
    facts = {"seconds": total, "epoch": epoch, "step": step, "validation": validation,
             "first_step": first, "steps": order.steps, "epochs": settings.epochs}  # fmt: skip
    return check("time", "ok", evidence, facts=facts)


def _shortest(run: Callable[[], Any], repeats: int) -> float:
    """The seconds of the fastest of several runs: the others were held up."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def memory(trial: Trial) -> Check:
    """The bytes of the training step's program, which allocates nothing while it runs."""
    trainer, prepared = trial.trainer, trial.run.prepared
    parts = (prepared.train, prepared.validation, prepared.test)
    data = sum(a.nbytes for p in parts for a in trainer.read(p)[0].arrays)
    weights = sum(p.numpy().nbytes for p in trainer.model.parameters())
    count = sum(int(np.prod(p.shape)) for p in trainer.model.parameters())
    if not isinstance(trainer.stepper, LoopStepper):
        evidence = (
            f"{byte_size(data)} of data and {byte_size(weights)} of weights ({count:,}); "
            f"{prepared.settings.train.optimizer.name} keeps more on the host"
        )
        return check("memory", "ok", evidence, facts={"data": data, "weights": weights})
    planned = trainer.stepper.program(trial.train, trial.order.batch).planned_bytes
    total = data + sum(planned.values())
    evidence = (
        f"{byte_size(total)}: data {byte_size(data)}, states {byte_size(planned['states'])} "
        f"({count:,} weights and what the optimizer keeps of them), temporaries "
        f"{byte_size(planned['arena'])}, code with constants {byte_size(planned['code'])}"
    )
    facts = {"bytes": total, "data": data, "weights": weights, **planned}
    return check("memory", "ok", evidence, facts=facts)
