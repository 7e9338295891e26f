"""Checks of the network, its loss and its optimizer, before they cost any time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import TrainingError
from ...train import Trainer
from ...train.batch_source import BatchSource, Rows, host_batch, spread_rows
from ...train.diagnosis.gradcheck import TOLERANCE, compare_gradients
from ...train.diagnosis.gradient import gradients
from ...train.evaluation import EVALUATION_ROWS
from ...train.examples import Examples
from ...train.order import Order
from ...train.plan import batches
from ...train.weights import unweighted
from .result import Check, Status, check, list_names

if TYPE_CHECKING:
    from ..dry_run import PreparedRun

__all__ = ["Trial", "difference_check", "first_loss", "gradient_check", "one_batch"]

#: ratio to the loss of outputs of zero from which a loss is unusual, or certainly wrong
UNUSUAL, WRONG = 2.0, 10.0
#: fraction of the first loss: not memorised, but on the way
HALF = 0.5
#: of the training on one batch
STEPS, ROWS = 1000, 32
#: for L-BFGS, which evaluates the loss up to twenty times per step
LBFGS_STEPS = 100


@dataclass(frozen=True)
class Trial:
    """A new trainer, its training rows, a ``few`` of them evenly spaced, and their order."""

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
        rows = min(EVALUATION_ROWS, train.evaluation_rows or EVALUATION_ROWS)
        return cls(run, trainer, train, evenly_spaced(train, rows), order)

    @property
    def batches(self) -> Rows:
        """The whole batches of the first epoch."""
        return batches(self.train, self.order, 0)[0]


def evenly_spaced(source: BatchSource, rows: int) -> Examples:
    """At most ``rows`` examples of ``source``, evenly spaced, as a step reads them."""
    *inputs, target = host_batch(source, spread_rows(source.rows, rows))
    return Examples((*inputs, unweighted(target)[0]))


def first_loss(trial: Trial) -> Check:
    """The loss before training, compared with that of outputs of zero, which know nothing."""
    trainer, few = trial.trainer, trial.few
    outputs = trainer.outputs(few, EVALUATION_ROWS)
    loss = trainer.loss_of(outputs, few.target)
    expected = trainer.loss_of(np.zeros_like(outputs), few.target)
    with trainer.undone():
        trainer.accumulation.begin(trial.order, 0)
        batch = trial.batches[:1]
        step = float(trainer.stepper.run(trial.train, batch)[0])
        after = trainer.loss_of(trainer.outputs(few, EVALUATION_ROWS), few.target)
    guess = trial.run.goal.describe_untrained(trial.run.settings.train.objective)
    evidence = (
        f"{loss:.4g} before training, {guess} {expected:.4g}; the first step is finite, and so is "
        "what it leaves"
    )
    facts = {"loss": loss, "expected": expected, "step": step, "after": after}
    if not np.isfinite([loss, step, after]).all():
        evidence = f"{loss:.4g} before training, {step:.4g} in the first step, {after:.4g} after it"
        advice = ["lower the learning rate, and look at the feature ranges", "train.lr=1e-4"]
        return check("first loss", "failed", evidence, advice, facts=facts)
    ratio = loss / expected if expected > 0 else 1.0
    least = 0.0 if trial.run.goal.informed else 1 / UNUSUAL
    wrong, unusual = ratio > WRONG, not least <= ratio <= UNUSUAL
    status: Status = "failed" if wrong else "warning" if unusual else "ok"
    advice = ["choose smaller first weights (model.init), and look at the feature ranges"]
    return check("first loss", status, evidence, advice if status != "ok" else [], facts=facts)


def gradient_check(trial: Trial) -> Check:
    """Whether the compiled step gives every parameter a finite gradient that is not zero."""
    trainer, few = trial.trainer, trial.few
    names = {id(p): name for name, p in trainer.model.named_parameters()}
    by_parameter = gradients(trainer, few)
    norms = {names[id(p)]: float(np.linalg.norm(g)) for p, g in by_parameter.items()}
    broken = [name for name, norm in norms.items() if not np.isfinite(norm)]
    zero = [name for name, norm in norms.items() if norm == 0]
    facts: dict[str, Any] = {"norms": norms, "not_finite": broken, "zero": zero}
    if broken:
        advice = ["look at the feature ranges, and choose smaller first weights (model.init)"]
        evidence = f"the gradient of {list_names(broken)} is not finite"
        return check("gradients", "failed", evidence, advice, facts=facts)
    if zero:
        units = trial.run.words.units
        evidence = (
            f"the gradient of {list_names(zero)} is zero on {few.rows} {units}: they cannot learn"
        )
        advice = ["choose another activation or initialisation: model.activation=gelu"]
        return check("gradients", "failed", evidence, advice, facts=facts)
    low, high = min(norms.values()), max(norms.values())
    evidence = (
        f"{len(norms)} of {len(norms)} parameters get one, finite and not zero; norms from "
        f"{low:.2g} to {high:.2g}"
    )
    return check("gradients", "ok", evidence, facts=facts)


def difference_check(trial: Trial) -> Check:
    """The gradient against central differences in float64, in a random direction per parameter."""
    comparisons = compare_gradients(trial.trainer, trial.few)
    wrong = [c for c in comparisons if not c.agrees]
    errors = {c.name: abs(c.backpropagated - c.measured) for c in comparisons}
    facts = {"errors": errors, "tolerance": TOLERANCE}
    if wrong:
        first = wrong[0]
        evidence = (
            f"of {list_names([c.name for c in wrong])} they disagree: backpropagation says "
            f"{first.backpropagated:.6g}, differences say {first.measured:.6g}"
        )
        advice = ["this is a defect of a derivative: report it with the output of --json"]
        return check("finite differences", "failed", evidence, advice, facts=facts)
    relative = [
        errors[c.name] / max(abs(c.backpropagated), abs(c.measured), 1e-30) for c in comparisons
    ]
    evidence = (
        f"agree with backpropagation for {len(comparisons)} parameters, up to {max(relative):.1g} "
        f"of the slope (tolerance {TOLERANCE:g})"
    )
    return check("finite differences", "ok", evidence, facts=facts)


def one_batch(trial: Trial) -> Check:
    """Whether the network memorises a few rows, without any regularisation."""
    if trial.run.settings.train.optimizer.name == "simulatedannealing":
        evidence = "skipped: random moves are too slow to memorise a batch"
        return check("one batch", "ok", evidence)
    trainer = trial.run.trainer(unregularized=True)
    few = evenly_spaced(trial.train, ROWS)
    steps = LBFGS_STEPS if trial.run.settings.train.optimizer.name == "lbfgs" else STEPS
    try:
        fit = trainer.overfit_batch(few, steps, ROWS)
    except TrainingError as error:
        return check("one batch", "failed", error.what, [error.help])
    evidence = (
        f"{steps} steps on {few.rows} {trial.run.words.units} brought the loss from "
        f"{fit.before:.4g} to {fit.after:.4g}, dropout and other regularisation left out"
    )
    facts = {"before": fit.before, "after": fit.after, "steps": steps, "rows": few.rows}
    if fit.passed:
        return check("one batch", "ok", evidence, facts=facts)
    linear = trial.run.prepared.model_name == "linear"
    halved = fit.after <= HALF * fit.before
    advice = (
        "a linear model may not be able to: see what model.layers=[64,64] does" if linear
        else "look for another learning rate (chainrule find-lr); then see whether equal "
        "inputs have different targets"
    )  # fmt: skip
    return check(
        "one batch", "warning" if linear or halved else "failed", evidence, [advice], facts=facts
    )
