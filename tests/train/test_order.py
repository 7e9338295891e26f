"""Every epoch visits every row once, in an order that only (seed, epoch) decide."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.errors import ConfigError
from chainrule.train.order import Order


@pytest.mark.parametrize("batch", [1, 7, 10, 32, None])
def test_no_row_is_left_out(batch: int | None) -> None:
    order = Order.of(33, batch, seed=3, shuffle=True)
    blocks = order.batches(5)
    assert sum(len(b) for b in blocks) == order.steps
    rows = np.concatenate([b.ravel() for b in blocks])
    assert sorted(rows.tolist()) == list(range(33))
    assert rows.dtype == np.int32


def test_epochs_differ_and_repeat() -> None:
    order = Order.of(100, 10, seed=0, shuffle=True)
    first = [order.permutation(e) for e in (0, 1, 2)]
    assert not np.array_equal(first[0], first[1])
    again = Order.of(100, 10, seed=0, shuffle=True)
    for epoch in (2, 0, 1):
        np.testing.assert_array_equal(again.permutation(epoch), first[epoch])
    other = Order.of(100, 10, seed=1, shuffle=True)
    assert not np.array_equal(other.permutation(0), first[0])


def test_orders_of_epochs_are_independent() -> None:
    """The place of a row in one epoch says nothing about its place in the next."""
    order = Order.of(2000, 10, seed=0, shuffle=True)
    places = np.array([np.argsort(order.permutation(e)) for e in range(20)])
    correlations = np.corrcoef(places)[np.triu_indices(20, 1)]
    assert np.abs(correlations).max() < 5 / 2000**0.5


def test_without_shuffling_rows_keep_their_order() -> None:
    blocks = Order.of(5, 2, seed=0, shuffle=False).batches(4)
    assert [b.tolist() for b in blocks] == [[[0, 1], [2, 3]], [[4]]]


@pytest.mark.parametrize(("batch", "seed"), [(0, 0), (-1, 0), (2.5, 0), (4, -1)])
def test_settings(batch: int, seed: int) -> None:
    with pytest.raises(ConfigError, match="whole number"):
        Order.of(10, batch, seed, True)
