"""Dividing rows into training, validation and test rows, the same way every time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.errors import ConfigError, DataError

__all__ = ["Split", "shuffled", "split_rows"]

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Row numbers of each part, ascending; together they are all rows, each once."""

    train: Rows
    val: Rows
    test: Rows


def shuffled(n: int, seed: int) -> Rows:
    """A permutation of 0 .. n-1 that depends on ``seed`` alone.

    The raw words of Philox are sorted: unlike ``Generator.permutation``, neither may change with
    the version of NumPy.
    """
    words = np.random.Philox(key=seed).random_raw(n)
    return np.argsort(words, kind="stable").astype(np.int64)


def split_rows(
    n: int,
    *,
    classes: ArrayLike | None = None,
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15),
    seed: int = 0,
) -> Split:
    """Row numbers 0 .. n-1 in three parts of the given ``fractions`` (train, validation, test).

    With ``classes`` (one code per row), each part gets nearly the share of every class that the
    table has; with the default fractions every class has a training row, however rare it is. A part
    with a fraction above zero has at least one row. Raises DataError when there are too few rows
    for that, ConfigError when the fractions are not three numbers from 0 to 1 with sum 1 and some
    training rows.
    """
    if len(fractions) != 3 or min(fractions) < 0 or not 0.999 < sum(fractions) < 1.001:
        raise ConfigError(
            f"the split {fractions} is not three fractions with sum 1", help="(0.7, 0.15, 0.15)"
        )
    if not fractions[0]:
        raise ConfigError("the split leaves no training rows", help="(0.7, 0.15, 0.15)")
    if seed < 0:
        raise ConfigError(f"the seed is {seed}", help="a seed is 0 or greater")
    n_val, n_test = (max(1, round(n * f)) if f else 0 for f in fractions[1:])
    n_train = n - n_val - n_test
    if n_train < 1:
        parts = sum(f > 0 for f in fractions)
        raise DataError(
            f"{n} row{'s' * (n != 1)} cannot be divided into {parts} parts",
            help=f"at least {parts} rows with a target are needed; a useful model needs hundreds",
        )
    order = shuffled(n, seed)
    if classes is not None:
        order = _interleave(order, np.asarray(classes))
    # Lone members of a class come in the middle, which is where the training rows are taken.
    test, train, val = np.split(order, [n_test, n_test + n_train])
    return Split(np.sort(train), np.sort(val), np.sort(test))


def _interleave(order: Rows, classes: NDArray[np.generic]) -> Rows:
    """``order`` rearranged so that every stretch of it holds the classes in proportion.

    The i-th of m members of a class is put at (i + 1/2) / m; ties keep their random order.
    """
    _, codes, sizes = np.unique(classes[order], return_inverse=True, return_counts=True)
    by_class = np.argsort(codes, kind="stable")
    starts = np.cumsum(sizes) - sizes
    rank = np.empty(len(order), dtype=np.int64)
    rank[by_class] = np.arange(len(order)) - np.repeat(starts, sizes)
    place = (rank + 0.5) / sizes[codes]
    return order[np.argsort(place, kind="stable")]
