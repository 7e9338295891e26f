"""Losses against PyTorch's numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import chainrule.nn.functional as F
from chainrule import nn
from precise import agree, in_double
from reference.problems import load

CASES = load("losses")["cases"]
TENSORS = ("weight", "pos_weight")
FUNCTIONS = {
    "BCELoss": F.binary_cross_entropy,
    "BCEWithLogitsLoss": F.binary_cross_entropy_with_logits,
    "CosineEmbeddingLoss": F.cosine_embedding_loss,
    "CrossEntropyLoss": F.cross_entropy,
    "GaussianNLLLoss": F.gaussian_nll_loss,
    "HingeEmbeddingLoss": F.hinge_embedding_loss,
    "HuberLoss": F.huber_loss,
    "KLDivLoss": F.kl_div,
    "L1Loss": F.l1_loss,
    "MSELoss": F.mse_loss,
    "MarginRankingLoss": F.margin_ranking_loss,
    "MultiLabelSoftMarginLoss": F.multilabel_soft_margin_loss,
    "MultiMarginLoss": F.multi_margin_loss,
    "NLLLoss": F.nll_loss,
    "PoissonNLLLoss": F.poisson_nll_loss,
    "SmoothL1Loss": F.smooth_l1_loss,
    "SoftMarginLoss": F.soft_margin_loss,
    "TripletMarginLoss": F.triplet_margin_loss,
}
#: losses that the reference leaves out, computed by hand
BY_HAND: list[dict[str, Any]] = [
    {
        "name": "MultiLabelSoftMarginLoss",
        "kwargs": {},
        "reduction": "mean",
        "inputs": {"x": [[0.0, 2.0, -1.0]], "target": [[1.0, 0.0, 1.0]]},
        "output": (math.log(2) + math.log1p(math.exp(2)) + math.log1p(math.exp(1))) / 3,
    },
    {
        "name": "TripletMarginLoss",
        "kwargs": {"margin": 1.0},
        "reduction": "mean",
        "inputs": {"anchor": [[0.0, 0.0]], "positive": [[3.0, 4.0]], "negative": [[0.0, 1.0]]},
        "output": 5.0,
    },
]
EVERY = [*CASES, *BY_HAND]


def settings(case: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a loss, weights as arrays."""
    kwargs = {**case["kwargs"], "reduction": case["reduction"]}
    return {k: np.array(v, np.float32) if k in TENSORS else v for k, v in kwargs.items()}


def built(case: dict[str, Any]) -> nn.Module:
    module: nn.Module = getattr(nn, case["name"])(**settings(case))
    return module


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['name']}-{c['reduction']}")
def test_values_and_gradients_are_pytorchs(case: dict[str, Any]) -> None:
    module = built(case)
    inputs = [np.asarray(v) for v in case["inputs"].values()]
    states = {
        id(tensor): np.asarray(case["kwargs"][name], np.float64)
        for name, tensor in module.named_buffers()
    }
    result = in_double(module, inputs, case["g"], states)
    agree(result.y, case["output"])
    for name, ours in zip(case["inputs"], result.dinputs, strict=True):
        if name in case["gradients"]:
            wanted = np.asarray(case["gradients"][name], np.float64)
            # PyTorch keeps the bound 1e-12 of this derivative in single precision.
            rounding = 2.0**-24 if case["name"] == "BCELoss" else 1e-9
            agree(np.zeros_like(wanted) if ours is None else ours, wanted, rtol=rounding)


def test_every_loss_is_a_function_and_has_reference_numbers() -> None:
    # in test_ctc.py, test_members.py, test_linear_cross_entropy.py and test_series.py
    apart = {"CTCLoss", "EnsembleLoss", "LinearCrossEntropyLoss", "PinballLoss"}
    losses = {n for n in nn.__all__ if n.endswith("Loss")} - apart
    assert losses == set(FUNCTIONS) == {case["name"] for case in EVERY}


@pytest.mark.parametrize("case", EVERY, ids=lambda c: f"{c['name']}-{c['reduction']}")
def test_arrays_do_as_well_as_tensors(case: dict[str, Any]) -> None:
    """Predictions are a Tensor that wants a gradient; the rest comes from NumPy."""
    function, kwargs = FUNCTIONS[case["name"]], settings(case)
    first, *rest = (np.asarray(v) for v in case["inputs"].values())
    x = cr.tensor(first, requires_grad=True)
    of_arrays = function(x, *rest, **kwargs)
    of_tensors = function(
        x,
        *map(cr.tensor, rest),
        **{k: cr.tensor(v) if k in TENSORS else v for k, v in kwargs.items()},
    )
    np.testing.assert_array_equal(of_arrays.numpy(), of_tensors.numpy())
    np.testing.assert_allclose(of_arrays.numpy(), case["output"], rtol=2e-5, atol=1e-6)
    of_arrays.sum().backward()
    assert x.grad is not None
    assert np.isfinite(x.grad.numpy()).all()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_arrays_around_a_compiled_loss_are_constants_of_it(name: str) -> None:
    case = next(c for c in EVERY if c["name"] == name)
    first, *rest = (np.asarray(v) for v in case["inputs"].values())
    loss = cr.compile(lambda x: FUNCTIONS[name](x, *rest, **settings(case)))
    np.testing.assert_allclose(loss(first).numpy(), case["output"], rtol=2e-5, atol=1e-6)


def test_lists_are_targets_too() -> None:
    logits = cr.tensor([[0.0, 1.0], [2.0, 0.0]])
    wanted = F.cross_entropy(logits, cr.tensor([0, 1])).item()
    assert F.cross_entropy(logits, [0, 1]).item() == wanted  # type: ignore[arg-type]  # a list


def test_a_target_of_objects_is_refused() -> None:
    with pytest.raises(cr.DTypeError, match="Python objects"):
        F.cross_entropy(cr.zeros(2, 2), np.array(["a", None]))


def test_a_class_that_does_not_exist() -> None:
    logits = np.zeros((3, 4), np.float32)
    with pytest.raises(cr.DataError, match="class 4 does not exist"):
        F.cross_entropy(cr.tensor(logits), cr.tensor([0, 4, 1]))
    loss = cr.compile(F.cross_entropy)(logits, np.array([0, 4, 1]))
    assert np.isnan(loss.item())


def test_a_class_that_has_no_margin() -> None:
    scores = np.zeros((3, 4), np.float32)
    with pytest.raises(cr.DataError, match="class 4 does not exist"):
        F.multi_margin_loss(cr.tensor(scores), cr.tensor([0, 4, 1]))
    with pytest.raises(cr.DataError, match="class -100 does not exist"):
        F.multi_margin_loss(cr.tensor(scores), cr.tensor([0, -100, 1]))
    assert np.isnan(cr.compile(F.multi_margin_loss)(scores, np.array([0, 4, 1])).item())


@pytest.mark.parametrize(
    ("x", "target", "message"),
    [
        ([0.5, 1.5], [0.0, 1.0], r"probability is 1\.5\n  where: probability\[1\] at .*test_loss"),
        ([-0.25, 0.5], [0.0, 1.0], r"probability is -0\.25"),
        ([0.5, 0.5], [0.0, 2.0], r"target is 2\.0"),
        ([0.5, 0.5], [-1.0, 1.0], r"target is -1\.0"),
    ],
)
def test_what_is_no_probability(x: list[float], target: list[float], message: str) -> None:
    """As PyTorch refuses it; a compiled function only sees it in its loss."""
    numbers = np.array(x, np.float32), np.array(target, np.float32)
    for loss in (F.binary_cross_entropy, cr.nn.BCELoss()):
        with pytest.raises(cr.DataError, match=message):
            loss(*map(cr.tensor, numbers))
    outside = min(x) < 0 or max(x) > 1
    assert np.isnan(cr.compile(F.binary_cross_entropy)(*numbers).item()) == outside


def test_what_is_nan_stays_nan() -> None:
    assert np.isnan(F.binary_cross_entropy(cr.tensor([np.nan]), cr.tensor([1.0])).item())


def test_a_variance_below_zero() -> None:
    x = cr.ones(2)
    with pytest.raises(cr.DataError, match=r"var is -1\.0"):
        F.gaussian_nll_loss(x, x, cr.tensor([1.0, -1.0]))
    assert np.isfinite(F.gaussian_nll_loss(x, x, cr.tensor([1.0, 0.0])).item())


def test_confident_right_answers_keep_their_digits() -> None:
    logits, target = np.array([30.0, -30.0], np.float32), np.array([1.0, 0.0], np.float32)
    loss = F.binary_cross_entropy_with_logits(
        cr.tensor(logits), cr.tensor(target), reduction="none"
    )
    np.testing.assert_allclose(loss.numpy(), np.exp(-30.0), rtol=1e-5)


def test_targets_of_another_shape_are_refused() -> None:
    with pytest.raises(cr.ShapeError, match=r"\(4, 1\) and \(4,\)"):
        F.mse_loss(cr.zeros(4, 1), cr.zeros(4))


def test_unknown_reduction() -> None:
    with pytest.raises(cr.ConfigError, match="average"):
        F.mse_loss(cr.zeros(4), cr.zeros(4), reduction="average")


@pytest.mark.parametrize(
    ("loss", "name", "value"),
    [
        (F.huber_loss, "delta", 0.0),
        (F.huber_loss, "delta", float("nan")),
        (F.smooth_l1_loss, "beta", -1.0),
        (F.cross_entropy, "label_smoothing", 2.0),
        (F.cross_entropy, "label_smoothing", -0.1),
    ],
)
def test_settings_out_of_their_range(loss: Any, name: str, value: float) -> None:
    x = cr.ones(2, 3)
    with pytest.raises(cr.ConfigError, match=f"{name} is {value}"):
        loss(x, x, **{name: value})


def test_margins_of_one_example_and_of_no_power() -> None:
    with pytest.raises(cr.ConfigError, match="p is 3"):
        F.multi_margin_loss(np.zeros((2, 3), np.float32), np.array([0, 1]), p=3)
    one = F.multi_margin_loss(np.array([1.0, 0.5, 0.0], np.float32), np.array(0))
    assert one.item() == pytest.approx(0.5 / 3)


def test_scores_of_a_single_number() -> None:
    for loss in (F.cross_entropy, F.nll_loss):
        with pytest.raises(cr.ShapeError, match="a single number cannot hold class scores"):
            loss(cr.tensor(1.0), np.array(0))


def test_bytes_are_classes_with_smoothing_too() -> None:
    scores = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    classes = np.array([0, 3, 1])
    wanted = F.cross_entropy(scores, classes, label_smoothing=0.1)
    found = F.cross_entropy(scores, classes.astype(np.uint8), label_smoothing=0.1)
    assert found.item() == wanted.item()
