"""Dividing rows into training, validation and test rows, the same way every time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.errors import ConfigError, DataError

__all__ = ["Rows", "Split", "bag_rows", "check_fractions", "fold_rows", "shuffled", "split_rows"]

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
    unit: str = "row",
) -> Split:
    """Row numbers 0 .. n-1 in three parts of the given ``fractions`` (train, validation, test).

    With ``classes`` (one code per row), each part gets nearly the share of every class that the
    table has, and every class has a training row, however rare it is, unless there are more classes
    than training rows. A part with a fraction above zero has at least one row. Raises DataError
    when there are too few rows for that, ConfigError when the fractions are not three numbers from
    0 to 1 with sum 1 and some training rows. ``unit`` is what errors call a row.
    """
    check_fractions(fractions)
    if seed < 0:
        raise ConfigError(f"the seed is {seed}", help="a seed must not be negative")
    n_val, n_test = (max(1, round(n * f)) if f else 0 for f in fractions[1:])
    n_train = n - n_val - n_test
    if n_train < 1:
        parts = sum(f > 0 for f in fractions)
        raise DataError(
            f"{n} {unit}{'s' * (n != 1)} cannot be split into {parts} parts",
            help=f"at least {parts} {_needed(unit)}; a useful model needs hundreds",
        )
    order = shuffled(n, seed)
    if classes is not None:
        order = _interleave(order, np.asarray(classes))
    # Lone members of a class come in the middle, which is where the training rows are taken.
    training = slice(n_test, n_test + n_train)
    if classes is not None:
        _represent(order, np.asarray(classes), training)
    test, train, val = np.split(order, [n_test, n_test + n_train])
    return Split(np.sort(train), np.sort(val), np.sort(test))


def check_fractions(fractions: tuple[float, ...]) -> None:
    """ConfigError unless these are three fractions with sum 1, and some training rows."""
    if len(fractions) != 3 or min(fractions) < 0 or not 0.999 < sum(fractions) < 1.001:
        raise ConfigError(
            f"the split {fractions} is not three fractions that add up to 1",
            help="(0.7, 0.15, 0.15)",
        )
    if not fractions[0]:
        raise ConfigError("the split leaves no training rows", help="(0.7, 0.15, 0.15)")


def fold_rows(
    n: int,
    fold: int,
    folds: int,
    *,
    classes: ArrayLike | None = None,
    validation: float = 0.15,
    seed: int = 0,
    unit: str = "row",
) -> Split:
    """The ``fold``-th (from 1) of ``folds`` divisions of the rows 0 .. n-1 for cross-validation.

    The test parts of all folds together are all rows, each once, and their sizes differ by at most
    one. Of the other rows, the share ``validation`` is kept for validation. With ``classes``, every
    part gets nearly the share of each class that the table has. All folds come from one ``seed``.
    ``unit`` is what errors call a row.
    """
    if not 1 <= fold <= folds or folds < 2:
        raise ConfigError(
            f"fold {fold} of {folds}", help="folds count from 1, and there must be at least two"
        )
    if n < folds + 2:
        raise DataError(
            f"{n} {unit}{'s' * (n != 1)} cannot be split into {folds} folds",
            help=f"at least {folds + 2} {_needed(unit)}",
        )
    order = shuffled(n, seed)
    if classes is not None:
        # Class after class: each stretch of equal rows is dealt out to all folds in turn.
        order = order[np.argsort(np.asarray(classes)[order], kind="stable")]
    test = order[fold - 1 :: folds]
    rest = np.delete(order, np.s_[fold - 1 :: folds])
    n_val = min(max(1, round(len(rest) * validation)), len(rest) - 1)
    chosen = (np.arange(n_val) * len(rest)) // n_val
    train = np.delete(rest, chosen)
    return Split(np.sort(train), np.sort(rest[chosen]), np.sort(test))


def bag_rows(
    parts: Split, bag: int, bags: int, *, classes: ArrayLike | None = None, seed: int = 0
) -> Split:
    """The ``bag``-th (from 1) of ``bags`` divisions of the rows that ``parts`` train and validate
    on; the test part stays as it is.

    The validation parts of all of them together are all these rows, each once; their sizes differ
    by at most one, and they have nearly equal shares of ``classes``. DataError for too few rows.
    """
    pool = np.sort(np.concatenate([parts.train, parts.val]))
    known = None if classes is None else np.asarray(classes)[pool]
    # Not the seed of the split itself: equal random numbers would not make bags at random.
    held = fold_rows(len(pool), bag, bags, classes=known, seed=seed + 1).test
    return Split(np.delete(pool, held), pool[held], parts.test)


def _needed(unit: str) -> str:
    return "rows with a target are needed" if unit == "row" else f"{unit}s are needed"


def _represent(order: Rows, classes: NDArray[np.generic], training: slice) -> None:
    """Exchange rows of ``order`` until no class is missing in the range ``training``.

    Of a few rows, rounded parts may take all members of a class; the largest one gives a row.
    """
    for missing in np.setdiff1d(classes, classes[order[training]]):
        present, counts = np.unique(classes[order[training]], return_counts=True)
        if counts.max() < 2:
            return
        most_frequent = classes[order] == present[counts.argmax()]
        spare = training.start + np.flatnonzero(most_frequent[training])[-1]
        needed = np.flatnonzero(classes[order] == missing)[0]
        order[[spare, needed]] = order[[needed, spare]]


def _interleave(order: Rows, classes: NDArray[np.generic]) -> Rows:
    """``order`` rearranged so that every stretch of it holds the classes in proportion.

    The i-th of m members of a class is put at (i + 1/2) / m; ties keep their random order.
    """
    _, codes, sizes = np.unique(classes[order], return_inverse=True, return_counts=True)
    by_class = np.argsort(codes, kind="stable")
    starts = np.cumsum(sizes) - sizes
    rank = np.empty(len(order), dtype=np.int64)
    rank[by_class] = np.arange(len(order)) - np.repeat(starts, sizes)
    share = (rank + 0.5) / sizes[codes]
    return order[np.argsort(share, kind="stable")]
