"""The loss of a layer of scores, with all scores in memory and without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import chainrule.nn.functional as F
from chainrule import nn
from chainrule.errors import DataError, ShapeError
from chainrule.frontend.functional import linear_losses

RNG = np.random.default_rng(5)
X = RNG.normal(size=(3, 5, 6)).astype(np.float32)
W = RNG.normal(size=(11, 6)).astype(np.float32)
TARGET = RNG.integers(0, 11, (3, 5)).astype(np.int32)
TARGET[1, 2] = -100
WEIGHT = RNG.uniform(0.5, 2.0, 11).astype(np.float32)
SETTINGS: list[dict[str, Any]] = [
    {},
    {"reduction": "sum"},
    {"reduction": "none"},
    {"label_smoothing": 0.2},
    {"weight": WEIGHT},
    {"weight": WEIGHT, "label_smoothing": 0.1},
    {"ignore_index": 3},
]


@pytest.fixture(params=[1, linear_losses.MANY], ids=["blocks", "whole"])
def many(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(linear_losses, "MANY", request.param)
    return int(request.param)


def ignoring(target: np.ndarray[Any, Any], index: int) -> np.ndarray[Any, Any]:
    return np.where(target == -100, index, target).astype(np.int32)


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: "-".join(s) or "mean")
@pytest.mark.parametrize("through", [lambda f: f, cr.compile], ids=["eager", "compiled"])
def test_it_is_the_cross_entropy_of_the_scores(
    settings: dict[str, Any], through: Callable[[Any], Any]
) -> None:
    target = ignoring(TARGET, settings.get("ignore_index", -100))
    b = RNG.normal(size=11).astype(np.float32)

    def ours(x: Any, w: Any, b: Any) -> cr.Tensor:
        loss = F.linear_cross_entropy(x, w, target, linear_bias=b, **settings)
        return (loss * loss).sum()

    def plain(x: Any, w: Any, b: Any) -> cr.Tensor:
        scores = F.linear(x, w, b).reshape(15, 11)
        loss = F.cross_entropy(scores, target.reshape(-1), **settings)
        return (loss * loss).sum()

    # The spread of numbers is that of single precision, of sums in another order.
    np.testing.assert_allclose(through(ours)(X, W, b), plain(X, W, b), rtol=1e-5)
    found = through(cr.grad(ours, (0, 1, 2)))(X, W, b)
    for one, other in zip(found, cr.grad(plain, (0, 1, 2))(X, W, b), strict=True):
        one, other = np.asarray(one), np.asarray(other)
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * np.abs(other).max())


@pytest.mark.usefixtures("many")
def test_the_module_has_a_layer_of_its_own() -> None:
    loss = nn.LinearCrossEntropyLoss(6, 11, bias=True)
    assert {k: v.shape for k, v in loss.state_dict().items()} == {
        "linear.weight": (11, 6),
        "linear.bias": (11,),
    }
    scores = loss.linear(X.reshape(15, 6))
    expected = F.cross_entropy(scores, TARGET.reshape(-1))
    np.testing.assert_allclose(loss(X, TARGET).item(), expected.item(), rtol=1e-6)


@pytest.mark.usefixtures("many")
def test_second_derivatives() -> None:
    def hessian(f: Callable[[Any], Any]) -> np.ndarray[Any, Any]:
        return np.asarray(cr.hessian(f)(W[:4, :2]))

    x, target = X[0, :, :2], TARGET[0] % 4
    found = hessian(lambda w: F.linear_cross_entropy(x, w, target, label_smoothing=0.1))
    expected = hessian(lambda w: F.cross_entropy(F.linear(x, w), target, label_smoothing=0.1))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.usefixtures("many")
def test_a_class_that_does_not_exist() -> None:
    wrong = np.full((3, 5), 11, np.int32)
    with pytest.raises(DataError, match="class 11 does not exist"):
        F.linear_cross_entropy(X, W, wrong)
    step = cr.compile(lambda x, t: F.linear_cross_entropy(x, W, t, reduction="none"))
    assert np.isnan(
        np.asarray(step(X, np.where(TARGET == -100, 11, TARGET).astype(np.int32)))[1, 2]
    )


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("x", "w", "b", "target", "told"),
    [
        (X, W[:, :5], None, TARGET, "do not fit"),
        (X, W, WEIGHT[:3], TARGET, r"shape \(3,\), for 11 classes"),
        (X, W, None, TARGET[:2], "do not match inputs"),
        (X, W, None, X, "do not match inputs"),
    ],
)
def test_shapes_that_do_not_fit(x: Any, w: Any, b: Any, target: Any, told: str) -> None:
    with pytest.raises(ShapeError, match=told):
        F.linear_cross_entropy(x, w, target, linear_bias=b)
