"""The choice of the next token inside of a compiled step: `sampling.sample`, said with Tensors.

Nothing is sorted. Where sums of weights pass a share is found by halving an interval: the score
that leaves k tokens or the probability p, and then the token at which the sums of the weights, in
the order of the vocabulary, exceed the number that was drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..frontend.loops import scan
from ..frontend.operations.arithmetic import (
    bitwise_and,
    broadcast_to,
    exp,
    less,
    less_equal,
    where,
)
from ..frontend.operations.creation import full, iota
from ..frontend.operations.reductions import amax, argmax
from ..frontend.operations.reductions import sum as total
from ..frontend.tensor import Tensor
from ..ir.types import Array

__all__ = ["IMPOSSIBLE", "Choice", "chosen"]

#: stands for a token where scores are NaN or say nothing
IMPOSSIBLE = -2
#: log-weights below are none in single precision
LOWEST = -104.0
#: halvings of 128; log-weights closer than what is left count as equal
FINENESS = 32


@dataclass(frozen=True)
class Choice:
    """What a choice depends on beside numbers, so that each has a program of its own."""

    drawn: bool
    of_k: bool
    of_p: bool


def chosen(
    scores: Tensor, uniform: Tensor, choice: Choice, temperature: Tensor, k: Tensor, p: Tensor
) -> Tensor:
    """A token i32 [rows] for scores [rows, vocabulary] and a number from 0 to 1 for each row."""
    high = amax(scores, 1)
    sound = bitwise_and(less(-float("inf"), high), less(high, float("inf")))
    if not choice.drawn:
        return where(sound, argmax(scores, 1), IMPOSSIBLE)
    logs = (scores - high.unsqueeze(1)) / temperature
    weights = where(less(logs, LOWEST), 0.0, exp(logs))
    if choice.of_k:
        weights = _above(weights, logs, _threshold(logs, full(logs.shape, 1.0), k))
    if choice.of_p:
        weights = _above(weights, logs, _threshold(logs, weights, total(weights, 1) * p))
    return where(sound, _exceeding(weights, total(weights, 1) * uniform), IMPOSSIBLE)


def _above(weights: Tensor, logs: Tensor, low: Tensor) -> Tensor:
    return where(less_equal(low.unsqueeze(1), logs), weights, 0.0)


def _threshold(logs: Tensor, parts: Tensor, share: Tensor) -> Tensor:
    """The highest number, for each row, above which ``parts`` add up to ``share`` or more."""

    def enough(at: Tensor) -> Tensor:
        return less_equal(broadcast_to(share, at.shape), total(_above(parts, logs, at), 1))

    steps = 2.0 ** (6 - np.arange(FINENESS, dtype=np.float32))
    return _climbed(full(logs.shape[:1], -128.0), steps, enough)


def _exceeding(weights: Tensor, share: Tensor) -> Tensor:
    """The first token up to which the weights add up to more than ``share``."""
    rows, size = weights.shape
    order = iota((rows, size), 1)

    def too_few(count: Tensor) -> Tensor:
        first = where(less(order, count.unsqueeze(1)), weights, 0.0)
        return less_equal(total(first, 1), share)

    bits = size.bit_length()
    steps = 2 ** np.arange(bits, dtype=np.int32)[::-1]
    return _climbed(full((rows,), 0), steps.astype(np.int32), too_few)


def _climbed(low: Tensor, steps: Array, holds: Callable[[Tensor], Tensor]) -> Tensor:
    """The highest sum of ``low`` and some of ``steps``, each half of the last, for which it holds;
    below, it holds everywhere.
    """

    def climb(at: Tensor, step: Tensor) -> tuple[Tensor, None]:
        higher = at + step
        return where(holds(higher), higher, at), None

    result: Tensor = scan(climb, low, steps)[0]
    return result
