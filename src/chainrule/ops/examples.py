"""Sample calls of primitives, from which the tests check references, derivatives and lowerings.

Sizes are odd on purpose: 1, primes, and one off a vector's width.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..ir.primitive import Sample, Samples
from ..ir.types import Array, DType, Shape

SHAPES: tuple[Shape, ...] = ((), (1,), (17,), (3, 33), (2, 5, 7))


def draw(
    rng: np.random.Generator, shape: Shape, dtype: DType, low: float = -3.0, high: float = 3.0
) -> Array:
    """Uniform numbers in [low, high); integers keep the bounds that fit their type."""
    if dtype is DType.bool:
        return np.asarray(rng.random(shape) < 0.5)
    if dtype.is_float:
        return np.asarray(rng.uniform(low, high, shape), dtype=dtype.numpy)
    limits = np.iinfo(dtype.numpy)
    bounds = (max(int(low), limits.min), min(int(high), limits.max))
    return np.asarray(rng.integers(*bounds, size=shape, endpoint=True)).astype(dtype.numpy)


def uniform(
    *bounds: tuple[float, float],
    dtypes: tuple[DType, ...] = (DType.f32,),
    shapes: tuple[Shape, ...] = SHAPES,
) -> Samples:
    """Samples with one operand for each (low, high), for all ``shapes`` and ``dtypes``."""

    def samples(rng: np.random.Generator) -> Iterator[Sample]:
        for dtype in dtypes:
            for shape in shapes:
                yield Sample(tuple(draw(rng, shape, dtype, low, high) for low, high in bounds))

    return samples


def both(first: Samples, second: Samples) -> Samples:
    """The samples of ``first``, then those of ``second``."""

    def samples(rng: np.random.Generator) -> Iterator[Sample]:
        yield from first(rng)
        yield from second(rng)

    return samples


def apart(rng: np.random.Generator, shape: Shape, gap: float = 0.01) -> Array:
    """Real numbers of which no two are nearer than ``gap``: differences never cross a tie."""
    size = int(np.prod(shape, dtype=np.int64))
    values = (rng.permutation(size) - size / 2 + 0.25) * gap * 2
    return np.asarray(values, dtype=np.float32).reshape(shape)
