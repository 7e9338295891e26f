"""Splits that keep groups together, and splits by time."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.data.grouped import fold_groups, split_by_time, split_groups
from chainrule.errors import DataError

FRACTIONS = (0.7, 0.15, 0.15)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("sizes", [[3] * 40, [1] * 60, [50, 10, 10, 5, 5, *[1] * 20], [9, 1, 1]])
def test_a_group_is_in_one_part(sizes: list[int], seed: int) -> None:
    groups = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    split = split_groups(groups, FRACTIONS, seed)
    rows = [split.train, split.val, split.test]
    assert sorted(np.concatenate(rows).tolist()) == list(range(len(groups)))
    parts = [set(groups[r].tolist()) for r in rows]
    assert not (parts[0] & parts[1])
    assert not (parts[0] & parts[2])
    assert not (parts[1] & parts[2])
    if len(sizes) > 30:
        np.testing.assert_allclose([len(r) / len(groups) for r in rows], FRACTIONS, atol=0.03)


def test_the_seed_chooses_the_groups() -> None:
    groups = np.repeat(np.arange(30), 4)
    tests = {tuple(split_groups(groups, FRACTIONS, seed).test.tolist()) for seed in range(4)}
    assert len(tests) == 4
    same = [split_groups(groups, FRACTIONS, 3).test.tolist() for _ in range(2)]
    assert same[0] == same[1]


def test_folds_of_groups_test_every_row_once() -> None:
    groups = np.random.default_rng(0).integers(0, 25, 200)
    groups = np.unique(groups, return_inverse=True)[1]
    tested = []
    for fold in range(1, 6):
        split = fold_groups(groups, fold, 5, 0.2)
        parts = [set(groups[r].tolist()) for r in (split.train, split.val, split.test)]
        assert not (parts[0] & parts[1])
        assert not (parts[0] & parts[2])
        assert not (parts[1] & parts[2])
        assert len(split.train) > len(split.val) > 0
        tested += split.test.tolist()
    assert sorted(tested) == list(range(200))


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_groups_are_refused(count: int) -> None:
    groups = np.arange(40) % count
    with pytest.raises(DataError, match=f"{count} groups cannot be split"):
        split_groups(groups, FRACTIONS)
    with pytest.raises(DataError, match=f"{count} groups cannot be split into 5 folds"):
        fold_groups(groups, 1, 5, 0.2)


def test_the_past_is_for_training() -> None:
    times = np.random.default_rng(0).permutation(np.arange(100).astype("M8[D]"))
    split, firsts = split_by_time(times, FRACTIONS)
    assert [len(split.train), len(split.val), len(split.test)] == [70, 15, 15]
    assert times[split.train].max() < times[split.val].min()
    assert times[split.val].max() < times[split.test].min()
    assert [str(times[row]) for row in firsts] == ["1970-01-01", "1970-03-12", "1970-03-27"]


def test_a_moment_is_in_one_part() -> None:
    times = np.repeat([1.0, 2.0, 3.0, 4.0], [30, 30, 30, 10])
    split, _ = split_by_time(times, FRACTIONS)
    parts = [set(times[r].tolist()) for r in (split.train, split.val, split.test)]
    assert parts == [{1.0, 2.0}, {3.0}, {4.0}] or parts == [{1.0}, {2.0}, {3.0, 4.0}]
    with pytest.raises(DataError, match="1 moments in time are too few"):
        split_by_time(np.zeros(50), FRACTIONS)


@pytest.mark.parametrize("fractions", [(0.8, 0.2, 0.0), (0.8, 0.0, 0.2), (1.0, 0.0, 0.0)])
def test_parts_may_be_left_out(fractions: tuple[float, float, float]) -> None:
    by_group = split_groups(np.arange(50), fractions)
    by_time, firsts = split_by_time(np.arange(50.0), fractions)
    for split in (by_group, by_time):
        assert [len(r) / 50 for r in (split.train, split.val, split.test)] == list(fractions)
    assert len(firsts) == sum(f > 0 for f in fractions)
