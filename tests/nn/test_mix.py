"""Mixup: what is mixed with what, and how much."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
import chainrule.nn.functional as F
from chainrule import nn, optim
from chainrule.errors import ConfigError, DTypeError, ShapeError
from chainrule.frontend import default_generator
from chainrule.nn import mixup


def batch(rows: int = 16) -> tuple[cr.Tensor, cr.Tensor]:
    """Each row is its own number, so that mixed rows tell where they come from."""
    x = np.arange(rows, dtype=np.float32)[:, None] * np.ones((1, 2), np.float32)
    return cr.tensor(x), cr.tensor(np.arange(rows) % 4)


def test_rows_lie_between_two_rows_and_targets_go_along() -> None:
    cr.manual_seed(0)
    x, _ = batch()
    mixed = mixup(x, cr.tensor(np.arange(16)), alpha=0.4)
    lam, first, second = mixed.lam.item(), mixed.first.numpy(), mixed.second.numpy()
    assert 0 < lam < 1
    assert sorted(second.tolist()) == list(range(16)) == first.tolist()
    assert (second != first).any()
    expected = lam * first + (1 - lam) * second
    np.testing.assert_allclose(mixed.x.numpy(), expected[:, None] * [[1, 1]], rtol=1e-5)


def test_loss_of_class_numbers_is_that_of_mixed_probabilities() -> None:
    cr.manual_seed(1)
    x, y = batch()
    state = default_generator.get_state()
    numbers = mixup(x, y, 0.5)
    default_generator.set_state(state)
    shares = mixup(x, F.one_hot(y, 4).float(), 0.5)
    outputs = cr.randn(16, 4)
    loss = numbers.loss(F.cross_entropy, outputs).item()
    assert F.cross_entropy(outputs, shares.target).item() == pytest.approx(loss, rel=1e-6)
    assert shares.loss(F.cross_entropy, outputs).item() == pytest.approx(loss, rel=1e-6)
    np.testing.assert_allclose(shares.target.numpy().sum(1), 1.0, rtol=1e-6)


def test_compiled_and_eager_draw_the_same() -> None:
    x, y = batch()

    def drawn() -> tuple[cr.Tensor, cr.Tensor]:
        mixed = mixup(x, y)
        return mixed.second, mixed.lam

    compiled = cr.compile(drawn)
    for _ in range(3):
        state = default_generator.get_state()
        native = compiled()
        default_generator.set_state(state)
        eager = drawn()
        np.testing.assert_array_equal(native[0].numpy(), eager[0].numpy())
        assert native[1].item() == pytest.approx(eager[1].item(), rel=1e-5)


def test_every_step_mixes_anew_and_alpha_compiles_nothing_anew() -> None:
    x, y = batch()
    recorded = []

    @cr.compile
    def shares(alpha: cr.Tensor) -> cr.Tensor:
        recorded.append(1)
        return mixup(x, y, alpha).lam

    cr.manual_seed(0)
    narrow = np.array([shares(cr.tensor(50.0)).item() for _ in range(200)])
    wide = np.array([shares(cr.tensor(0.1)).item() for _ in range(200)])
    assert len(set(narrow)) == 200
    assert np.abs(narrow - 0.5).max() < 0.2  # deviation 1 / (2 √101)
    assert (np.minimum(wide, 1 - wide) < 0.1).mean() > 0.6
    assert len(recorded) == 1


def test_trains_inside_the_compiled_step() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 4)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int32)
    cr.manual_seed(0)
    model = nn.Linear(4, 2)
    optimizer = optim.Adam(model.parameters(), lr=0.1)

    @cr.compile
    def step(x: cr.Tensor, y: cr.Tensor) -> cr.Tensor:
        optimizer.zero_grad()
        mixed = mixup(x, y, alpha=0.2)
        loss = mixed.loss(F.cross_entropy, model(mixed.x))
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(100):
        step(x, y)
    assert (model(x).argmax(1).numpy() == y).mean() > 0.95


def test_what_cannot_be() -> None:
    x, y = batch()
    with pytest.raises(ConfigError, match="alpha is 0"):
        mixup(x, y, 0)
    with pytest.raises(ShapeError, match=r"\(16, 2\) and targets of shape \(3,\)"):
        mixup(x, y[:3])
    with pytest.raises(DTypeError, match="cannot be mixed"):
        _ = mixup(x, y).target
