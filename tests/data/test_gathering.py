"""Answers of several processes: each rule gives what one process with all rows would say."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from chainrule.data import gathering as gathering_module
from chainrule.data.gathering import ALONE, Gathering
from chainrule.data.moments import MedianSelect, Moments
from meeting import Peer, meet


def test_alone_every_answer_is_its_own() -> None:
    assert ALONE.each({"a": 1}) == [{"a": 1}]
    assert ALONE.first(None) is None
    assert ALONE.counted({"x": 2}) == Counter({"x": 2})
    assert ALONE.united([2.0, 1.0]) == {1.0, 2.0}
    rows = np.arange(3)
    assert ALONE.joined(rows) is rows
    hashes = np.array([[1, 1], [1, 1], [1, 2]], np.uint64)
    assert ALONE.different(np.zeros(3, np.int64), hashes, 1) == [2]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_each_kind_of_answer_has_one_rule(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering_module, "MOST_BYTES", 64)  # so that rows go in several rounds

    def ask(peer: Peer) -> None:
        every, rank = Gathering(peer), peer.rank
        assert every.first("late" if rank == size - 1 else None) == "late"
        assert every.added(np.array([1, rank])).tolist() == [size, sum(range(size))]
        limits = np.array([float(rank), np.inf])
        assert every.least(limits).tolist() == [0.0, np.inf]
        assert every.greatest(limits).tolist() == [size - 1.0, np.inf]
        counts = every.counted({None: 1, f"only {rank}": 2})
        assert counts == Counter({None: size} | {f"only {r}": 2 for r in range(size)})
        assert every.counted({("a", "b"): 1}) == Counter({("a", "b"): size})
        assert every.united({1.0, float(rank)}) == {1.0, *map(float, range(size))}
        rows = np.full((7 * rank, 3), rank, np.float32)
        expected = [np.full((7 * r, 3), r, np.float32) for r in range(size)]
        np.testing.assert_array_equal(every.joined(rows), np.concatenate(expected))
        assert every.joined(np.zeros((2, 0), np.int32)).shape == (2 * size, 0)
        # Of group 0 everybody has the same values, of group 1 nobody has those of another.
        groups = np.repeat([0, 1], 20)
        numbers = np.concatenate([np.arange(20), 100 * rank + np.arange(20)]).astype(np.uint64)
        hashes = np.column_stack([numbers, numbers])
        assert every.different(groups, hashes, 2) == [20, 20 * size]

    meet(size, ask)


@pytest.mark.parametrize("size", [2, 3])
def test_moments_and_medians_of_divided_chunks_have_the_bits_of_one_process(size: int) -> None:
    x = np.random.Generator(np.random.Philox(3)).normal(size=(40, 50, 2)) * [1.0, 1e9] + 1e-3
    x[5, 7, 1] = np.nan
    x[9, 1, 0] = np.inf

    def fitted(chunks: np.ndarray, every: Gathering) -> list[bytes]:
        moments = Moments(2)
        for chunk in chunks:
            moments.add(chunk)
        moments.together(every)
        for chunk in chunks:
            moments.add_deviations(chunk)
        moments.deviations_together(every)
        select = MedianSelect(moments.count)
        for _ in range(MedianSelect.PASSES):
            for chunk in chunks:
                select.add(chunk)
            select.end_pass(every)
        numbers = (moments.mean, moments.std, moments.low, moments.high, select.median)
        return [moments.count.tobytes(), *(each.tobytes() for each in numbers)]

    edges = [rank * 40 // size for rank in range(size + 1)]
    alone = fitted(x, ALONE)
    own = meet(size, lambda p: fitted(x[edges[p.rank] : edges[p.rank + 1]], Gathering(p)))
    assert own == [alone] * size
