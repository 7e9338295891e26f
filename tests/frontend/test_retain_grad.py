"""Gradients of computed Tensors: `Tensor.retain_grad`."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import GradientError


@pytest.mark.parametrize("compiled", [False, True])
def test_computed_tensors_keep_their_gradients(compiled: bool) -> None:
    x, w = (cr.tensor(np.array(v, np.float32)) for v in ([0.3, -1.0], [0.5, 2.0]))
    w.requires_grad = True

    def run(x: cr.Tensor) -> tuple[cr.Tensor, ...]:
        h = (x * w).tanh()
        h.retain_grad()
        z = h * h
        z.retain_grad()
        (z * w).sum().backward()
        assert h.grad is not None
        assert z.grad is not None
        return h.grad, z.grad

    dh, dz = (cr.compile(run) if compiled else run)(x)
    h = np.tanh(x.numpy() * w.detach().numpy())
    np.testing.assert_allclose(dz.numpy(), [0.5, 2.0])
    np.testing.assert_allclose(dh.numpy(), 2 * h * [0.5, 2.0], rtol=1e-6)


def test_nothing_is_kept_without_being_asked() -> None:
    w = cr.tensor([2.0], requires_grad=True)
    h = w * 3
    h.sum().backward()
    assert h.grad is None
    w.retain_grad()  # a leaf keeps it anyway
    assert w.grad is not None


def test_what_has_no_gradient_cannot_keep_one() -> None:
    with pytest.raises(GradientError, match="requires no gradient"):
        cr.tensor([2.0]).retain_grad()


def test_a_value_inside_of_a_loop_cannot_keep_one() -> None:
    w = cr.tensor([2.0], requires_grad=True)

    def body(carry: cr.Tensor, x: cr.Tensor) -> tuple[cr.Tensor, cr.Tensor]:
        h = carry * w + x
        h.retain_grad()
        return h, h

    xs = cr.tensor(np.ones((3, 1), np.float32))
    with pytest.raises(GradientError, match="body of a scan"):
        cr.compile(lambda xs: cr.scan(body, xs[0], xs)[1])(xs)
