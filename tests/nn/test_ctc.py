"""The loss of sequences without alignment: PyTorch's numbers, brute force, and bad input."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import chainrule.nn.functional as F
from chainrule import nn
from precise import agree, in_double
from reference.images import cotangent, described, values
from reference.problems import load

CASES: list[dict[str, Any]] = load("ctc")["cases"]
NAMES = [f"{i}-{case['kwargs']['reduction']}" for i, case in enumerate(CASES)]


def whole(value: Any) -> Any:
    return np.asarray(value, np.int32)


def loss_of(case: dict[str, Any], logits: Any) -> cr.Tensor:
    lengths = whole(case["inputs"]), whole(case["labels"])
    logp = F.log_softmax(logits, -1)
    return F.ctc_loss(logp, whole(case["targets"]), *lengths, **case["kwargs"])


def logits_of(case: dict[str, Any]) -> Any:
    return case["scale"] * values(case["seed"], tuple(case["shape"]))


def comparable(case: dict[str, Any], gradient: Any) -> dict[str, Any]:
    """The gradients of the rows for which PyTorch has some."""
    rows = np.asarray(case["rows"])
    return described(gradient if rows.all() else gradient[:, rows])


def check_described(ours: dict[str, Any], theirs: dict[str, Any], tolerance: float) -> None:
    assert ours["shape"] == theirs["shape"]
    scale = max(theirs["norm"], 1e-6)
    np.testing.assert_allclose(ours["on"], theirs["on"], rtol=0, atol=tolerance * scale)
    assert ours["norm"] == pytest.approx(theirs["norm"], rel=tolerance, abs=1e-12)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_loss_and_gradient_are_pytorchs(case: dict[str, Any]) -> None:
    g = cotangent(case["seed"], np.shape(case["y"]))
    result = in_double(lambda x: loss_of(case, x), [logits_of(case)], g)
    agree(result.y, case["y"], rtol=1e-6 if case["scale"] > 100 else 1e-9)
    check_described(comparable(case, result.dinputs[0]), case["dx"], 1e-9)


@pytest.mark.parametrize("case", CASES[::3], ids=NAMES[::3])
def test_compiled_in_single_precision(case: dict[str, Any]) -> None:
    g = cotangent(case["seed"], np.shape(case["y"])).astype(np.float32)

    @cr.compile
    def step(x: cr.Tensor) -> tuple[cr.Tensor, cr.Tensor]:
        y = loss_of(case, x)
        return y, cr.grad(lambda x: (loss_of(case, x) * g).sum())(x)

    y, dx = step(logits_of(case).astype(np.float32))
    np.testing.assert_allclose(y.numpy(), case["y"], rtol=1e-4)
    check_described(comparable(case, dx.numpy()), case["dx"], 1e-4)


def collapsed(path: tuple[int, ...], blank: int) -> list[int]:
    return [k for k, _ in itertools.groupby(path) if k != blank]


def by_enumeration(logp: Any, labels: list[int], blank: int) -> float:
    """-log of the sum over all paths that say ``labels``."""
    steps, classes = logp.shape
    paths = itertools.product(range(classes), repeat=steps)
    logs = [
        sum(logp[t, k] for t, k in enumerate(p)) for p in paths if collapsed(p, blank) == labels
    ]
    return -float(np.logaddexp.reduce(logs)) if logs else math.inf


@pytest.mark.parametrize("labels", [[], [1], [1, 1], [1, 2], [2, 1, 2], [1, 1, 1]])
@pytest.mark.parametrize("blank", [0, 3])
def test_every_alignment_counts_once(labels: list[int], blank: int) -> None:
    # Scores that are no log-probabilities: the sum is over paths all the same.
    scores = values(3, (4, 4)).astype(np.float32)
    names = [k if k != blank else 2 for k in labels]
    loss = F.ctc_loss(scores, whole(names), 4, len(names), blank, "none")
    np.testing.assert_allclose(loss.item(), by_enumeration(scores, names, blank), rtol=1e-5)


def test_the_module_is_the_function() -> None:
    x = values(4, (5, 2, 4)).astype(np.float32)
    rest = whole([[2], [1]]), whole([5, 0]), whole([1, 1])
    loss = nn.CTCLoss(blank=3, reduction="sum", zero_infinity=True)
    ours = F.ctc_loss(x, *rest, 3, "sum", True)
    assert loss(x, *rest).item() == ours.item() != 0


TARGETS = whole([[1, 2, 2], [3, 1, -7], [0, 0, 0]])


def of_rows(x: Any) -> cr.Tensor:
    """Three rows: a repeated label, a shorter one, and one without labels."""
    targets = cr.where(TARGETS > 0, TARGETS, 1)
    return F.ctc_loss(x, targets, whole([6, 3, 5]), whole([3, 2, 0]), 0, "none")


def test_derivatives_to_second_order() -> None:
    x = values(5, (6, 3, 4)).astype(np.float32)
    cr.check_grads(of_rows, [x], order=2)
    cr.check_grads(lambda x: of_rows(F.log_softmax(x, -1)), [x], order=1)


def test_gradients_of_raw_scores_are_those_of_the_loss_itself() -> None:
    """PyTorch's are right behind `log_softmax` alone: they are minus the posterior here."""
    x = F.log_softmax(values(6, (5, 1, 4)).astype(np.float32), -1).numpy()
    g = cr.grad(lambda x: F.ctc_loss(x, whole([[1, 2]]), whole([5]), whole([2])) * 2.0)(x)
    np.testing.assert_allclose(g.numpy().sum(-1), -1.0, rtol=1e-5)
    assert (g.numpy() <= 0).all()


@pytest.mark.parametrize("zero_infinity", [False, True])
@pytest.mark.parametrize("compiled", [False, True])
def test_an_impossible_row_disturbs_no_other(zero_infinity: bool, compiled: bool) -> None:
    x = values(7, (3, 2, 4)).astype(np.float32)
    targets, lengths = whole([[1, 1, 2], [1, 2, 0]]), whole([3, 2])
    options = {"reduction": "none", "zero_infinity": zero_infinity}

    def loss(x: Any) -> cr.Tensor:
        return F.ctc_loss(x, targets, whole([3, 3]), lengths, **options)  # type: ignore[arg-type]

    def both(x: Any) -> tuple[cr.Tensor, cr.Tensor]:
        return loss(x), cr.grad(lambda x: loss(x).sum())(x)

    y, g = (cr.compile(both) if compiled else both)(x)
    assert y.numpy()[0] == (0.0 if zero_infinity else math.inf)
    assert (g.numpy()[:, 0] == 0).all()
    alone = F.ctc_loss(x[:, 1], targets[1], 3, 2, reduction="sum")
    np.testing.assert_allclose(y.numpy()[1], alone.item(), rtol=1e-6)
    assert np.isfinite(g.numpy()).all()
    assert abs(g.numpy()[:, 1]).max() > 0.1


def test_classes_that_cannot_be_have_no_gradient_and_make_no_nan() -> None:
    x = values(8, (4, 1, 3)).astype(np.float32)
    x[1, 0, 1] = x[2, 0, 0] = -math.inf
    labels = whole([[1, 2]]), whole([4]), whole([2])

    def loss(x: Any) -> cr.Tensor:
        return F.ctc_loss(x, *labels, reduction="sum")

    np.testing.assert_allclose(loss(x).item(), by_enumeration(x[:, 0], [1, 2], 0), rtol=1e-5)
    dx = cr.grad(loss)(x).numpy()
    assert np.isfinite(dx).all()
    assert dx[1, 0, 1] == dx[2, 0, 0] == 0
    x[:, 0, 1] = -math.inf  # the label itself is never said
    assert loss(x).item() == math.inf
    assert (cr.grad(loss)(x).numpy() == 0).all()


def test_steps_beyond_a_row_are_not_read() -> None:
    x = values(9, (6, 1, 4)).astype(np.float32)
    short = F.ctc_loss(x[:4], whole([[1, 3]]), whole([4]), whole([2]))
    x[4:] = math.nan
    padded = F.ctc_loss(x, whole([[1, 3]]), whole([4]), whole([2]))
    assert padded.item() == short.item()


@pytest.mark.parametrize("compiled", [False, True])
def test_targets_may_be_joined_to_one_row(compiled: bool) -> None:
    x = values(11, (6, 3, 4)).astype(np.float32)
    padded, lengths = whole([[1, 2, -1], [-1, -1, -1], [3, 3, 1]]), [2, 0, 3]

    def loss(x: Any) -> cr.Tensor:
        return F.ctc_loss(x, whole([1, 2, 3, 3, 1]), [6, 5, 6], lengths, reduction="none")

    ours = (cr.compile(loss) if compiled else loss)(x)
    theirs = F.ctc_loss(x, padded, [6, 5, 6], lengths, reduction="none")
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6)


def test_long_rows_have_gradients_as_exact_as_short_ones() -> None:
    x, targets = values(12, (400, 1, 6)), whole([[1 + i % 5 for i in range(90)]])

    def loss(x: Any) -> cr.Tensor:
        logp = F.log_softmax(x, -1)
        return F.ctc_loss(logp, targets, whole([400]), whole([90]), reduction="none")

    exact = in_double(loss, [x], np.ones(1)).dinputs[0]
    ours = cr.compile(cr.grad(lambda x: loss(x).sum()))(x.astype(np.float32)).numpy()
    np.testing.assert_allclose(ours, exact, rtol=0, atol=1e-5)


def test_no_steps_say_nothing() -> None:
    x = values(10, (3, 2, 4)).astype(np.float32)
    loss = F.ctc_loss(x, whole([[1], [1]]), whole([0, 0]), whole([0, 1]), reduction="none")
    assert loss.tolist() == [0.0, math.inf]


X = np.zeros((5, 2, 4), np.float32)
GOOD: dict[str, Any] = {
    "log_probs": X,
    "targets": whole([[1, 2], [3, 0]]),
    "input_lengths": whole([5, 4]),
    "target_lengths": whole([2, 1]),
}


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"log_probs": X[None]}, cr.ShapeError, r"log_probs have shape \(1, 5, 2, 4\)"),
        ({"targets": whole([1, 2])}, cr.ShapeError, r"targets have shape \(2,\)"),
        ({"targets": [[1.0, 2.0], [3.0, 0.0]]}, cr.DTypeError, "targets have dtype"),
        ({"input_lengths": whole([5])}, cr.ShapeError, r"input_lengths have shape \(1,\)"),
        ({"input_lengths": whole([5, 6])}, cr.DataError, r"input_lengths\[1\] is 6"),
        ({"input_lengths": whole([-1, 5])}, cr.DataError, r"input_lengths\[0\] is -1"),
        ({"target_lengths": whole([2, 3])}, cr.DataError, r"target_lengths\[1\] is 3"),
        ({"targets": whole([[1, 4], [3, 0]])}, cr.DataError, r"label 4 does not exist"),
        ({"targets": whole([[1, 2], [-1, 0]])}, cr.DataError, r"targets\[1, 0\]"),
        ({"targets": whole([[1, 0], [3, 0]])}, cr.DataError, "label 0 is the blank"),
        ({"blank": 4}, cr.DataError, "blank is 4, but there are 4 classes"),
        ({"reduction": "average"}, cr.ConfigError, "unknown reduction 'average'"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Any], error: type, words: str) -> None:
    assert math.isfinite(F.ctc_loss(**GOOD).item())
    with pytest.raises(error, match=words):
        F.ctc_loss(**GOOD | change)


@pytest.mark.parametrize(
    "change",
    [
        {"targets": whole([[1, 4], [3, 0]])},
        {"targets": whole([[1, 0], [3, 0]])},
        {"targets": whole([[1, -1], [3, 0]])},
        {"input_lengths": whole([6, 5])},
        {"target_lengths": whole([3, 1])},
    ],
)
def test_compiled_such_a_row_is_nan_and_the_others_are_not(change: dict[str, Any]) -> None:
    step = cr.compile(lambda *given: F.ctc_loss(*given, reduction="none"))
    first, second = step(*(GOOD | change).values()).tolist()
    assert math.isnan(first)
    assert math.isfinite(second)
