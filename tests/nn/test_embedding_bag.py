"""Bags of embeddings against sums by hand, and offsets that are wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import chainrule.nn.functional as F
from chainrule import nn
from chainrule.errors import ConfigError, DataError, DTypeError, ShapeError

WEIGHT = np.random.default_rng(0).standard_normal((7, 3)).astype(np.float32)
INDICES = np.int32([2, 2, 5, 0, 6, 3, 3, 1, 2])
HOW = {
    "sum": lambda rows: rows.sum(0),
    "mean": lambda rows: rows.mean(0),
    "max": lambda rows: rows.max(0),
}


@pytest.mark.parametrize("mode", HOW)
def test_pieces_are_bags_also_when_compiled(mode: str) -> None:
    @cr.compile
    def compiled(indices: Any, offsets: Any) -> cr.Tensor:
        return F.embedding_bag(indices, WEIGHT, offsets, mode=mode)

    for offsets in ([0, 4, 4, 7], [0, 0, 1, 9], [0, 2, 4, 6]):
        ends = [*offsets[1:], len(INDICES)]
        bags = [INDICES[a:b] for a, b in zip(offsets, ends, strict=True)]
        expected = [HOW[mode](WEIGHT[bag]) if len(bag) else np.zeros(3) for bag in bags]
        for found in (
            F.embedding_bag(INDICES, WEIGHT, offsets, mode=mode),
            compiled(INDICES, np.int32(offsets)),
        ):
            np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("wrong", [[1, 3], [0, 5, 4]])
def test_offsets_that_do_not_ascend_from_zero(wrong: list[int]) -> None:
    with pytest.raises(DataError, match=r"offsets are .* for 9 indices"):
        F.embedding_bag(INDICES, WEIGHT, wrong)
    found = cr.compile(lambda i, o: F.embedding_bag(i, WEIGHT, o))(INDICES, np.int32(wrong))
    assert np.isnan(found.numpy()).all()


def test_nothing_in_a_bag() -> None:
    for mode in HOW:
        bag = nn.EmbeddingBag(7, 3, mode=mode, padding_idx=-1)
        assert not bag(np.full((2, 4), 6, np.int32)).numpy().any()
        assert not bag(np.zeros((2, 0), np.int32)).numpy().any()
        assert not bag(np.zeros(0, np.int32), [0, 0]).numpy().any()
        bag(np.int32([[6, 1], [6, 6]])).sum().backward()
        assert bag.weight.grad is not None
        touched = bag.weight.grad.numpy().any(1)
        assert touched.tolist() == [False, True, *[False] * 5]


def test_the_row_of_padding_is_zero_at_first() -> None:
    bag = nn.EmbeddingBag(5, 3, padding_idx=-1)
    assert not bag.weight.numpy()[4].any()
    assert bag.weight.numpy()[:4].all()
    assert repr(bag) == "EmbeddingBag(5, 3, padding_idx=4, mode='mean')"


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: nn.EmbeddingBag(5, 3, mode="median"), ConfigError, "mode is 'median'"),
        (lambda: nn.EmbeddingBag(5, 3, padding_idx=5), ConfigError, "padding_idx is 5"),
        (lambda: F.embedding_bag(INDICES, WEIGHT), ShapeError, "without offsets"),
        (lambda: F.embedding_bag(INDICES[None], WEIGHT, [0]), ShapeError, "with offsets"),
        (lambda: F.embedding_bag(INDICES, WEIGHT, [0, 10]), DataError, "none beyond 9"),
        (lambda: F.embedding_bag(INDICES, WEIGHT, [0.0]), ShapeError, "offsets are"),
        (lambda: F.embedding_bag(INDICES, WEIGHT, []), ShapeError, "offsets are"),
        (lambda: F.embedding_bag(INDICES * 1.0, WEIGHT, [0]), DTypeError, "integer indices"),
        (lambda: F.embedding_bag(INDICES, WEIGHT, [0], per_sample_weights=INDICES * 1.0),
         ConfigError, "per_sample_weights were given for mode 'mean'"),
        (lambda: F.embedding_bag(INDICES, WEIGHT, [0], mode="sum", per_sample_weights=[1.0]),
         ShapeError, "one real number for each index"),
        (lambda: F.embedding_bag(INDICES + 5, WEIGHT, [0]), ShapeError, "leave axis 0"),
    ],
)  # fmt: skip
def test_it_is_refused(call: Callable[[], Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        call()
