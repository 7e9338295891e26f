"""The split: fixed, stratified, complete, and clear when it is impossible."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chainrule.data import shuffled, split_rows
from chainrule.errors import ConfigError, DataError


def test_the_permutation_is_pinned() -> None:
    """These numbers must never change: a seed in a paper means this order."""
    assert shuffled(8, 0).tolist() == [0, 2, 1, 5, 4, 3, 6, 7]
    assert shuffled(8, 1).tolist() == [3, 5, 2, 7, 0, 6, 1, 4]


@example([0, 0, 0, 0, 0, 1, 1, 2, 2, 3], 0, (0.7, 0.15, 0.15))
@given(
    st.lists(st.integers(0, 4), min_size=3, max_size=200),
    st.integers(0, 2**32),
    st.sampled_from([(0.7, 0.15, 0.15), (0.8, 0.2, 0.0), (0.5, 0.0, 0.5), (1.0, 0.0, 0.0)]),
)
def test_parts_are_all_rows_once(
    classes: list[int], seed: int, fractions: tuple[float, float, float]
) -> None:
    split = split_rows(len(classes), classes=classes, fractions=fractions, seed=seed)
    joined = np.concatenate([split.train, split.val, split.test])
    assert sorted(joined.tolist()) == list(range(len(classes)))
    for part, fraction in zip((split.train, split.val, split.test), fractions, strict=True):
        assert (len(part) > 0) == (fraction > 0)
        assert (np.diff(part) > 0).all()
    trained = set(np.take(classes, split.train))
    assert trained == set(classes) or len(trained) == len(split.train)


def test_classes_keep_their_share() -> None:
    classes = np.repeat([0, 1, 2], [700, 200, 100])
    split = split_rows(1000, classes=classes, seed=3)
    assert np.bincount(classes[split.train]).tolist() == [490, 140, 70]
    assert np.bincount(classes[split.val]).tolist() == [105, 30, 15]
    assert np.bincount(classes[split.test]).tolist() == [105, 30, 15]


def test_the_seed_decides() -> None:
    first, again, other = (split_rows(100, seed=s) for s in (5, 5, 6))
    assert (first.test == again.test).all()
    assert (first.test != other.test).any()


def test_impossible_splits() -> None:
    with pytest.raises(DataError, match="2 rows cannot be split into 3 parts"):
        split_rows(2)
    with pytest.raises(DataError, match="1 row cannot"):
        split_rows(1)
    with pytest.raises(ConfigError, match="add up to 1"):
        split_rows(10, fractions=(0.5, 0.1, 0.1))
    with pytest.raises(ConfigError, match="no training rows"):
        split_rows(10, fractions=(0.0, 0.5, 0.5))
    with pytest.raises(ConfigError, match="seed is -1"):
        split_rows(10, seed=-1)
