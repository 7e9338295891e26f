"""T1: gradients and units. What arrives at a layer, and what it lets through."""

from __future__ import annotations

import math
import statistics

from ..evidence import Evidence, Watched, falls
from ..rule import Rule, Sign

__all__ = ["RULES"]

#: the layer nearest to the inputs gets this share of the gradient that the last one gets
VANISHED = 1e-3
#: norms of gradients, per unit of loss, that no healthy step has
EXPLODED = 300.0
DEAD, SATURATED, CLIPPED = 0.4, 0.5, 0.9
#: a layer that changes by less than this share of itself in a step stands still
STILL = 1e-9
#: of the gradient that arrives at a sequence, what its first step gets at most if forgotten
FORGOTTEN = 1e-4
#: a loss above this share of a constant guess's says that nothing was learned
UNLEARNED = 0.9
#: by which the gradient grows in each half of a sequence where it explodes
GROWN = 30.0
LONG = 8  # time steps
LINEAR = (
    "Linear", "NTKLinear", "MemberLinear", "BatchEnsembleLinear",
    "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d",
)  # fmt: skip
PROBABLE = ("Softmax", "Sigmoid", "LogSoftmax")


def vanishing(evidence: Evidence) -> Sign | None:
    chain = [w for w in evidence.weighted if w.kind in LINEAR]
    if len(chain) < 3:
        return None
    first, last = (w.median("gradient") for w in (chain[0], chain[-1]))
    if first is None or not last or first >= VANISHED * last:
        return None
    if first == 0 and dead(evidence) is not None:
        return None  # it does not fade: units that are always 0 cut it off
    return Sign({"ratio": first / last, "layers": len(chain), "last": chain[-1].path},
                chain[0].path)  # fmt: skip


def exploding(evidence: Evidence) -> Sign | None:
    totals = evidence.total("gradient")
    per_loss = [t / abs(o.loss) for t, o in zip(totals, evidence.observations, strict=True)
                if o.loss and math.isfinite(t) and math.isfinite(o.loss)]  # fmt: skip
    grows = any(not math.isfinite(t) for t in totals)
    if not per_loss:
        return None
    largest = max(per_loss)
    chain = [w for w in evidence.weighted if w.kind in LINEAR]
    first, last = (w.median("gradient") or 0.0 for w in (chain[0], chain[-1])) if chain else (0, 0)
    backwards = len(chain) > 3 and last > 0 and first > 1000 * last
    if not (grows or largest > EXPLODED or backwards):
        return None
    return Sign({"norm": max(t for t in totals if math.isfinite(t)), "loss": largest})


def dead(evidence: Evidence) -> Sign | None:
    found = [(share, w) for w in evidence.layers if (share := w.median("dead", 0.34)) is not None]
    share, layer = max(found, key=lambda pair: pair[0], default=(0.0, None))
    if layer is None or share < DEAD or 0 < evidence.batch < 8:  # of few rows, zeros say nothing
        return None
    return Sign({"share": round(100 * share)}, layer.path)


def saturated(evidence: Evidence) -> Sign | None:
    found = [(s, w) for w in evidence.layers if (s := w.median("saturated", 0.5)) is not None]
    inner = [(s, w) for s, w in found if w is not evidence.layers[-1]]
    share, layer = max(inner, key=lambda pair: pair[0], default=(0.0, None))
    if layer is None or share < SATURATED:
        return None
    return Sign({"share": round(100 * share)}, layer.path)


def standing_still(evidence: Evidence) -> Sign | None:
    looked = evidence.examination
    for facts in looked.layers if looked else ():
        if facts.trained is False and facts.parameters:
            return Sign({"why": "the optimizer does not update it"}, facts.path)
    if any(max(o.rates, default=1.0) == 0 for o in evidence.observations):
        return None
    seen = {w.path for w in evidence.layers if w.values("mean")}
    for watched in evidence.layers:
        if not watched.values("weight"):
            continue
        if not any(watched.values("gradient")):
            why = "it is never called" if watched.path not in seen else "no gradient arrives there"
            return Sign({"why": why}, watched.path)
        if evidence.observations[0].step == 0 and watched.values("gradient")[0] == 0:
            why = "no gradient arrived there at first, as weights behind it begin at 0"
            return Sign({"why": why}, watched.path)
    return None


def not_a_number(evidence: Evidence) -> Sign | None:
    if "became nan" not in evidence.failure and "became inf" not in evidence.failure:
        return None
    what = evidence.failure.split("\n")[0]
    return Sign({"what": what.partition(": ")[2] or what})


def clipped(evidence: Evidence) -> Sign | None:
    before, after = evidence.total("gradient"), evidence.total("clipped")
    pairs = [(b, a) for b, a in zip(before, after, strict=True) if b > 0 and a > 0]
    if len(pairs) < 3:
        return None
    cut = [a / b for b, a in pairs if a < 0.99 * b]
    if len(cut) < CLIPPED * len(pairs) or statistics.median(cut) > 0.2:
        return None
    return Sign({"share": round(100 * len(cut) / len(pairs)), "factor": statistics.median(cut)})


def linear_chain(evidence: Evidence) -> Sign | None:
    kinds = {w.path: w.kind for w in evidence.layers}
    for watched in evidence.layers:
        reads = watched.seen[-1].reads
        if watched.kind in LINEAR and reads is not None and kinds.get(reads) in LINEAR:
            return Sign({"before": reads}, watched.path)
    return None


def unfit_output(evidence: Evidence) -> Sign | None:
    looked = evidence.examination
    if looked is None or not evidence.layers:
        return None
    loss, last, target = looked.training.loss, evidence.layers[-1], looked.data.target
    scored = "CrossEntropy" in loss or "cross_entropy" in loss or "WithLogits" in loss
    if scored and last.kind in (*PROBABLE, "ReLU", "Tanh"):
        why = f"{loss} takes scores of any size and applies its own softmax or sigmoid"
        return Sign({"kind": last.kind, "why": why}, last.path)
    if target.kind != "numbers":
        return None
    low = {"ReLU": 0.0, "Sigmoid": 0.0, "Softplus": 0.0, "Tanh": -1.0}.get(last.kind)
    high = {"Sigmoid": 1.0, "Tanh": 1.0}.get(last.kind)
    beyond = (low is not None and target.low < low - 0.05 * abs(target.deviation)) or (
        high is not None and target.high > high + 0.05 * abs(target.deviation)
    )
    if not beyond:
        return None
    why = f"the target goes from {target.low:.3g} to {target.high:.3g}"
    return Sign({"kind": last.kind, "why": why}, last.path)


def twins(evidence: Evidence) -> Sign | None:
    looked = evidence.examination
    for facts in looked.layers if looked else ():
        if facts.twins > 0.5 and "Norm" not in facts.kind and "Embedding" not in facts.kind:
            return Sign({"share": round(100 * facts.twins)}, facts.path)
    return None


def time_steps(watched: Watched) -> list[tuple[float, ...]]:
    """What arrived at the time steps of a layer, in each observation of a sequence long enough."""
    rows = [s.through_time for s in watched.seen if s.through_time]
    # In files, what was not finite is None.
    return [
        r for r in rows if len(r) >= LONG and all(v is not None and math.isfinite(v) for v in r)
    ]


def forgets(evidence: Evidence) -> Sign | None:
    looked, losses = evidence.examination, evidence.losses
    if looked is not None and looked.fit is not None and looked.fit.constant_loss:
        if looked.fit.train_loss < UNLEARNED * looked.fit.constant_loss:
            return None  # what it needs it gets
    elif len(losses) < 2 or falls(losses) > 1 - UNLEARNED:
        return None
    for watched in evidence.layers:
        shares = [row[0] / max(row) for row in time_steps(watched) if max(row) > 0]
        if shares and (share := statistics.median(shares)) < FORGOTTEN:
            return Sign({"share": share}, watched.path)
    return None


def explodes_through_time(evidence: Evidence) -> Sign | None:
    for watched in evidence.layers:
        # Half by half: where rows are padded, the last steps of most get nothing at all.
        grown = [
            row[0] / row[-1]
            for row in time_steps(watched)
            if row[-1] > 0 and (middle := row[len(row) // 2]) > GROWN * row[-1]
            and row[0] > GROWN * middle
        ]  # fmt: skip
        if grown and 2 * len(grown) > len(time_steps(watched)):
            return Sign({"factor": statistics.median(grown)}, watched.path)
    return None


RULES = (
    Rule(
        "T101", "vanishing gradient",
        "the gradient that arrives at {layer} is {ratio} times that at `{last}`: {layers} layers "
        "shrink it, and the first ones learn next to nothing",
        "The layers near the inputs get so small a gradient that they keep their first weights.",
        "By the chain rule the gradient of an early layer is a product with one factor for each "
        "layer behind it. The slope of a sigmoid is at most 1/4, and small weights shrink it "
        "further: ten such factors leave a millionth.",
        "`gradient` falls by orders of magnitude from the last layer to the first; the loss stays "
        "near that of a constant guess.",
        "nn.ReLU() or nn.GELU() for activations, nn.init.kaiming_normal_(layer.weight), a norm or "
        "a residual connection in each block",
        vanishing, setting='model.activation = "relu"',
    ),
    Rule(
        "T102", "exploding gradient",
        "the norm of the gradient reached {norm}, {loss} times the loss: steps are thrown far off",
        "Single steps are so large that they undo what was learned, or end in infinities.",
        "The same product as with vanishing gradients, with factors above 1: weights that double a "
        "signal in each of twenty layers, or in each step of a recurrent net, double the gradient "
        "as often.",
        "`gradient` grows from the last layer to the first, or shoots up in single steps; the loss "
        "jumps.",
        'Trainer(..., clip={"global_norm": 1.0}), and smaller first weights',
        exploding, setting="train.clip.global_norm = 1.0",
    ),
    Rule(
        "T103", "dead units",
        "{share} % of the units in {layer} are zero for every row: no gradient passes them, so "
        "they stay so",
        "A unit that is zero for all rows takes no part, and never will.",
        "The slope of a ReLU is 0 below zero. If the weighted sum of a unit is negative for every "
        "row, all its gradients are multiplied by that 0.",
        "`dead` is high, often after a first step that was too large; the loss levels off early.",
        "a lower learning rate, nn.LeakyReLU() or nn.GELU(), and first biases of 0",
        dead, setting='model.activation = "leaky_relu"',
    ),
    Rule(
        "T104", "saturated units",
        "{share} % of the outputs of {layer} lie where its curve is flat",
        "Most units are pinned to an end of their range and hardly react to their inputs.",
        "The gradient of a sigmoid or tanh is multiplied by its slope, which is next to 0 at both "
        "ends: whatever arrives from behind is lost there.",
        "`saturated` is high, `backward` drops sharply at the layer before.",
        "scale the inputs to about 1, start with smaller weights, or use nn.ReLU()",
        saturated, setting='model.activation = "relu"',
    ),
    Rule(
        "T105", "a layer does not learn",
        "{layer} keeps its first weights: {why}",
        "A layer with weights is not trained.",
        "Where the chain of operations from the loss to a weight is cut (by `detach`, by a factor "
        "of 0, by a layer that is not called) there is nothing to multiply: its gradient is 0 or "
        "missing.",
        "`update` is 0 in every observed step.",
        "pass model.parameters() to the optimizer, and look for detach(), requires_grad_(False) "
        "and layers that forward() forgets; where it is meant, silence T105",
        standing_still,
    ),
    Rule(
        "T106", "not a number",
        "training ended with a value that is not finite: {what}",
        "An operation overflowed, or had no result.",
        "A single NaN or infinity spreads to everything that is computed from it, and by the chain "
        "rule to every gradient that passes it.",
        "The error names operation, layer and rows.",
        "lower the learning rate; keep log, division and exp away from 0 and from large numbers "
        "(F.log_softmax, eps, clamp)",
        not_a_number, setting="train.clip.global_norm = 1.0", severity="error",
    ),
    Rule(
        "T107", "gradients are clipped in nearly every step",
        "{share} % of the observed steps were clipped, to {factor} of their gradient: the bound "
        "sets the step, not the gradient",
        "Clipping should catch single large gradients; here it is a hidden, lower learning rate.",
        "The clipped gradient keeps its direction at best, and has always the same length: a "
        "steep slope and a flat one give the same step.",
        "`clipped` is far below `gradient` in all layers, all the time.",
        "raise the bound to about twice the usual norm of the gradient, and set the learning rate "
        "to what you mean",
        clipped, setting="train.clip.global_norm = 1.0",
    ),
    Rule(
        "T108", "no activation between two layers",
        "{layer} reads `{before}` directly: two linear layers in a row are one",
        "Layers without an activation between them can be multiplied out to a single one.",
        "The derivative of a linear layer is a constant matrix. A product of constant matrices is "
        "one, so the chain learns what one layer could.",
        "More layers change nothing; the network does as well as a linear model.",
        "put nn.ReLU() between them",
        linear_chain, setting='model.activation = "relu"',
    ),
    Rule(
        "T109", "the last activation does not fit the loss",
        "the network ends with {kind} in {layer}, but {why}",
        "What comes out cannot be what the loss asks for, or is squeezed twice.",
        "A second softmax or sigmoid multiplies the gradient by another slope, at most 1/4, and "
        "keeps the loss from reaching 0; a ReLU passes no gradient to scores below zero.",
        "The loss levels off far above 0 although nearly every row is right; or predictions never "
        "leave a range that the target does leave.",
        "remove the last activation",
        unfit_output,
    ),
    Rule(
        "T110", "units are copies of one another",
        "{share} % of the units in {layer} have the weights of another unit: they do the same",
        "Units that start equal stay equal; the layer is only as wide as its number of different "
        "units.",
        "Two units with the same weights get the same sums, the same slopes and the same gradient: "
        "every step changes them alike.",
        "Rows of the weight matrix are equal.",
        "draw the first weights at random: nn.init.kaiming_normal_(layer.weight)",
        twins, setting='model.init = "default"',
    ),
    Rule(
        "T111", "the gradient vanishes through time",
        "the gradient that arrives at the first time steps of {layer} is {share} times that at the "
        "last ones: what a sequence begins with cannot be learned",
        "The network learns from the end of each sequence and is blind to its beginning.",
        "Going back through time, the chain rule multiplies by the same recurrent weights and "
        "slopes at every step. Where that factor is below 1, what is left after sixty steps is "
        "next to nothing.",
        "`through_time` falls by orders of magnitude from the last step to the first, and the loss "
        "stays near that of a constant guess.",
        "nn.LSTM or nn.GRU in place of nn.RNN, forget gates that start open "
        "(bias of about 1), a mean over all time steps in place of the last one, or attention",
        forgets,
    ),
    Rule(
        "T112", "the gradient explodes through time",
        "on its way back through {layer} the gradient grows {factor}-fold from the last time step "
        "to the first: the beginning of a sequence drowns out the rest",
        "Steps are ruled by the first time steps of single sequences.",
        "Going back through time, the chain rule multiplies by the same recurrent weights at every "
        "step. Where they stretch a signal, and no flat slope holds it back, the gradient grows "
        "like a power of the number of steps.",
        "`through_time` grows steadily from the last step to the first; the loss jumps.",
        'Trainer(..., clip={"global_norm": 1.0}), and '
        "nn.init.orthogonal_(layer.weight_hh_l0)",
        explodes_through_time, setting="train.clip.global_norm = 1.0",
    ),
)  # fmt: skip
