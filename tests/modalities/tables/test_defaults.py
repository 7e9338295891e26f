"""Defaults grow and shrink with the rows as their docstrings say."""

from __future__ import annotations

from chainrule.modalities.tables.defaults import bins_for, dropout_for, layers_for, numbers_for
from chainrule.runs.settings.defaults import batch_size_for


def test_batch_sizes_are_powers_of_two_near_the_root() -> None:
    rows = (1, 100, 642, 10_000, 100_000, 10**6, 10**8)
    assert [batch_size_for(n, "adamw") for n in rows] == [32, 32, 32, 128, 256, 1024, 1024]


def test_optimizers_that_compare_steps_get_all_rows() -> None:
    assert [batch_size_for(642, name) for name in ("lbfgs", "rprop", "sgd")] == [0, 0, 32]


def test_dropout_shrinks_with_rows() -> None:
    assert [dropout_for(n, "binary") for n in (100, 2_000, 20_000)] == [0.5, 0.2, 0.1]
    assert [dropout_for(n, "regression") for n in (100, 2_000, 20_000)] == [0.2, 0.2, 0.1]


def test_layers_widen() -> None:
    assert [layers_for(n) for n in (100, 10_000, 100_000)] == [(64,) * 2, (128,) * 2, (256,) * 2]


def test_intervals_need_rows() -> None:
    """Of the table, of each column of numbers, and of each interval; many columns have fewer."""
    shapes = [(599, 5), (999, 5), (1_000, 5), (5_000, 300), (5_000, 400)]
    expected = ["plain", "plain", "piecewise", "piecewise", "plain"]
    assert [numbers_for(*shape, "binary") for shape in shapes] == expected
    assert [numbers_for(n, 5, "regression") for n in (599, 600)] == ["plain", "piecewise"]
    assert [bins_for(rows, 3) for rows in (10, 200, 640, 10_000)] == [4, 10, 32, 96]
    assert [bins_for(10_000, columns) for columns in (10, 20, 64, 1_000)] == [32, 16, 8, 8]


def test_members_that_share_weights_have_more_units_and_drop_fewer() -> None:
    assert layers_for(100, "tabm") == (128, 128)
    assert [dropout_for(n, "binary", "tabm") for n in (100, 1_000, 20_000)] == [0.5, 0.1, 0.1]
