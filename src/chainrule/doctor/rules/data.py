"""T4: data. What is fed in, and whether it can be learned from."""

from __future__ import annotations

from ...train.diagnosis.data_facts import InputFacts
from ..evidence import Evidence
from ..rule import Rule, Sign

__all__ = ["RULES"]

#: layers that bring their inputs to scale themselves
SCALING = ("BatchNorm1d", "BatchNorm2d", "LayerNorm", "InstanceNorm1d", "InstanceNorm2d",
           "MemberBatchNorm", "MemberLayerNorm", "Embedding")  # fmt: skip


def copies(evidence: Evidence) -> Sign | None:
    looked = evidence.examination
    if looked is None or looked.data.copies < 0.1 or looked.data.validation_rows < 10:
        return None
    if not any(x.real and x.features > 1 for x in looked.data.inputs):
        return None
    return Sign({"share": round(100 * looked.data.copies)})


def leaking(evidence: Evidence) -> Sign | None:
    looked = evidence.examination
    if looked is None or max(looked.data.twice_told, looked.data.split_by_one) < 0.98:
        return None
    if looked.data.twice_told >= 0.98:
        return Sign({"what": f"has a correlation of {looked.data.twice_told:.3f} with the target"})
    share = 100 * looked.data.split_by_one
    return Sign({"what": f"tells the classes apart alone, for {share:.0f} % of the rows"})


def imbalanced(evidence: Evidence) -> Sign | None:
    looked = evidence.examination
    if looked is None or looked.data.target.kind != "classes":
        return None
    counts = [c for c in looked.data.target.counts if c]
    if len(counts) < 2 or min(counts) > 0.04 * sum(counts) or len(counts) > 20:
        return None
    return Sign({"least": min(counts), "rows": sum(counts)})


def _unscaled(facts: InputFacts) -> str:
    if facts.largest_deviation > 10:
        return f"an input varies by {facts.largest_deviation:.3g}"
    if 0 < facts.largest_deviation < 0.01:
        return f"no input varies by more than {facts.largest_deviation:.3g}"
    if facts.largest_deviation > 100 * facts.least_deviation > 0 and facts.features > 1:
        return (f"one input varies by {facts.largest_deviation:.3g}, another by "
                f"{facts.least_deviation:.3g}")  # fmt: skip
    return f"an input's mean is {facts.offset:.3g} times its deviation" if facts.offset > 10 else ""


def unscaled(evidence: Evidence) -> Sign | None:
    looked = evidence.examination
    if looked is None or (looked.layers and looked.layers[0].kind in SCALING):
        return None
    for facts in looked.data.inputs:
        if facts.real and (why := _unscaled(facts)):
            return Sign({"why": why})
    return None


def constant(evidence: Evidence) -> Sign | None:
    looked = evidence.examination
    if looked is not None:
        for facts in looked.data.inputs:
            if facts.real and facts.constant and facts.features > 1:
                return Sign({"count": facts.constant, "features": facts.features})
    if "D101" in evidence.findings or "D102" in evidence.findings:
        return Sign({"count": "some", "features": "the"})
    return None


def wrong_labels(evidence: Evidence) -> Sign | None:
    looked, validation = evidence.examination, evidence.validation
    right = evidence.history.get("val_accuracy", ())
    if looked is None or looked.fit is None or len(right) < 10 or looked.data.rows < 100:
        return None
    best = max(right)
    early = right.index(best) < 0.4 * len(right)
    if not (
        early and best > 0.8 and right[-1] < best - 0.12 and looked.fit.train_right > best - 0.1
    ):
        return None
    return Sign({"best": round(100 * best), "last": round(100 * right[-1]), "loss": validation[-1]})


def unscaled_target(evidence: Evidence) -> Sign | None:
    looked = evidence.examination
    if looked is None or looked.data.target.kind != "numbers" or looked.data.target.levels:
        return None
    target = looked.data.target
    if target.giants > 100:
        return Sign({"why": f"a few targets lie {target.giants:.3g} quartile ranges away from all "
                     "others, and decide the loss"})  # fmt: skip
    if target.deviation > 100 or abs(target.mean) > 100 * target.deviation > 0:
        return Sign({"why": f"the target is about {target.mean:.3g}, give or take "
                     f"{target.deviation:.3g}, and first outputs are about 0"})  # fmt: skip
    if 0 < target.deviation < 1e-2:
        return Sign({"why": f"the target varies by {target.deviation:.3g}"})
    return None


def sorted_rows(evidence: Evidence) -> Sign | None:
    looked = evidence.examination
    if looked is None or looked.training.shuffled or looked.data.target.sorted < 0.5:
        return None
    return Sign({"share": round(100 * looked.data.target.sorted)})


def few_rows(evidence: Evidence) -> Sign | None:
    looked = evidence.examination
    if looked is None or looked.data.rows >= 60:
        return None
    parameters = sum(layer.parameters for layer in looked.layers)
    if parameters < 2 * looked.data.rows:
        return None
    return Sign({"rows": looked.data.rows, "parameters": parameters})


def shifted(evidence: Evidence) -> Sign | None:
    looked = evidence.examination
    if looked is None or looked.data.validation_rows < 30:
        return None
    if looked.data.target.shift > 1.5:
        return Sign({"what": "the target", "shift": looked.data.target.shift})
    for facts in looked.data.inputs:
        if facts.real and facts.features < 200 and (facts.shift > 2 or facts.stretch > 4):
            return Sign({"what": "an input", "shift": max(facts.shift, facts.stretch)})
    return None


RULES = (
    Rule(
        "T401", "the same rows in training and validation",
        "{share} % of the validation rows are training rows too",
        "The validation part measures memory, not what holds for new rows.",
        "The gradient of a row that was trained on has been followed: its loss says nothing about "
        "others.",
        "Validation looks as good as training, whatever is learned.",
        "remove copies before you split, or keep them on one side",
        copies, setting='data.query = "SELECT DISTINCT * FROM data"',
    ),
    Rule(
        "T402", "an input gives the answer away",
        "one input {what}",
        "A column says what is to be predicted, and may not be there when it matters.",
        "The gradient takes the shortest way: one weight, on the column that knows.",
        "Nearly every row is right after a few epochs.",
        "leave the column out, unless it is known before the answer is",
        leaking,
    ),
    Rule(
        "T403", "a class is rare",
        "the rarest class has {least} of {rows} rows",
        "Always predicting the frequent class is nearly always right, and useless.",
        "The gradient is a mean over rows: a class with one row in a hundred has a hundredth of "
        "the say.",
        "Accuracy is high, and the rare class is never predicted.",
        "nn.CrossEntropyLoss(weight=...), and look at f1 or ROC-AUC",
        imbalanced, setting='train.metric = "balanced_accuracy"',
    ),
    Rule(
        "T404", "inputs are not scaled",
        "{why}: the first layer's weights get gradients of very different sizes",
        "One learning rate cannot serve inputs of different sizes.",
        "The gradient of a weight is the error times its input: an input a thousand times larger "
        "gets a gradient a thousand times larger.",
        "The first loss is huge, or nothing moves; sigmoids saturate.",
        "X = (X - X.mean(0)) / X.std(0), with the numbers of the training part",
        unscaled,
    ),
    Rule(
        "T405", "inputs that say nothing",
        "{count} of {features} inputs never change",
        "A constant input is a second bias.",
        "Its weight gets the gradient of the bias times a constant.",
        "No harm, no use; often a sign of a mistake when data was read.",
        "leave them out",
        constant, severity="info",
    ),
    Rule(
        "T406", "labels look wrong",
        "validation was right for {best} % early on, and for {last} % once the training rows were "
        "learned by heart",
        "Some training rows have the label of another class.",
        "At first the gradients of right labels add up and those of wrong ones cancel out; later, "
        "what is left to learn is the wrong ones.",
        "Accuracy rises quickly, then falls for a long time.",
        "look at the rows with the largest loss; label smoothing; stop early",
        wrong_labels, setting="train.label_smoothing = 0.1",
    ),
    Rule(
        "T407", "the target is not scaled",
        "{why}",
        "The network has to grow its last layer to the size of the target before it can learn "
        "anything else.",
        "The gradient of a squared error is proportional to the error: of millions it throws the "
        "weights about, of millionths it moves nothing.",
        "A loss in the millions, or of next to nothing, that hardly moves.",
        "y = (y - y.mean()) / y.std(), undone in predictions; Huber loss if a few values are huge",
        unscaled_target,
    ),
    Rule(
        "T408", "rows are sorted and not shuffled",
        "neighbouring rows are alike in {share} % of the cases in which chance would have made "
        "them differ, and training takes them in that order",
        "Batches hold one kind of row at a time; the network forgets the others.",
        "A step follows the gradient of its batch: a batch of one class says only to predict that "
        "class.",
        "The loss swings within each epoch.",
        "fit(..., shuffle=True)",
        sorted_rows,
    ),
    Rule(
        "T409", "few rows for many parameters",
        "{rows} rows for {parameters} parameters",
        "Whatever is measured on so few rows may be chance.",
        "There are more directions to go than rows to choose between them.",
        "Results differ widely from seed to seed.",
        "cross-validation, a smaller network, more rows",
        few_rows, setting="model.layers = [16]",
    ),
    Rule(
        "T410", "validation rows are from elsewhere",
        "{what} of the validation part lies {shift} standard deviations away from the training "
        "part",
        "The two parts are not samples of the same thing.",
        "Nothing in training says what to do with inputs that it never saw.",
        "The validation loss is far off, or falls and rises for no reason.",
        "split at random, or by time if that is what is to be predicted",
        shifted,
    ),
)  # fmt: skip
