"""T2: steps. Rates, schedules, batches and decay."""

from __future__ import annotations

import math
import statistics
from itertools import pairwise

from ..evidence import Evidence, falls
from ..rule import Rule, Sign

__all__ = ["RULES"]

#: shares of a layer that a step changes: below the first it creeps, above the second it is thrown
CREEPING, THROWN = 2e-4, 0.1


def usual_ratios(evidence: Evidence) -> list[float]:
    """Of each layer with weights, the usual share that a step changes."""
    ratios = []
    for watched in evidence.weighted:
        pairs = zip(watched.values("update"), watched.values("weight"), strict=False)
        own = [u / w for u, w in pairs if w > 0]
        if own:
            ratios.append(statistics.median(own))
    return ratios


def scheduled_to_rest(evidence: Evidence) -> bool:
    """Whether the rate was small for half of the training because a schedule made it so."""
    rates = evidence.rates
    return bool(rates) and statistics.median(rates) < 0.05 * max(rates)


def warming(evidence: Evidence) -> bool:
    """Whether the rate rose to the very end."""
    rates = evidence.rates
    rising = all(b >= a for a, b in pairwise(rates))
    return len(rates) >= 4 and rising and rates[-1] > 2 * rates[0] and rates[-1] > rates[-2]


def rate_too_low(evidence: Evidence) -> Sign | None:
    losses, ratios = evidence.losses, usual_ratios(evidence)
    if len(losses) < 3 or not ratios or scheduled_to_rest(evidence) or warming(evidence):
        return None
    largest = max(ratios)
    if largest == 0 or largest > CREEPING or falls(losses) > 0.3 or falls(losses) < -0.01:
        return None
    fall = round(100 * falls(losses), 1)
    moved = f"fell by only {fall} % in all" if fall > 0 else "did not fall at all"
    return Sign({"ratio": largest, "moved": moved})


def rate_too_high(evidence: Evidence) -> Sign | None:
    losses = [v for v in evidence.losses if math.isfinite(v)]
    ratios = usual_ratios(evidence)
    if "became" in evidence.failure:
        seen = [o.loss for o in evidence.observations if math.isfinite(o.loss)]
        grew = len(seen) >= 2 and max(seen) > 5 * abs(seen[0])
        return Sign({"why": "the loss grew until it was no longer finite"}) if grew else None
    if len(losses) < 4:
        return None
    looked = evidence.examination
    rate = max(evidence.rates, default=0.0)
    if looked is not None and "Adam" in looked.training.optimizer and rate >= 0.1:
        return Sign({"why": f"{looked.training.optimizer} moves every weight by about its rate, "
                     f"which is {rate:.3g}, in a step"})  # fmt: skip
    if ratios and max(ratios) > THROWN and not recovers(evidence):
        return Sign({"why": f"a step changes a layer by {100 * max(ratios):.0f} % of itself"})
    first = losses[0]
    if min(losses[1:]) > 1.2 * first:
        return Sign({"why": f"the loss rose from {first:.3g} to {losses[-1]:.3g}"})
    tail = losses[len(losses) // 3 :]
    jumps = [b - a for a, b in pairwise(tail)]
    usual = statistics.fmean(map(abs, jumps))
    ups = sum(max(j, 0.0) for j in jumps)
    swings = usual > 0.15 * statistics.median(tail) and ups > 0.5 * (max(tail) - min(tail))
    if swings and not recovers(evidence):
        return Sign({"why": "the loss jumps up and down from epoch to epoch"})
    return None


def recovers(evidence: Evidence) -> bool:
    """Whether training went well all the same."""
    looked = evidence.examination
    if looked is None or looked.fit is None or not looked.fit.constant_loss:
        return falls(evidence.losses) > 0.5
    return looked.fit.train_loss < 0.4 * looked.fit.constant_loss


def layer_out_of_line(evidence: Evidence) -> Sign | None:
    found: dict[str, float] = {}
    for watched in evidence.weighted:
        gradient, update = watched.median("gradient"), watched.median("update")
        if gradient and update is not None:
            found[watched.path] = update / gradient
    if len(found) < 2:
        return None
    middle = statistics.median(found.values())
    path, least = min(found.items(), key=lambda item: item[1])
    if middle <= 0 or least > 1e-3 * middle:
        return None
    return Sign({"factor": round(middle / max(least, 1e-30))}, path)


def noisy_batches(evidence: Evidence) -> Sign | None:
    looked = evidence.examination
    if looked is None or looked.training.batch > 4 or looked.training.accumulate > 1:
        return None
    seen = [o.loss for o in evidence.observations[len(evidence.observations) // 2 :]]
    if len(seen) < 8 or looked.data.rows < 64:
        return None
    spread, middle = statistics.pstdev(seen), abs(statistics.fmean(seen))
    if middle == 0 or spread < 0.3 * middle:
        return None
    return Sign({"batch": looked.training.batch, "spread": spread / middle})


def plateau(evidence: Evidence) -> Sign | None:
    losses, looked = evidence.losses, evidence.examination
    if len(losses) < 8 or looked is None or looked.fit is None or looked.fit.constant_loss == 0:
        return None
    half = losses[len(losses) // 2 :]
    still = abs(falls(half)) < 0.005
    guess = looked.fit.constant_loss
    near = abs(losses[-1] - guess) < 0.03 * guess
    gradients = evidence.total("gradient")
    small = bool(gradients) and statistics.median(gradients) < 0.05 * abs(losses[-1])
    if not (still and near and small):
        return None
    return Sign({"loss": losses[-1], "epochs": len(half), "norm": statistics.median(gradients)})


def ended_too_soon(evidence: Evidence) -> Sign | None:
    rates = evidence.rates
    if len(rates) < 4 or len(evidence.losses) < 3:
        return None
    top = max(rates)
    spent = sum(rate < 0.01 * top for rate in rates) / len(rates)
    looked = evidence.examination
    learned = looked is not None and looked.fit is not None and recovers(evidence)
    if top == 0 or spent < 0.5 or (learned and spent < 0.8):
        return None
    return Sign({"share": round(100 * spent), "rate": top})


def warm_up_too_long(evidence: Evidence) -> Sign | None:
    looked = evidence.examination
    ended = looked is not None and looked.training.stopped
    if not warming(evidence) or len(evidence.losses) < 2 or ended:
        return None
    return Sign({"first": evidence.rates[0], "last": evidence.rates[-1]})


def too_few_updates(evidence: Evidence) -> Sign | None:
    looked = evidence.examination
    if looked is None or not evidence.losses:
        return None
    training = looked.training
    updates = training.steps * len(evidence.losses) // training.accumulate
    large = training.batch > 0.4 * looked.data.rows and looked.data.rows > 64
    if not large or updates > 60 or recovers(evidence):
        return None
    return Sign({"updates": updates, "batch": training.batch, "rows": looked.data.rows})


def decay_wins(evidence: Evidence) -> Sign | None:
    shrunk = []
    for watched in evidence.weighted:
        values = watched.values("weight")
        if len(values) >= 4 and values[0] > 0:
            shrunk.append(values[-1] / values[0])
    if len(shrunk) < 1 or statistics.median(shrunk) > 0.35 or recovers(evidence):
        return None
    return Sign({"share": round(100 * statistics.median(shrunk))})


RULES = (
    Rule(
        "T201", "the learning rate is too low",
        "each step changes the weights by at most {ratio} of their size, and the loss {moved}",
        "Training heads the right way, but takes far longer than it needs to.",
        "A step is the learning rate times the gradient: the gradient says where to go, the rate "
        "how far.",
        "The loss falls slowly and smoothly; the best epoch is the last one.",
        "trainer.lr_find(data).suggestion, or ten times the rate",
        rate_too_low, setting="train.lr = 0.001",
    ),
    Rule(
        "T202", "the learning rate is too high",
        "{why}: steps overshoot",
        "Steps jump over what they are aiming at, or away from it.",
        "The gradient is the slope at one point. Along a curve of curvature h, gradient descent "
        "overshoots from a rate of 1/h on, and diverges from 2/h.",
        "The loss jumps, rises, or stays high; `ratio` is far above 0.01.",
        "a tenth of the rate, or trainer.lr_find(data).suggestion",
        rate_too_high, setting="train.lr = 0.001",
    ),
    Rule(
        "T203", "one layer hardly moves",
        "for the same gradient, {layer} moves {factor} times less than the other layers",
        "A layer is held back by a learning rate, or a scale, of its own.",
        "All layers get their gradients in the same backward sweep; what becomes of them is up to "
        "the optimizer and its parameter groups.",
        "`update / gradient` of one layer is far below that of the others.",
        "give all parameter groups the same lr",
        layer_out_of_line,
    ),
    Rule(
        "T204", "the noise of the batches drowns the signal",
        "in batches of {batch}, the loss varies from step to step by {spread} times its mean",
        "Steps follow the accidents of a few rows.",
        "The gradient of a batch is that of all rows plus noise, whose standard deviation falls "
        "with the square root of the batch size: with 32 rows it is less than a fifth of what it "
        "is with one.",
        "The loss jumps from step to step; averaged over epochs, it levels off above what larger "
        "batches reach.",
        "batch_size=32, or a lower learning rate",
        noisy_batches, setting="train.batch_size = 32",
    ),
    Rule(
        "T205", "stuck on a plateau",
        "for {epochs} epochs the loss has stayed at {loss}, which a constant guess gets too, and "
        "the gradient has a norm of only {norm}",
        "The weights sit where the loss is flat in every direction.",
        "Near a saddle, and where units are not yet different, the products that the chain rule "
        "forms are nearly 0 for all weights at once.",
        "Loss and gradient are small and constant from the first epoch on.",
        "larger first weights, optim.Adam, or momentum",
        plateau, setting='train.optimizer = "adam"',
    ),
    Rule(
        "T206", "the schedule ended too soon",
        "for {share} % of the training the rate was below a hundredth of its peak of {rate}",
        "Most of the training ran at a learning rate of next to nothing.",
        "A step is the rate times the gradient: at a rate of 0 the best gradient is of no use.",
        "Weights and loss stand still from the moment the rate is gone.",
        "a schedule as long as the training: Cosine(lr, steps=epochs * steps_of_an_epoch)",
        ended_too_soon, setting='train.schedule = "cosine"',
    ),
    Rule(
        "T207", "the warm-up never ended",
        "the rate was still rising at the end, from {first} to {last}",
        "Training ended before it had its full rate.",
        "A warm-up keeps the first steps small while gradients are large and the optimizer's "
        "running means are young. It should last a few hundred steps, a few per cent of the "
        "training.",
        "`rates` rise in every observation.",
        "Warmup(schedule, steps=200)",
        warm_up_too_long, setting='train.schedule.warmup = "1 epoch"',
    ),
    Rule(
        "T208", "too few updates",
        "{updates} updates in all, each on {batch} of {rows} rows",
        "Each epoch makes only a step or two: far too few to get anywhere.",
        "A gradient is right only for a small step, however many rows it was computed from.",
        "Epochs are fast; the loss falls smoothly and is still high at the end.",
        "batch_size=32",
        too_few_updates, setting="train.batch_size = 32",
    ),
    Rule(
        "T209", "weight decay wins over learning",
        "the weights have shrunk to {share} % of their initial size, and little was learned",
        "The pull to zero is stronger than the gradient.",
        "Decay and penalties add a gradient of their own, proportional to the weights. Where the "
        "gradient of the loss is smaller than that, weights end up at 0.",
        "`weight` falls in all layers; predictions become constant.",
        "weight_decay=0.01, and a penalty far below the loss",
        decay_wins, setting="train.weight_decay = 0.01",
    ),
)  # fmt: skip
