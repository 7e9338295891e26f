"""Every rule: silent on a healthy training, and plain about a sick one."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import pytest

from chainrule import nn
from chainrule.data.findings import CODES
from chainrule.doctor import FAMILIES, RULES, Diagnosis, Evidence, examine_evidence
from chainrule.doctor.pages import page, titles
from chainrule.doctor.rules.gradients import LINEAR as MULTIPLYING
from chainrule.errors import ConfigError
from chainrule.runs.registry import lookup
from chainrule.runs.settings.sources import from_text, gather
from chainrule.train.diagnosis.data_facts import DataFacts, InputFacts, TargetFacts
from chainrule.train.diagnosis.examination import Examination, LayerFacts, TrainingFacts
from chainrule.train.diagnosis.fit_facts import FitFacts
from chainrule.train.observation import LayerStatistics, Observation

INPUT = InputFacts(True, 10, 0, 0.9, 1.1, 0.2, 0.1, 1.1)
CLASSES = TargetFacts("classes", (200, 200, 200))
NUMBERS = TargetFacts("numbers", mean=0.0, deviation=1.0, low=-2.0, high=2.0, giants=2.0)
DATA = DataFacts(600, 200, (INPUT,), CLASSES, 0.0, 0.3, 0.6)
TRAINING = TrainingFacts(
    "CrossEntropyLoss", "Adam", 32, 19, 1, True, 20, False, True,
    {"all": 2.0, "first": 0.5, "steps": 1.2, "validation": 0.2},
)  # fmt: skip
FIT = FitFacts(0.2, 0.25, 1.1, 1.1, 0.95)
LAYERS = (
    LayerFacts("0", "Linear", 352, True, 0.0, {"in_features": 10, "out_features": 32}),
    LayerFacts("1", "ReLU", 0, None, 0.0),
    LayerFacts("2", "Linear", 1056, True, 0.0, {"in_features": 32, "out_features": 32}),
    LayerFacts("3", "ReLU", 0, None, 0.0),
    LayerFacts("4", "Linear", 99, True, 0.0, {"in_features": 32, "out_features": 3}),
)
LINEAR = LayerStatistics(
    "Linear", weight=5.0, gradient=0.3, update=0.01, mean=0.1, std=0.6, backward=0.1
)
RELU = LayerStatistics("ReLU", reads="0", mean=0.4, std=0.5, backward=0.1, dead=0.05)
STEP = {
    "0": LINEAR, "1": RELU, "2": replace(LINEAR, reads="1"), "3": replace(RELU, reads="2"),
    "4": replace(LINEAR, reads="3"),
}  # fmt: skip
FALLING = tuple(0.2 + 0.9 * 0.8**k for k in range(20))
SEEN = tuple(Observation(10 * k, k // 2, FALLING[k // 2], (1e-3,), STEP) for k in range(40))
HEALTHY = Evidence(
    {"loss": FALLING, "val_loss": tuple(v + 0.05 for v in FALLING), "val_accuracy": (0.9,) * 20},
    SEEN,
    Examination(LAYERS, DATA, TRAINING, FIT),
)


def layers(**changes: Any) -> Evidence:
    """The healthy training with layers that differ in each step: by path, what replaces it."""
    step = {path: changes.get(f"_{path}", STEP.get(path)) for path in STEP}
    return replace(HEALTHY, observations=tuple(replace(o, layers=step) for o in SEEN))


def examined(**changes: Any) -> Evidence:
    """The healthy training, of which a look shows something else."""
    assert HEALTHY.examination is not None
    return replace(HEALTHY, examination=replace(HEALTHY.examination, **changes))


def history(evidence: Evidence = HEALTHY, **values: Any) -> Evidence:
    return replace(evidence, history={**evidence.history, **values})


def rates(*each: float) -> Evidence:
    """The learning rate in each observation, the last one to the end."""
    padded = [*each, *[each[-1]] * (len(SEEN) - len(each))]
    seen = tuple(replace(o, rates=(r,)) for o, r in zip(SEEN, padded, strict=True))
    return replace(HEALTHY, observations=seen)


def training(**changes: Any) -> TrainingFacts:
    return replace(TRAINING, **changes)


def data(**changes: Any) -> Evidence:
    return examined(data=replace(DATA, **changes))


def falling(by: float) -> tuple[float, ...]:
    """Losses of twenty epochs, from 1.1 down."""
    return tuple(1.1 - by * k for k in range(20))


SMALL = replace(LINEAR, update=1e-7)
CHANCE = replace(FIT, train_loss=1.08, validation_loss=1.11, train_right=0.35)
FLAT = (1.1,) * 20


def unrolled(steps: list[Any], fit: FitFacts) -> Evidence:
    """The healthy training with a recurrent layer, at whose time steps this much arrives."""
    layer = LayerStatistics("LSTM", mean=0.1, std=0.5, through_time=tuple(steps))
    seen = tuple(replace(o, layers={"rnn": layer, **STEP}) for o in SEEN)
    return replace(examined(fit=fit), observations=seen)


SICK: dict[str, Evidence] = {
    "T101": layers(_0=replace(LINEAR, gradient=1e-5)),
    "T102": layers(_0=replace(LINEAR, gradient=900.0)),
    "T103": layers(_1=replace(RELU, dead=0.8)),
    "T104": layers(_1=LayerStatistics("Tanh", mean=0.0, std=1.0, saturated=0.9)),
    "T105": layers(_2=replace(LINEAR, gradient=0.0, update=0.0)),
    "T106": replace(HEALTHY, failure="the loss became nan: log(0) = -inf in Net at line 3"),
    "T107": layers(**{f"_{p}": replace(LINEAR, clipped=0.001) for p in "024"}),
    "T108": layers(_2=replace(LINEAR, reads="0")),
    "T109": layers(_4=LayerStatistics("Softmax", mean=0.3, std=0.1)),
    "T110": examined(layers=(replace(LAYERS[0], twins=0.9), *LAYERS[1:])),
    "T111": unrolled([10.0 ** -(16 - k) for k in range(16)], CHANCE),
    "T112": unrolled([2.0 ** (16 - k) for k in range(16)], FIT),
    "T201": history(
        layers(_0=SMALL, _2=SMALL, _4=SMALL), loss=tuple(1.1 - 1e-4 * k for k in range(20))
    ),
    "T202": history(loss=(1.0, *(1.4, 2.0) * 9, 3.0)),
    "T203": layers(_0=SMALL),
    "T204": replace(
        examined(training=training(batch=1)),
        observations=tuple(replace(o, loss=2.0 * (k % 4 == 0)) for k, o in enumerate(SEEN)),
    ),
    "T205": history(
        replace(
            layers(**{f"_{p}": replace(LINEAR, gradient=1e-3) for p in "024"}),
            examination=examined(fit=CHANCE).examination,
        ),
        loss=FLAT,
    ),
    "T206": rates(1e-3, 1e-4, *[0.0] * 38),
    "T207": rates(*[1e-6 * (k + 1) for k in range(40)]),
    "T208": replace(
        examined(training=training(batch=600, steps=1), fit=replace(FIT, train_loss=1.0))
    ),
    "T209": replace(
        HEALTHY,
        observations=tuple(
            replace(o, layers={**STEP, **{p: replace(LINEAR, weight=5.0 * 0.8**k) for p in "024"}})
            for k, o in enumerate(SEEN)
        ),
        examination=examined(fit=replace(FIT, train_loss=1.0)).examination,
    ),
    "T301": examined(
        fit=replace(FIT, train_loss=0.01, validation_loss=2.0),
        training=training(restores_best=False),
    ),
    "T302": history(
        examined(layers=(LAYERS[0],), fit=replace(FIT, train_loss=1.0)), loss=(1.1, *[1.0] * 19)
    ),
    "T303": examined(fit=replace(FIT, train_loss=0.5, validation_loss=0.1)),
    "T304": history(
        examined(fit=CHANCE), val_loss=FLAT, loss=tuple(1.1 - 0.002 * k for k in range(20))
    ),
    "T305": history(loss=(1.0, 0.8, 0.6), val_loss=(1.0, 0.8, 0.6)),
    "T306": history(
        examined(training=training(restores_best=False)),
        val_loss=(0.5, 0.4, *(0.4 + 0.05 * k for k in range(18))),
    ),
    "T307": examined(layers=(*LAYERS, LayerFacts("5", "Dropout", 0, None, 0.0, {"p": 0.95}))),
    "T308": examined(
        data=replace(DATA, target=replace(NUMBERS, levels=3, low=0.0, high=2.0)),
        training=training(loss="MSELoss"),
    ),
    "T309": examined(
        layers=(*LAYERS, LayerFacts("5", "BatchNorm1d", 64, True, 0.0)), training=training(batch=2)
    ),
    "T401": data(copies=0.5),
    "T402": data(twice_told=0.999),
    "T403": data(target=TargetFacts("classes", (590, 10))),
    "T404": data(inputs=(replace(INPUT, largest_deviation=5000.0),)),
    "T405": data(inputs=(replace(INPUT, constant=4),)),
    "T406": history(
        examined(fit=replace(FIT, train_right=0.99)),
        val_accuracy=(0.7, 0.95, 0.95, *(0.94 - 0.015 * k for k in range(17))),
    ),
    "T407": data(target=replace(NUMBERS, mean=3e5, deviation=1e5)),
    "T408": examined(
        data=replace(DATA, target=replace(CLASSES, sorted=0.99)), training=training(shuffled=False)
    ),
    "T409": data(rows=30),
    "T410": data(inputs=(replace(INPUT, shift=4.0),)),
    "T501": examined(training=training(seconds={"all": 2.0, "first": 0.1, "steps": 0.4})),
    "T502": replace(HEALTHY, threads=8, processors=2),
    "T503": examined(
        training=training(batch=2), layers=(replace(LAYERS[0], parameters=200_000), *LAYERS[1:])
    ),
    "T504": replace(
        examined(training=training(steps=2, seconds={**TRAINING.seconds, "observing": 1.0}))
    ),
    "T505": data(inputs=(replace(INPUT, real=False, padding=0.9),)),
}


def test_a_healthy_training_is_healthy() -> None:
    assert examine_evidence(HEALTHY) == []
    assert examine_evidence(Evidence()) == []


def test_rules_know_all_layers_that_multiply() -> None:
    """By their names, as evidence may come from a file; also those of ensembles and of tables."""
    names = {name for name in nn.__all__ for value in [getattr(nn, name)] if isinstance(value, type)
             and issubclass(value, nn.Module) and re.search(r"Linear$|^Conv(Transpose)?\dd$", name)
             }  # fmt: skip
    assert names - {"PiecewiseLinear"} == set(MULTIPLYING)


@pytest.mark.parametrize(
    ("code", "evidence"),
    [
        # What is not needed may fade: a training that learned does without it.
        ("T111", unrolled([10.0 ** -(16 - k) for k in range(16)], FIT)),
        # Neither fading by a little nor short sequences.
        ("T111", unrolled([0.8 ** (16 - k) for k in range(16)], CHANCE)),
        ("T111", unrolled([1e-9, 1.0], CHANCE)),
        # Rows that are padded: the last steps of most get nothing, of a few something.
        ("T112", unrolled([1.0] * 8 + [1e-4] * 8, FIT)),
        ("T112", unrolled([1.0] * 8 + [0.0] * 8, FIT)),
        # A loss near 0, of which the gradient is many times as large, but no larger than ever.
        (
            "T102",
            replace(
                HEALTHY,
                observations=tuple(replace(o, loss=max(0.6**k, 1e-4)) for k, o in enumerate(SEEN)),
            ),
        ),
        # What overflowed is None in files.
        ("T112", unrolled([None, *(2.0 ** (16 - k) for k in range(15))], FIT)),
        # One thread less than there could be, or a small network on a large machine.
        ("T502", replace(HEALTHY, threads=3, processors=4)),
        ("T502", replace(HEALTHY, threads=1, processors=64)),
    ],
)
def test_what_is_usual_is_not_blamed(code: str, evidence: Evidence) -> None:
    assert RULES[code].look(evidence) is None


def test_idle_processors_are_told_where_it_is_worth_it() -> None:
    large = replace(LAYERS[0], parameters=2_000_000)
    slow = training(seconds={**TRAINING.seconds, "steps": 60.0})
    evidence = replace(examined(layers=(large,), training=slow), threads=1, processors=8)
    sign = RULES["T502"].look(evidence)
    assert sign is not None
    assert "1 thread, but the machine has 8 processors" in Diagnosis(RULES["T502"], sign).sentence


@pytest.mark.parametrize("code", RULES)
def test_a_sick_one_is_found(code: str) -> None:
    rule = RULES[code]
    sign = rule.look(SICK[code])
    assert sign is not None
    sentence = Diagnosis(rule, sign).sentence
    assert "{" not in sentence
    assert rule.look(HEALTHY) is None
    assert rule.look(Evidence()) is None


@pytest.mark.parametrize("code", RULES)
def test_evidence_that_is_not_finite_troubles_no_rule(code: str) -> None:
    sick = {path: replace(layer, gradient=math.nan, update=math.inf, mean=math.nan)
            for path, layer in STEP.items()}  # fmt: skip
    seen = tuple(replace(o, loss=math.nan, layers=sick) for o in SEEN)
    evidence = history(replace(HEALTHY, observations=seen), loss=(math.nan,) * 20)
    RULES[code].look(evidence)
    RULES[code].look(replace(evidence, examination=None))


@pytest.mark.parametrize("code", RULES)
@pytest.mark.parametrize("part", ["observations", "history", "examination"])
def test_rules_can_do_without_any_part(code: str, part: str) -> None:
    without = {"observations": (), "history": {}, "examination": None}
    for evidence in (HEALTHY, *SICK.values()):
        RULES[code].look(replace(evidence, **{part: without[part]}))


@pytest.mark.parametrize("code", RULES)
def test_the_page_of_a_rule_says_all_of_it(code: str) -> None:
    rule, text = RULES[code], page(code.lower())
    assert re.fullmatch(r"T[1-5]\d\d", code)
    assert rule.title in text
    assert rule.family in FAMILIES.values()
    assert "Why\n" in text
    assert "What to change" in text
    assert all(rule.says and part for part in (rule.means, rule.why, rule.looks, rule.python))
    assert code in titles()


def test_findings_are_explained_too() -> None:
    assert "finding in the data" in page("D101")
    assert all(code in titles() for code in CODES)
    with pytest.raises(ConfigError, match="there is no code T999"):
        page("T999")


def test_rules_can_be_silenced() -> None:
    assert [d.code for d in examine_evidence(SICK["T103"])] == ["T103"]
    assert examine_evidence(SICK["T103"], ["T103"]) == []
    with pytest.raises(ConfigError, match="there is no rule T13"):
        examine_evidence(HEALTHY, ["T13"])


def test_every_rule_has_its_example() -> None:
    assert set(SICK) == set(RULES)


@pytest.mark.parametrize("code", [code for code, rule in RULES.items() if rule.setting])
def test_what_a_rule_advises_is_a_setting(code: str) -> None:
    """As a line of ``run.toml``, for the kind of data whose network has all of them."""
    key, _, value = RULES[code].setting.partition(" = ")
    *sections, name = key.split(".")
    text = f"[{'.'.join(sections)}]\n{name} = {value}\n"
    gather([from_text(text, "run.toml")], lookup(None).settings)
