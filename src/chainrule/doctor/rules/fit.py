"""T3: fit. What was learned, compared with what could be."""

from __future__ import annotations

import math

from ...train.diagnosis.examination import Examination
from ...train.diagnosis.fit_facts import FitFacts
from ..evidence import Evidence, falls
from ..rule import Rule, Sign

__all__ = ["RULES"]

HEAVY_DROPOUT = 0.75
NORMS = ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "MemberBatchNorm")
#: kinds of layers between which there is something to learn that a line is not
CURVED = ("LU", "Tanh", "Sigmoid", "Mish", "Soft", "Hard", "RNN", "LSTM", "GRU", "Attention",
          "Transformer", "Pool")  # fmt: skip


def _fit(evidence: Evidence) -> tuple[Examination, FitFacts] | None:
    looked = evidence.examination
    if looked is None or looked.fit is None or not looked.data.validation_rows:
        return None
    values = (looked.fit.train_loss, looked.fit.validation_loss)
    return (looked, looked.fit) if all(map(math.isfinite, values)) else None


def _chance(fit: FitFacts) -> bool:
    """Whether validation rows are predicted no better than by a constant guess."""
    guess = fit.constant_validation_loss
    return guess > 0 and fit.validation_loss > 0.95 * guess


def overfitted(evidence: Evidence) -> Sign | None:
    found = _fit(evidence)
    if found is None or len(evidence.validation) < 4:
        return None
    looked, fit = found
    if looked.training.restores_best:
        gap = fit.validation_loss > 3 * fit.train_loss and fit.validation_loss > 0.7 * max(
            fit.constant_loss, 1e-9
        )
    else:
        best = min(evidence.validation)
        gap = fit.validation_loss > 1.3 * best and fit.validation_loss > 1.6 * fit.train_loss
    wide = fit.validation_loss - fit.train_loss > 0.15 * max(fit.constant_loss, 1e-9)
    if not (gap and wide):
        return None
    return Sign({"train": fit.train_loss, "validation": fit.validation_loss})


def underfitted(evidence: Evidence) -> Sign | None:
    found = _fit(evidence)
    if found is None or len(evidence.losses) < 6:
        return None
    looked, fit = found
    guess = fit.constant_loss
    parameters = sum(layer.parameters for layer in looked.layers)
    curved = any(any(c in layer.kind for c in CURVED) for layer in looked.layers)
    widths = [layer.options["out_features"] for layer in looked.layers
              if "out_features" in layer.options]  # fmt: skip
    small = parameters < 16 or not curved or min(widths[:-1], default=2) < 2
    rests = abs(falls(evidence.losses[-4:])) < 0.03
    if not (guess and fit.train_loss > 0.5 * guess and small and rests):
        return None
    return Sign({"loss": fit.train_loss, "guess": guess, "parameters": parameters})


def easier_validation(evidence: Evidence) -> Sign | None:
    found = _fit(evidence)
    if found is None or len(evidence.losses) < 4:
        return None
    fit = found[1]
    if fit.validation_loss > 0.5 * fit.train_loss or fit.train_loss < 0.05 * fit.constant_loss:
        return None
    return Sign({"train": fit.train_loss, "validation": fit.validation_loss})


def at_chance(evidence: Evidence) -> Sign | None:
    found = _fit(evidence)
    if found is None or len(evidence.losses) < 3:
        return None
    fit = found[1]
    losses = evidence.losses
    learned_some = fit.train_loss < 0.999 * fit.constant_loss
    if (
        not _chance(fit)
        or min(evidence.validation, default=0) < 0.93 * fit.constant_validation_loss
    ):
        return None
    if fit.train_loss > 3 * fit.constant_loss or (not learned_some and falls(losses) < 0.0005):
        return None
    return Sign({"loss": fit.validation_loss, "guess": fit.constant_validation_loss})


def stopped_too_soon(evidence: Evidence) -> Sign | None:
    losses, validation = evidence.losses, evidence.validation or evidence.losses
    looked = evidence.examination
    if looked is None or len(losses) < 2 or len(validation) < 2 or evidence.failure:
        return None
    rate = (losses[-2] - losses[-1]) / abs(losses[-2]) if losses[-2] else 0.0
    hasty = looked.training.stopped and len(losses) < 10
    steep = rate > 0.12 or (rate > 0.03 and hasty) or (rate > 0.06 and len(losses) <= 4)
    improving = len(validation) - 1 - validation.index(min(validation)) <= 2
    nothing_left = looked.fit is not None and losses[-1] < 0.1 * looked.fit.constant_loss
    rates = evidence.rates
    scheduled = len(rates) > 3 and rates[-1] < 0.2 * max(rates)
    if not steep or not improving or scheduled or nothing_left or len(losses) > 60:
        return None
    return Sign({"fall": round(100 * rate), "epochs": len(losses)})


def past_the_best(evidence: Evidence) -> Sign | None:
    looked, validation = evidence.examination, evidence.validation
    if looked is None or len(validation) < 10 or looked.training.restores_best:
        return None
    best = min(range(len(validation)), key=validation.__getitem__)
    since = len(validation) - 1 - best
    if since < 0.5 * len(validation) or validation[-1] < 1.3 * validation[best]:
        return None
    return Sign({"best": validation[best], "epoch": best + 1, "since": since})


def too_restrained(evidence: Evidence) -> Sign | None:
    looked = evidence.examination
    if looked is None or len(evidence.losses) < 3:
        return None
    drops = [
        x for x in looked.layers if "Drop" in x.kind and x.options.get("p", 0) >= HEAVY_DROPOUT
    ]
    if drops:
        share = round(100 * drops[0].options["p"])
        return Sign({"why": f"dropout removes {share} % of the units in `{drops[0].path}`"})
    smoothing = float(evidence.settings.get("train.label_smoothing", 0.0))
    noise = float(evidence.settings.get("train.regularization.input_noise", 0.0))
    if smoothing > 0.5:
        return Sign({"why": f"labels are smoothed by {smoothing:g}, and say next to nothing"})
    if noise > 2.0:
        return Sign({"why": f"noise of {noise:g} deviations drowns every input"})
    if looked.fit is None or not looked.fit.constant_loss:
        return None
    fit, reported = looked.fit, evidence.losses[-1]
    hindered = fit.train_loss < 0.9 * fit.constant_loss and reported > 0.96 * fit.constant_loss
    if not hindered:
        return None
    why = (f"the loss in training stays at {reported:.3g}, that of a guess, while the same rows "
           f"without noise, smoothing and dropout give {fit.train_loss:.3g}")  # fmt: skip
    return Sign({"why": why})


def unfit_loss(evidence: Evidence) -> Sign | None:
    looked = evidence.examination
    if looked is None:
        return None
    target, loss = looked.data.target, looked.training.loss
    quantities = ("mse", "l1", "huber", "MSE", "L1", "Huber")  # not losses of one's own
    if not any(name in loss for name in quantities):
        return None
    if target.kind != "numbers" or not 2 <= target.levels <= 8 or target.low < 0:
        return None
    if target.high != target.levels - 1:
        return None
    return Sign({"levels": target.levels, "loss": loss})


def unreliable_statistics(evidence: Evidence) -> Sign | None:
    looked = evidence.examination
    if looked is None:
        return None
    norms = [layer for layer in looked.layers if layer.kind in NORMS]
    if not norms:
        return None
    if looked.training.batch <= 4:
        why = f"each batch has {looked.training.batch} rows to take mean and deviation of"
        return Sign({"why": why}, norms[0].path)
    fit = looked.fit
    if fit is not None and evidence.losses and fit.train_loss > 3 * max(evidence.losses[-1], 1e-3):
        why = (f"training rows have a loss of {fit.train_loss:.3g} in evaluation and of "
               f"{evidence.losses[-1]:.3g} in training")  # fmt: skip
        return Sign({"why": why}, norms[0].path)
    return None


RULES = (
    Rule(
        "T301", "overfitting",
        "the loss is {train} on training rows and {validation} on validation rows: the network has "
        "learned its training rows by heart",
        "It knows its training rows, but not the rule behind them.",
        "The gradient of the training loss knows only the training rows; with enough weights it "
        "leads to where their noise is fitted as well.",
        "The training loss keeps falling while the validation loss rises.",
        "EarlyStopping with restore_best, dropout, weight decay, a smaller network, more data",
        overfitted, setting="train.early_stopping.restore_best = true",
    ),
    Rule(
        "T302", "underfitting",
        "the training loss levels off at {loss}, where a constant guess gets {guess}: "
        "{parameters} parameters cannot express more",
        "The network is too simple for the task.",
        "Backpropagation finds good weights of the network that is there; it cannot bend what has "
        "no curve.",
        "Training and validation loss level off at the same high value.",
        "a hidden layer with an activation, or wider ones",
        underfitted, setting="model.layers = [64, 64]",
    ),
    Rule(
        "T303", "validation rows are easier than training rows",
        "the loss is {validation} on validation rows and {train} on training rows, both without "
        "dropout and noise",
        "The validation part is not like the training part, so its numbers promise too much.",
        "Nothing in the chain rule makes unseen rows easier than seen ones: the choice of rows "
        "does, or copies among them.",
        "The validation loss is far below the training loss from the first epoch on.",
        "split at random: rows in their order are often sorted",
        easier_validation,
    ),
    Rule(
        "T304", "no better than a constant guess",
        "the validation loss is {loss}; guessing the same for every row gives {guess}",
        "Nothing was learned that holds for other rows.",
        "Gradients of rows that contradict one another cancel out; what remains is noise, which is "
        "learned by heart.",
        "The training loss falls a little, the validation loss stays at that of a guess.",
        "check that targets belong to their rows (sorting, joins, shifts), and that the inputs can "
        "tell anything about them",
        at_chance,
    ),
    Rule(
        "T305", "stopped while the loss was falling",
        "the last of {epochs} epochs lowered the loss by {fall} %",
        "Training ended while it was still making progress.",
        "Each step goes a little way down; the number of steps is yours to choose.",
        "The best epoch is the last one.",
        "more epochs, and EarlyStopping with some patience to end them",
        stopped_too_soon, setting="train.epochs = 100",
    ),
    Rule(
        "T306", "trained past the best epoch",
        "validation was best in epoch {epoch} ({best}); the {since} epochs after it made it worse, "
        "and their weights were kept",
        "The model that was kept is not the best one there was.",
        "The training loss has no way of telling when to stop.",
        "The validation loss has its minimum early and rises from there on.",
        'callbacks=[EarlyStopping("val_loss", patience=10, restore_best=True)]',
        past_the_best, setting="train.early_stopping.restore_best = true",
    ),
    Rule(
        "T307", "too much regularisation",
        "{why}",
        "The remedies against overfitting keep the network from learning at all.",
        "Dropout multiplies most gradients by 0, noise and smoothing hide what they should lead "
        "to.",
        "The training loss stays high; in evaluation mode it is much lower.",
        "dropout of 0.1 to 0.5, less noise and smoothing",
        too_restrained, setting="model.dropout = 0.1",
    ),
    Rule(
        "T308", "the loss does not fit the task",
        "the target has {levels} values, counting from 0, which look like classes, but {loss} "
        "treats them as quantities",
        "Class 2 is not twice class 1; the loss says so all the same.",
        "The gradient of a squared error pulls every output to the mean of classes that are "
        "likely; that of cross-entropy raises the score of the right one.",
        "Predictions lie between classes.",
        'loss="cross_entropy" with one output for each class',
        unfit_loss, setting='data.task = "multiclass"',
    ),
    Rule(
        "T309", "batch norm with unreliable statistics",
        "{layer}: {why}",
        "Training normalises by the batch, evaluation by running means: they disagree.",
        "The gradient flows through mean and deviation of the batch; of few rows these are mostly "
        "noise, which evaluation does not have.",
        "Losses in training and in evaluation differ on the same rows.",
        "batches of at least 16 rows, momentum=0.1, or nn.LayerNorm",
        unreliable_statistics, setting="train.batch_size = 32",
    ),
)  # fmt: skip
