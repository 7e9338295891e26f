"""Checks of the network, its loss and its optimizer, before any of them has cost time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import TrainingError
from ...train import Trainer
from ...train.batch_source import BatchSource, host_batch, spread_rows
from ...train.diagnosis.gradcheck import TOLERANCE, compare_gradients
from ...train.diagnosis.gradient import gradients
from ...train.evaluation import EVALUATION_ROWS
from ...train.examples import Examples
from ...train.order import Order
from ..dry_run import PreparedRun
from .result import Check, Status, check, some

__all__ = ["Trial", "difference_check", "first_loss", "gradient_check", "one_batch"]

#: times what outputs of zero would have: unusual, or surely wrong
UNUSUAL, WRONG = 2.0, 10.0
#: of the loss before: not learned by heart, but on the way
HALF = 0.5
#: steps on one batch, and its rows
STEPS, ROWS = 1000, 32
#: L-BFGS makes up to twenty evaluations in a step
LONG_STEPS = 100


@dataclass(frozen=True)
class Trial:
    """A trainer that has not trained, its training rows, a few of them, and their order."""

    run: PreparedRun[Any]
    trainer: Trainer
    train: BatchSource
    few: Examples
    order: Order

    @classmethod
    def of(cls, run: PreparedRun[Any]) -> Trial:
        trainer, settings = run.trainer(), run.settings
        train = trainer.read(run.prepared.train)[0]
        order = Order.of(train.rows, settings.train.batch, settings.seed, True)
        most = min(EVALUATION_ROWS, train.evaluation_rows or EVALUATION_ROWS)
        return cls(run, trainer, train, spread(train, most), order)


def spread(source: BatchSource, most: int) -> Examples:
    """At most ``most`` examples of ``source``, evenly spaced, as a step reads them."""
    return Examples(host_batch(source, spread_rows(source.rows, most)))


def first_loss(trial: Trial) -> Check:
    """The loss before training, beside that of outputs of zero: a network that knows nothing."""
    trainer, few = trial.trainer, trial.few
    outputs = trainer.outputs(few, EVALUATION_ROWS)
    loss = trainer.loss_of(outputs, few.target)
    ignorant = trainer.loss_of(np.zeros_like(outputs), few.target)
    with trainer.undone():
        trainer.accumulation.begin(trial.order, 0)
        batch = trial.order.batches(0)[0][:1]
        step = float(trainer.stepper.run(trial.train, batch)[0])
        after = trainer.loss_of(trainer.outputs(few, EVALUATION_ROWS), few.target)
    guess = trial.run.prepared.goal.untrained(trial.run.settings.train.objective)
    evidence = (
        f"{loss:.4g} before training, {guess} {ignorant:.4g}; the first step is finite, and so is "
        "what it leaves"
    )
    facts = {"loss": loss, "expected": ignorant, "step": step, "after": after}
    if not np.isfinite([loss, step, after]).all():
        evidence = f"{loss:.4g} before training, {step:.4g} in the first step, {after:.4g} after it"
        advice = ["lower the learning rate, and look at the feature ranges", "train.lr=1e-4"]
        return check("first loss", "failed", evidence, advice, facts=facts)
    ratio = loss / ignorant if ignorant > 0 else 1.0
    wrong, unusual = ratio > WRONG, not 1 / UNUSUAL <= ratio <= UNUSUAL
    status: Status = "failed" if wrong else "warning" if unusual else "ok"
    advice = ["choose smaller first weights (model.init), and look at the feature ranges"]
    return check("first loss", status, evidence, advice if status != "ok" else [], facts=facts)


def gradient_check(trial: Trial) -> Check:
    """Whether the compiled step brings a finite gradient to every parameter."""
    trainer, few = trial.trainer, trial.few
    names = {id(p): name for name, p in trainer.model.named_parameters()}
    found = gradients(trainer, few)
    norms = {names[id(p)]: float(np.linalg.norm(g)) for p, g in found.items()}
    broken = [name for name, norm in norms.items() if not np.isfinite(norm)]
    zero = [name for name, norm in norms.items() if norm == 0]
    facts: dict[str, Any] = {"norms": norms, "not_finite": broken, "zero": zero}
    if broken:
        advice = ["look at the feature ranges, and choose smaller first weights (model.init)"]
        evidence = f"the gradient of {some(broken)} is not finite"
        return check("gradients", "failed", evidence, advice, facts=facts)
    if zero:
        units = trial.run.words.units
        evidence = f"the gradient of {some(zero)} is zero on {few.rows} {units}: they cannot learn"
        advice = ["choose another activation or initialisation: model.activation=gelu"]
        return check("gradients", "failed", evidence, advice, facts=facts)
    low, high = min(norms.values()), max(norms.values())
    evidence = (
        f"{len(norms)} of {len(norms)} parameters get one, finite and not zero; norms from "
        f"{low:.2g} to {high:.2g}"
    )
    return check("gradients", "ok", evidence, facts=facts)


def difference_check(trial: Trial) -> Check:
    """The gradient against central differences in float64: a random direction each."""
    found = compare_gradients(trial.trainer, trial.few)
    wrong = [d.name for d in found if not d.agrees]
    errors = {d.name: abs(d.backpropagated - d.measured) for d in found}
    facts = {"errors": errors, "tolerance": TOLERANCE}
    if wrong:
        first = next(d for d in found if not d.agrees)
        evidence = (
            f"of {some(wrong)} they disagree: backpropagation says {first.backpropagated:.6g}, "
            f"differences say {first.measured:.6g}"
        )
        advice = ["this is a defect of a derivative: report it with the output of --json"]
        return check("finite differences", "failed", evidence, advice, facts=facts)
    shares = [
        abs(d.backpropagated - d.measured) / max(abs(d.backpropagated), abs(d.measured), 1e-30)
        for d in found
    ]
    evidence = (
        f"agree with backpropagation for {len(found)} parameters, up to {max(shares):.1g} of the "
        f"slope (tolerance {TOLERANCE:g})"
    )
    return check("finite differences", "ok", evidence, facts=facts)


def one_batch(trial: Trial) -> Check:
    """Whether the network learns a few rows by heart, once nothing keeps it from that."""
    if trial.run.settings.train.optimizer.name == "simulatedannealing":
        evidence = "skipped: random moves are too slow to memorise a batch"
        return check("one batch", "ok", evidence)
    trainer = trial.run.trainer(unhindered=True)
    few = spread(trial.train, ROWS)
    steps = LONG_STEPS if trial.run.settings.train.optimizer.name == "lbfgs" else STEPS
    try:
        found = trainer.overfit_batch(few, steps, ROWS)
    except TrainingError as error:
        return check("one batch", "failed", error.what, [error.help])
    evidence = (
        f"{steps} steps on {few.rows} {trial.run.words.units} brought the loss from "
        f"{found.before:.4g} to {found.after:.4g}, dropout and other regularisation left out"
    )
    facts = {"before": found.before, "after": found.after, "steps": steps, "rows": few.rows}
    if found.passed:
        return check("one batch", "ok", evidence, facts=facts)
    linear = trial.run.prepared.model_name == "linear"
    halved = found.after <= HALF * found.before
    advice = (
        "a linear model may not be able to: see what model.layers=[64,64] does" if linear
        else "look for another learning rate (chainrule find-lr); then see whether equal "
        "inputs have different targets"
    )  # fmt: skip
    return check(
        "one batch", "warning" if linear or halved else "failed", evidence, [advice], facts=facts
    )
