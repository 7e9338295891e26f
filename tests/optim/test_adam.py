"""What the host computes for Adam's descendants."""

from __future__ import annotations

import math

import numpy as np
import pytest

from chainrule import optim
from chainrule.frontend.apply import from_array, new_tensor
from chainrule.optim.adam import momentum_at, rectification


def test_products_of_momenta_in_any_order_and_to_the_end() -> None:
    optimizer = optim.NAdam([new_tensor(np.ones(1, np.float32), requires_grad=True)])
    whole = math.prod(momentum_at(i, 0.9, 4e-3) for i in range(1, 301))
    assert optimizer._product(300, 0.9, 4e-3) == pytest.approx(whole, rel=1e-12)
    assert optimizer._product(2, 0.9, 4e-3) == pytest.approx(0.9**2 * 0.25, rel=1e-3)
    assert optimizer._product(10**9, 0.9, 4e-3) == 0.0  # without a table of that length
    assert optimizer._product(5, 0.0, 4e-3) == 0.0


def test_rectification_begins_when_the_variance_is_finite() -> None:
    """With beta2 = 0.999 that is the sixth step, as in the paper; with 0.5 never."""
    assert [rectification(t, 0.999) > 0 for t in range(1, 8)] == [False] * 5 + [True] * 2
    assert not any(rectification(t, 0.5) for t in range(1, 100))
    assert rectification(10**6, 0.999) == pytest.approx(1.0, abs=1e-9)


def test_radam_leaves_units_without_gradient_alone() -> None:
    """Where v is 0 and eps too, nothing may be divided before the rectification."""
    p = new_tensor(np.ones(2, np.float32), requires_grad=True)
    optimizer = optim.RAdam([p], lr=0.5, eps=0.0)
    for _ in range(5):
        p.grad = from_array(np.array([0.0, 1.0], np.float32))
        optimizer.step()
    np.testing.assert_allclose(p.numpy(), [1.0, -1.5], rtol=1e-6)


def test_amsgrad_is_adam_with_a_switch() -> None:
    p, q = (new_tensor(np.ones(3, np.float32), requires_grad=True) for _ in "12")
    one, other = optim.AMSGrad([p], lr=0.1), optim.Adam([q], lr=0.1, amsgrad=True)
    for scale in (4.0, 0.5, 0.25):
        p.grad = q.grad = from_array(np.array([1.0, -2.0, 3.0], np.float32) * scale)
        one.step()
        other.step()
    np.testing.assert_array_equal(p.numpy(), q.numpy())
