"""Random numbers: a pure function of a seed, a count of draws and the place in the result.

A `Generator` is two Tensors, key and count. Every operation takes one count, so a compiled step
and the same lines run one by one draw the same numbers, on any number of threads.
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import ops
from ..errors import ConfigError
from ..ir.memory import aligned_empty
from ..ir.types import DType, Shape, is_whole
from .apply import apply, from_array, scalar, tensor_of
from .modes import no_grad, thread
from .operations.arithmetic import (
    broadcast_to,
    cast,
    equal,
    exp,
    floating,
    less,
    log,
    maximum,
    sigmoid,
    sqrt,
    where,
)
from .operations.creation import iota, lengths_of, shape_of

if TYPE_CHECKING:
    from .tensor import Tensor


class Generator:
    """A source of random numbers with the state (key, count)."""

    def __init__(self, seed: int = 0) -> None:
        self.key = from_array(aligned_empty((2,), np.uint32))
        self.count = from_array(aligned_empty((), np.uint32))
        self.manual_seed(seed)

    def manual_seed(self, seed: int) -> Generator:
        """Start again from ``seed`` (64 bits count); returns the generator.

        Raises ConfigError for anything but a whole number.
        """
        try:
            seed = operator.index(seed)
        except TypeError:
            raise ConfigError(f"the seed is {seed!r}", help="pass a whole number") from None
        self.key.assign_(from_array(np.array([seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF], "u4")))
        self.count.assign_(from_array(np.zeros((), np.uint32)))
        return self

    def get_state(self) -> tuple[int, int, int]:
        """The two words of the key, and the count."""
        first, second = self.key.numpy().tolist()
        return first, second, int(self.count.item())

    def set_state(self, state: tuple[int, int, int]) -> None:
        """Continue from what `get_state` gave; `ConfigError` for anything else."""
        words = tuple(state)
        if len(words) != 3 or not all(is_whole(w) and 0 <= w < 2**32 for w in words):
            raise ConfigError(
                f"the state of a generator is {state!r}", help="pass what get_state() returned"
            )
        self.key.assign_(from_array(np.array(state[:2], np.uint32)))
        self.count.assign_(from_array(np.array(state[2], np.uint32)))

    def bits(self, shape: Shape) -> Tensor:
        """32 random bits for each element, u32; takes one count."""
        result = apply(ops.rng_bits, self.key, self._next(), shape=lengths_of(shape))
        with no_grad():
            self.count.assign_(self.count + 1)
        return result

    def draw(self) -> tuple[Tensor, Tensor]:
        """Key and count of their own for one drawing, also of derivatives that are yet to come."""
        key, count = self.key.clone(), self._next().clone()
        with no_grad():
            self.count.assign_(self.count + 1)
        return key, count

    def _next(self) -> Tensor:
        """The count of the coming draw; each part of a batch has counts of its own."""
        return self.count if thread.stream is None else self.count + thread.stream


default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Seed the default generator, from which layers and random functions draw."""
    return default_generator.manual_seed(seed)


def rand(*shape: Any, generator: Generator | None = None) -> Tensor:
    """Uniform in [0, 1): the upper 24 bits of a word, times 2^-24."""
    bits = (generator or default_generator).bits(shape_of(shape))
    upper = apply(ops.shr, bits, _word(8, bits.shape))
    return cast(upper, DType.f32) * 2.0**-24


def _word(value: int, shape: Shape) -> Tensor:
    return broadcast_to(scalar(value, DType.u32), shape)


def uniform(
    shape: Shape, low: float = 0.0, high: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Uniform in [low, high)."""
    return rand(shape, generator=generator) * (high - low) + low


# log(4 u (1-u)) = -w; sqrt(2) erfinv(2u - 1) = (2u - 1) P(w). Coefficients for single precision
# from M. Giles, "Approximating the erfinv function", GPU Computing Gems 2, 2010.
_CENTRE = (
    2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087,
    -0.00125372503, -0.00417768164, 0.246640727, 1.50140941,
)  # fmt: skip
_TAIL = (
    -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773,
    -0.0076224613, 0.00943887047, 1.00167406, 2.83297682,
)  # fmt: skip


def _polynomial(w: Tensor, coefficients: tuple[float, ...]) -> Tensor:
    result: Any = coefficients[0]
    for c in coefficients[1:]:
        result = result * w + c
    tensor: Tensor = result
    return tensor


def randn(*shape: Any, generator: Generator | None = None) -> Tensor:
    """Normal with mean 0 and variance 1: sqrt(2) erfinv(2u - 1), u one of 2^23 midpoints.

    One word makes one number; the largest is about 5.4.
    """
    bits = (generator or default_generator).bits(shape_of(shape))
    upper = cast(apply(ops.shr, bits, _word(9, bits.shape)), DType.f32)
    return normal_quantile((upper + 0.5) * 2.0**-23)


def normal_quantile(u: Tensor) -> Tensor:
    """The number below which a standard normal variable falls with probability u, 0 < u < 1."""
    w = -log(4.0 * u * (1.0 - u))
    centre = _polynomial(w - 2.5, _CENTRE)
    tail = _polynomial(sqrt(where(less(w, 5.0), 9.0, w)) - 3.0, _TAIL)
    return math.sqrt(2.0) * (2.0 * u - 1.0) * where(less(w, 5.0), centre, tail)


def normal(
    shape: Shape, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Normal with the given mean and standard deviation."""
    return randn(shape, generator=generator) * std + mean


def bernoulli(shape: Shape, p: float, generator: Generator | None = None) -> Tensor:
    """bool: true with probability p (in steps of 2^-32)."""
    bits = (generator or default_generator).bits(shape)
    threshold = round(p * 2.0**32)
    if threshold >= 2**32:
        return broadcast_to(scalar(True, DType.bool), shape)
    return less(bits, threshold)


def randperm(n: int, generator: Generator | None = None) -> Tensor:
    """A random order of 0 .. n-1, i32; takes one count.

    Place i holds the rank of the i-th of n random words. Inside a compiled function ranks are
    counted in n² comparisons, because the primitives do not sort: meant for the rows of a batch.
    """
    words = (generator or default_generator).bits((n,))
    if thread.trace is None:
        ranks = np.empty(n, np.int32)
        ranks[np.argsort(words.concrete, kind="stable")] = np.arange(n, dtype=np.int32)
        return from_array(ranks)
    mine, other = broadcast_to(words.unsqueeze(1), (n, n)), broadcast_to(words, (n, n))
    tie = equal(other, mine) & less(iota((n, n), 1), iota((n, n), 0))
    return cast(less(other, mine) | tie, DType.i32).sum(1)


#: normal numbers tried for each gamma number. One is accepted with probability above 0.95, so that
#: all are refused once in 10^10 numbers; the last one is then taken.
_TRIES = 8


def log_gamma_variate(
    shape: Shape, a: float | Tensor, generator: Generator | None = None
) -> Tensor:
    """Logarithms of numbers with the Gamma(a, 1) distribution, a > 0; takes three counts.

    Marsaglia and Tsang, "A simple method for generating gamma variables", 2000: with d = a + 2/3,
    c = 1/sqrt(9d), x normal, v = (1 + c x)³ and u uniform, d v has the distribution Gamma(a + 1) if
    v > 0 and log u < x²/2 + d (1 - v + log v). With another uniform w, d v w^(1/a) has Gamma(a).
    The logarithm is what small a need: w^(1/a) itself would often be too small for a float.
    """
    d = a + 2.0 / 3.0
    x = randn(*shape, _TRIES, generator=generator)
    u, w = (1.0 - rand(*s, generator=generator) for s in ((*shape, _TRIES), shape))
    cube_root = 1.0 + x / sqrt(floating(tensor_of(9.0 * d)))
    log_v = 3.0 * log(maximum(cube_root, 2.0**-30))
    accepted = less(0.0, cube_root) & less(log(u), 0.5 * x * x + d * (1.0 - exp(log_v) + log_v))
    attempt = iota((*shape, _TRIES), len(shape))
    first = where(accepted, attempt, _TRIES - 1).amin(-1, keepdim=True)
    chosen = where(equal(attempt, first), log_v, 0.0).sum(-1)
    return log(floating(tensor_of(d))) + chosen + log(w) / a


def beta(
    shape: Shape,
    a: float | Tensor,
    b: float | Tensor,
    generator: Generator | None = None,
) -> Tensor:
    """Numbers with the Beta(a, b) distribution, a, b > 0; takes six counts.

    x / (x + y) for x of Gamma(a) and y of Gamma(b), written as sigmoid(log x - log y).
    """
    x, y = (log_gamma_variate(shape, parameter, generator) for parameter in (a, b))
    return sigmoid(x - y)
