"""Losses against PyTorch's numbers."""

from __future__ import annotations

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


def built(case: dict[str, Any]) -> nn.Module:
    kwargs = dict(case["kwargs"])
    for name in TENSORS:
        if name in kwargs:
            kwargs[name] = np.array(kwargs[name], np.float32)
    module: nn.Module = getattr(nn, case["name"])(reduction=case["reduction"], **kwargs)
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


def test_a_class_that_does_not_exist() -> None:
    logits = np.zeros((3, 4), np.float32)
    with pytest.raises(cr.DataError, match="class 4 does not exist"):
        F.cross_entropy(cr.tensor(logits), cr.tensor([0, 4, 1]))
    loss = cr.compile(F.cross_entropy)(logits, np.array([0, 4, 1]))
    assert np.isnan(loss.item())


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


def test_triplet_margin() -> None:
    a, p, n = np.zeros((1, 2), np.float32), np.array([[3.0, 4.0]]), np.array([[0.0, 1.0]])
    assert nn.TripletMarginLoss(margin=1.0)(a, p, n).item() == pytest.approx(5.0, abs=1e-4)
