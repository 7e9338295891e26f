"""Dividing rows so that a group is in one part alone, or so that the past predicts the future."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from chainrule.data.split import Rows, Split, check_fractions, shuffled
from chainrule.errors import DataError

__all__ = ["bag_groups", "fold_groups", "split_by_time", "split_groups"]


def split_groups(
    groups: NDArray[np.int64], fractions: tuple[float, float, float], seed: int = 0
) -> Split:
    """Rows in three parts of nearly these ``fractions`` (training, validation, test), where all
    rows of a group, which ``groups`` numbers from 0, are in the same part.

    The groups are taken from the largest to the smallest, equal ones in an order that depends on
    ``seed``; each goes where most rows are wanting. Raises DataError if there are fewer groups
    than parts, or a part would stay empty.
    """
    check_fractions(fractions)
    wanted = np.array(fractions) * len(groups)
    part_of_group = _dealt(groups, wanted, seed)
    part = part_of_group[groups]
    train, val, test = (np.flatnonzero(part == i) for i in range(3))
    for name, rows, fraction in zip(
        ("training", "validation", "test"), (train, val, test), fractions, strict=True
    ):
        if fraction and not len(rows):
            raise DataError(
                f"{int(groups.max()) + 1} groups cannot be split: none is left for the {name} part",
                help="use a column with more groups, or more equal ones",
            )
    return Split(train, val, test)


def fold_groups(
    groups: NDArray[np.int64], fold: int, folds: int, validation: float, seed: int = 0
) -> Split:
    """The ``fold``-th (from 1) of ``folds`` divisions, as `data.split.fold_rows`, with each group
    in one part. The test parts of all folds together are all rows, each once."""
    count = int(groups.max()) + 1
    if count < folds + 1:
        raise DataError(
            f"{count} groups cannot be split into {folds} folds",
            help=f"at least {folds + 1} groups are needed",
        )
    tested = _dealt(groups, np.full(folds, len(groups) / folds), seed)[groups] == fold - 1
    rest = np.flatnonzero(~tested)
    _, left = np.unique(groups[rest], return_inverse=True)
    inner = split_groups(left.astype(np.int64), (1 - validation, validation, 0.0), seed)
    return Split(rest[inner.train], rest[inner.val], np.flatnonzero(tested))


def bag_groups(
    parts: Split, groups: NDArray[np.int64], bag: int, bags: int, seed: int = 0
) -> Split:
    """As `data.split.bag_rows`, with each group in one part. DataError for too few groups."""
    pool = np.sort(np.concatenate([parts.train, parts.val]))
    _, numbered = np.unique(groups[pool], return_inverse=True)
    count = int(numbered.max()) + 1
    if count < bags:
        raise DataError(
            f"{count} groups cannot be split into {bags} folds",
            help=f"at least {bags} groups are needed beside those for the test",
        )
    held = _dealt(numbered.astype(np.int64), np.full(bags, len(pool) / bags), seed)[numbered]
    return Split(pool[held != bag - 1], pool[held == bag - 1], parts.test)


def _dealt(groups: NDArray[np.int64], wanted: NDArray[np.float64], seed: int) -> Rows:
    """The part that each group goes to."""
    sizes = np.bincount(groups)
    order = shuffled(len(sizes), seed)
    order = order[np.argsort(-sizes[order], kind="stable")]
    left = wanted.astype(np.float64)
    parts = np.empty(len(sizes), dtype=np.int64)
    for group in order:
        # Relative to what was wanted, so that small parts get small groups, too.
        share = np.divide(left, wanted, out=np.full(len(left), -np.inf), where=wanted > 0)
        fits = (left >= sizes[group] / 2) & (wanted > 0)
        part = int(np.argmax(np.where(fits, share, share - 1e6)))
        parts[group] = part
        left[part] -= sizes[group]
    return parts


def split_by_time(
    times: NDArray[np.generic], fractions: tuple[float, float, float]
) -> tuple[Split, Sequence[int]]:
    """The earliest rows for training, later ones for validation, the latest for the test; and the
    row that each part begins with. Rows of one moment stay together.

    Raises DataError if the moments are too few for that.
    """
    check_fractions(fractions)
    order = np.argsort(times, kind="stable")
    n = len(times)
    starts = np.unique(times[order], return_index=True)[1][1:].tolist()  # of all but the first
    ends = [n]
    for fraction, later in ((fractions[2], fractions[2]), (fractions[1], sum(fractions[1:]))):
        # A part begins with a moment, near where it is wanted, and before the parts behind it.
        possible = [start for start in starts if start < ends[0]] if fraction else ends[:1]
        if not possible:
            raise DataError(
                f"{len(starts) + 1} moments in time are too few to split {n} rows by",
                help="use a column with more different times",
            )
        wanted = n - round(n * later)
        distances = [abs(start - wanted) for start in possible]
        ends.insert(0, possible[distances.index(min(distances))])
        if fraction and fractions[1] and len(ends) == 2 and len(starts) > 1:
            ends[0] = max(ends[0], starts[1])  # leaves a moment for validation
    val_at, test_at = ends[:2]
    parts = np.split(order, [val_at, test_at])
    firsts = [int(part[0]) for part in parts if len(part)]
    return Split(*(np.sort(part).astype(np.int64) for part in parts)), firsts
