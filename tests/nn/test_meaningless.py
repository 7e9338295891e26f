"""What would give numbers that mean nothing is refused, in words; in compiled code it is NaN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import chainrule.nn.functional as F
from chainrule import nn, optim
from chainrule.errors import ChainruleError

X = cr.tensor([[0.3, -0.7], [0.2, 0.9]])
W = cr.tensor([1.0, 2.0], requires_grad=True)
ZEROS = np.array([[1, 0], [0, 1]])
PAIR = np.array([1, 0])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: optim.SGD([W * 1]), "is the result of a computation"),
        (lambda: F.softshrink(X, -0.5), "lambd is -0.5"),
        (lambda: nn.Softshrink(-0.5), "lambd is -0.5"),
        (lambda: F.triplet_margin_loss(X, X, X, margin=-1), "margin is -1"),
        (lambda: nn.TripletMarginLoss(margin=0), "margin is 0"),
        (lambda: F.hinge_embedding_loss(X, ZEROS), r"is 0\n.*target\[0, 1\].*\n.*2 \* target"),
        (lambda: F.soft_margin_loss(X, ZEROS), "a target is 0"),
        (lambda: F.margin_ranking_loss(X[0], X[1], PAIR), r"a target is 0\n.*target\[1\]"),
        (lambda: F.cosine_embedding_loss(X, X, PAIR), "a target is 0"),
        (lambda: F.kl_div(X, -ZEROS), "target is -1"),
        (lambda: cr.arange(0, -3, 2), r"arange\(0, -3, 2\) steps away from -3\n.*\n.*below 0"),
        (lambda: cr.arange(3, 0), "steps away"),
        (lambda: nn.BatchNorm1d(2, eps=0), "eps of BatchNorm1d is 0"),
        (lambda: F.batch_norm(X, None, None, eps=0.0), "eps is 0.0"),
        (lambda: F.batch_norm(X[0], X[0], X[0]), r"shape \(2,\) has no channels"),
        (lambda: nn.HuberLoss("maximum"), "unknown reduction 'maximum'"),
        (lambda: nn.MSELoss(reduction="batchmean"), "unknown reduction 'batchmean'"),
        (lambda: bool(X), r"a Tensor of shape \(2, 2\) is not a single number\n.*\n.*x.any\(\)"),
        (lambda: float(X[0]), "is not a single number"),
        (lambda: int(X[:0]), "is not a single number"),
        (lambda: X.item(), "is not a single number"),
    ],
)  # fmt: skip
def test_it_is_refused(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(ChainruleError, match=words):
        call()


def test_what_is_detached_is_a_leaf() -> None:
    for x in ((W * 3.0).detach(), W.detach()):
        assert x.is_leaf
        assert x.requires_grad_().is_leaf
        (x * x).sum().backward()
        assert x.grad is not None
        assert x.grad.tolist() == (2.0 * x).tolist()
    assert not (W * 3.0).is_leaf
    assert W.grad is None


def test_what_is_like_it_is_not() -> None:
    optim.SGD([W, W.detach().requires_grad_()], lr=0.1)
    assert cr.arange(3, 0, -2).tolist() == [3, 1]
    assert cr.arange(0).shape == cr.arange(2, 2).shape == (0,)
    assert nn.HuberLoss("sum")(X, X + 2.0).item() == pytest.approx(6.0)
    assert nn.KLDivLoss(reduction="batchmean")(X, abs(ZEROS)).item() == pytest.approx(-0.6)
    assert int(cr.tensor([3.7])) == 3
    assert [bool(cr.tensor(x)) for x in ([[0.5]], np.nan, [0])] == [True, True, False]


@pytest.mark.parametrize(
    ("loss", "good", "bad"),
    [
        (lambda t: F.hinge_embedding_loss(X[0], t), [1, -1], [1, 0]),
        (lambda t: F.soft_margin_loss(X[0], t), [1, -1], [1, 0]),
        (lambda t: F.margin_ranking_loss(X[0], X[1], t), [1, -1], [1, 0]),
        (lambda t: F.cosine_embedding_loss(X, X + 1.0, t), [1, -1], [1, 0]),
        (lambda t: F.kl_div(X[0], t), [1, 0], [1, -1]),
    ],
)
def test_in_compiled_code_it_is_nan(
    loss: Callable[[Any], cr.Tensor], good: list[int], bad: list[int]
) -> None:
    compiled = cr.compile(loss)
    fine, wrong = (np.array(t, np.float32) for t in (good, bad))
    assert compiled(fine).item() == pytest.approx(loss(fine).item(), rel=1e-6)
    assert np.isnan(compiled(wrong).item())


@pytest.mark.parametrize("batch", [(3, 2, 4), (2, 4), (3, 1, 4), (1, 1, 1)])
def test_cosine_similarity_counts_axes_of_the_common_shape(batch: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(3, 1, 4)), rng.normal(size=batch)
    for dim in (0, 1, 2, -1):
        wide_a, wide_b = np.broadcast_arrays(a, b)
        lengths = np.linalg.norm(wide_a, axis=dim) * np.linalg.norm(wide_b, axis=dim)
        got = F.cosine_similarity(a, b, dim)
        np.testing.assert_allclose(got, (wide_a * wide_b).sum(dim) / lengths, rtol=2e-6, atol=1e-6)


#: all but those that multiply infinity by a derivative of 0: that is NaN, as in PyTorch
ACTIVATIONS = [
    "relu", "relu6", "leaky_relu", "elu", "celu", "selu", "softplus",
    "logsigmoid", "hardsigmoid", "hardswish", "hardtanh", "hardshrink", "softshrink",
    "tanhshrink", "sigmoid", "tanh",
]  # fmt: skip


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_have_derivatives_at_infinity(name: str) -> None:
    far = np.array([1e3, -1e3, 1e30, -1e30, np.inf, -np.inf], np.float32)

    def slopes(x: Any) -> cr.Tensor:
        return cr.grad(lambda x: getattr(F, name)(x).sum())(x)

    for derivative in (slopes, cr.compile(slopes)):
        got = derivative(far).numpy()
        np.testing.assert_array_equal(got, np.tile(got[:2], 3))  # they are straight out there


def test_expm1_grows_as_exp_does() -> None:
    x = np.array([-1e3, -1.0, -1e-8, 0, 1e-8, 2, 80, 88.5, 89, 600, np.inf], np.float32)

    def slopes(x: Any) -> cr.Tensor:
        return cr.grad(lambda x: x.expm1().sum())(x)

    for derivative in (slopes, cr.compile(slopes)):
        with np.errstate(over="ignore"):
            np.testing.assert_allclose(derivative(x), np.exp(x), rtol=1e-6)
