"""LAMB, Adafactor, Muon: corners of the formulas, shapes of the state, bits."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import chainrule as cr
from chainrule import optim
from chainrule.errors import ConfigError, StateError
from chainrule.frontend import Tensor
from chainrule.frontend.apply import from_array, new_tensor
from chainrule.optim.layerwise import orthogonalized

Array = NDArray[np.float32]


def normal(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def parameter(values: Array) -> Tensor:
    return new_tensor(values, requires_grad=True)


def test_lamb_takes_plain_steps_where_a_norm_is_zero() -> None:
    """New biases are 0: ‖p‖ / ‖u‖ would keep them there for ever."""
    bias, unused = parameter(np.zeros(3, np.float32)), parameter(np.ones(3, np.float32))
    optimizer = optim.LAMB([bias, unused], lr=0.1, weight_decay=0.0)
    bias.grad = from_array(np.array([1.0, -2.0, 3.0], np.float32))
    unused.grad = from_array(np.zeros(3, np.float32))
    optimizer.step()
    np.testing.assert_allclose(bias.numpy(), [-0.1, 0.1, -0.1], rtol=1e-5)
    np.testing.assert_array_equal(unused.numpy(), 1)


def test_adafactor_keeps_rows_and_columns() -> None:
    shapes = [(4, 6), (5,), (), (2, 3, 4)]
    optimizer = optim.Adafactor([parameter(normal(*shape)) for shape in shapes])
    state = optimizer.state_dict()["state"]
    kept = [{name: np.shape(v) for name, v in state[i].items() if name != "step"} for i in range(4)]
    assert kept[0] == {"row_var": (4, 1), "col_var": (1, 6)}
    assert kept[1:3] == [{"variance": (5,)}, {"variance": ()}]
    assert kept[3] == {"row_var": (2, 3, 1), "col_var": (2, 1, 4)}


def test_adafactor_refuses_rows_of_another_matrix() -> None:
    small, large = (optim.Adafactor([parameter(normal(n, 3))]) for n in (2, 4))
    with pytest.raises(StateError, match=r"row_var of parameter 0 has shape \(2, 1\), not \(4, 1"):
        large.load_state_dict(small.state_dict())


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5)])
def test_newton_schulz_makes_matrices_orthogonal(shape: tuple[int, int]) -> None:
    """Singular values end between 0.68 and 1.14, as the polynomial promises; vectors stay."""
    x = normal(*shape)
    y = orthogonalized(new_tensor(x), (3.4445, -4.7750, 2.0315), 5, 1e-7).numpy()
    u, _, v = np.linalg.svd(x.astype(np.float64), full_matrices=False)
    inside = u.T @ y @ v.T
    assert 0.6 < np.diag(inside).min() <= np.diag(inside).max() < 1.2
    np.testing.assert_allclose(inside, np.diag(np.diag(inside)), atol=1e-5)


def test_muon_is_for_matrices() -> None:
    weight, bias = parameter(normal(3, 2)), parameter(normal(3))
    optim.Muon([weight])
    with pytest.raises(ConfigError, match=r"shape \(3,\)(.|\n)*AdamW"):
        optim.Muon([weight, bias])


def trained(threads: int) -> list[Array]:
    """Three native steps of each, on parameters large enough to be shared out."""
    cr.set_num_threads(threads)
    kinds = (optim.LAMB, optim.Adafactor, optim.Muon)
    params = [parameter(normal(96, 160, seed=i)) for i in range(3)]
    optimizers = [kind([p], lr=0.01) for kind, p in zip(kinds, params, strict=True)]

    @cr.compile
    def step(g: Tensor) -> Tensor:
        for p, optimizer in zip(params, optimizers, strict=True):
            optimizer.zero_grad()
            (p * g).sum().backward()
            optimizer.step()
        return g.sum()

    for i in range(3):
        step(normal(96, 160, seed=10 + i))
    return [p.numpy() for p in params]


def test_threads_do_not_change_the_bits() -> None:
    before = cr.get_num_threads()
    try:
        one, two = trained(1), trained(2)
    finally:
        cr.set_num_threads(before)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)
