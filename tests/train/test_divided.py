"""Rows that are divided among workers: each gets those of its parts, wherever they are."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from chainrule.errors import ConfigError
from chainrule.train.divided import Divided, columns_of
from chainrule.train.examples import Examples
from chainrule.train.parts import Division
from chainrule.train.workers import own_of


class Neighbour:
    """A worker that is a thread, and only exchanges."""

    def __init__(self, rank: int, desk: dict[int, list[Any]], barrier: threading.Barrier) -> None:
        self.rank, self.size, self._desk, self._barrier = rank, barrier.parties, desk, barrier

    def exchange(self, pieces: Sequence[Any]) -> list[Any]:
        self._desk[self.rank] = list(pieces)
        self._barrier.wait()
        got = [self._desk[rank][self.rank] for rank in range(self.size)]
        self._barrier.wait()
        return got


@pytest.mark.parametrize("size", [2, 3, 5])
@pytest.mark.parametrize(("batch", "parts"), [(32, 16), (32, 6), (7, 4), (5, 5)])
def test_each_worker_gets_the_rows_of_its_parts(size: int, batch: int, parts: int) -> None:
    """In some fetches of batches of the usual size, then of a smaller one; in the same number."""
    if parts < size:
        return
    rng = np.random.default_rng(size)
    x, y = rng.standard_normal((400, 3)).astype("f"), np.arange(400, dtype=np.int32)
    weights = rng.random(400).astype("f")
    edges = [0, *np.sort(rng.choice(np.arange(1, 400), size - 1, replace=False)).tolist(), 400]
    orders = [rng.permutation(400)[:20].astype(np.int32) for _ in range(400)]
    blocks = [
        np.resize(np.concatenate(orders), (40, batch)),
        np.resize(orders[0], (1, 400 % batch or batch)),
    ]
    desk: dict[int, list[Any]] = {}
    barrier = threading.Barrier(size, timeout=60)

    def work(rank: int) -> int:
        mine = slice(edges[rank], edges[rank + 1])
        examples = Examples((x[mine], y[mine], weights[mine]), weighted=True)
        counts = [b - a for a, b in itertools.pairwise(edges)]
        source = Divided(examples, counts, Neighbour(rank, desk, barrier))  # type: ignore[arg-type]
        steps = source.steps_at_once(batch, parts)
        for block in blocks:
            division = Division.of(block.shape[1], batch, parts)
            columns = columns_of(size, division)
            begin, end = own_of(rank, size, division.count)
            for start in range(0, len(block), steps):
                wanted = block[start : start + steps]
                places = source.fetch(wanted, columns)[:, columns[rank]]
                for whole, window in zip((x, y, weights), source.window.arrays, strict=True):
                    np.testing.assert_array_equal(window[places], whole[wanted[:, columns[rank]]])
            read = sum(n * s for _, n, s in division.pieces(begin, end)) if end > begin else 0
            assert places.shape[1] >= read
        return steps

    with ThreadPoolExecutor(size) as pool:
        counts = set(pool.map(work, range(size)))
    assert len(counts) == 1


def test_nobody_else_reads_them() -> None:
    desk: dict[int, list[Any]] = {}
    examples = Examples((np.zeros((3, 2), "f"), np.zeros(3, "f")))
    source = Divided(examples, [3], Neighbour(0, desk, threading.Barrier(1)))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="read by training alone"):
        assert source.arrays
