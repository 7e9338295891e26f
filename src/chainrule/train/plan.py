"""Which rows make a batch, where rows have lengths: those of like length.

A pure function of the order of an epoch, which is one of (seed, epoch). Every row is trained once
an epoch, every batch but the last is full, and there are as many batches as of any other source: so
nothing else of a training depends on it. Without lengths, `batches` are those of `Order`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .batch_source import MOST_LENGTHS, BatchSource, Rows, has_lengths
from .order import Order

__all__ = ["batches", "bounds_for"]

Numbers = npt.NDArray[np.int64]

#: lengths that are considered as bounds
CANDIDATES = 256
#: a further length has to save at least this share of what is computed
WORTH = 0.03
WORST = np.iinfo(np.int64).max // 2


def batches(source: BatchSource, order: Order, epoch: int) -> list[Rows]:
    """Row numbers as [steps, batch], followed by [1, rest] if a short batch is left.

    Of each length, the rows that fill no batch go into the first one of the next length. Batches
    come in the order of the first row in them.
    """
    if not has_lengths(source):
        return order.batches(epoch)
    permuted = order.permutation(epoch)
    keys = source.keys(permuted)
    full: list[tuple[int, Rows]] = []
    rest = np.empty(0, np.int64)
    for key in range(len(source.bounds)):
        places = np.concatenate([rest, np.flatnonzero(keys == key)])
        used = len(places) // order.batch * order.batch
        groups = places[:used].reshape(-1, order.batch)
        full += [(int(group.min()), permuted[group]) for group in groups]
        rest = places[used:]
    full.sort(key=lambda pair: pair[0])
    whole = np.array([rows for _, rows in full], np.int32).reshape(-1, order.batch)
    return [whole, permuted[None, rest]] if len(rest) else [whole]


def bounds_for(
    lengths: Sequence[int] | npt.NDArray[np.integer[Any]], most: int = MOST_LENGTHS
) -> tuple[int, ...]:
    """At most ``most`` lengths, the last of them the longest, with the least padding in all if each
    row is filled up to the next one; as few as are worth it, because each needs a program.

    By dynamic programming; of very many lengths, over some.
    """
    values, counts = np.unique(np.asarray(lengths, np.int64), return_counts=True)
    if len(values) > CANDIDATES:
        chosen = np.unique(np.linspace(0, len(values) - 1, CANDIDATES).round().astype(np.int64))
        counts = np.add.reduceat(counts, np.concatenate([[0], chosen[:-1] + 1]))
        values = values[chosen]
    up_to = np.cumsum(counts)
    # cost[j]: the padded lengths of the rows up to value j, if the last bound is there
    cost = values * up_to
    between = values[:, None] * (up_to[:, None] - up_to[None, :])
    between[np.triu_indices(len(values))] = WORST
    last: list[Numbers] = []
    for _ in range(min(most, len(values)) - 1):
        costs = cost[None, :] + between  # by its row the bound, by its column the one before it
        best = costs.argmin(axis=1)
        least = np.minimum(costs.min(axis=1), cost)
        if least[-1] > (1 - WORTH) * cost[-1]:
            break
        last.append(np.where(least < cost, best, -1))
        cost = least
    at = len(values) - 1
    bounds = [int(values[at])]
    for before in reversed(last):
        if before[at] >= 0:  # else one bound fewer does as well
            at = int(before[at])
            bounds.append(int(values[at]))
    return tuple(reversed(bounds))
