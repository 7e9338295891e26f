"""Activations against PyTorch's numbers, values and derivatives, also at kinks and far out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from precise import agree, in_double, parameters_of
from reference.problems import load

CASES = load("activations")["cases"]


def name_of(case: dict[str, Any]) -> str:
    return f"{case['name']}-{case['at']}-{len(str(case['kwargs']))}"


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_values_and_derivatives_are_pytorchs(case: dict[str, Any]) -> None:
    layer = getattr(nn, case["name"])(**case["kwargs"]).eval()
    states = parameters_of(dict(layer.named_parameters()), case.get("parameters", {}))
    result = in_double(layer, [case["x"]], case["g"], states)
    agree(result.y, case["y"])
    # PyTorch keeps the 1/6 of this derivative in single precision.
    rounding = 2.0**-24 if case["name"] == "Hardsigmoid" else 1e-9
    agree(result.dinputs[0], case["dx"], rtol=rounding)
    for name, gradient in case.get("dparameters", {}).items():
        agree(result.dstates[id(dict(layer.named_parameters())[name])], gradient)


@pytest.mark.parametrize("case", [c for c in CASES if c["at"] == "regular"], ids=name_of)
def test_eager_single_precision(case: dict[str, Any]) -> None:
    layer = getattr(nn, case["name"])(**case["kwargs"]).eval()
    y = layer(np.array(case["x"], np.float32)).numpy()
    np.testing.assert_allclose(y, np.array(case["y"]), rtol=2e-5, atol=2e-6)


def test_rrelu_draws_slopes_in_training() -> None:
    y = nn.RReLU(0.1, 0.3)(-np.ones(1000, np.float32)).numpy()
    assert -0.3 <= y.min() < -0.28
    assert -0.12 < y.max() <= -0.1


def test_relu_keeps_nan() -> None:
    assert np.isnan(nn.ReLU()(np.array([np.nan, 1.0], np.float32)).numpy()).tolist() == [
        True,
        False,
    ]


def test_prelu_of_a_single_number_is_a_single_number() -> None:
    layer = nn.PReLU(init=0.25)
    x = cr.tensor(-2.0, requires_grad=True)
    y = layer(x)
    y.backward(cr.tensor(3.0))
    assert (y.shape, y.item()) == ((), -0.5)
    assert x.grad is not None
    assert layer.weight.grad is not None
    assert x.grad.item() == 0.75
    assert layer.weight.grad.tolist() == [-6.0]
