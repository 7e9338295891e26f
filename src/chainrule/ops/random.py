"""Random bits as a pure function of key, count and element index.

Threefry2x32 with 20 rounds: J. Salmon, M. Moraes, R. Dror and D. Shaw, "Parallel random numbers:
as easy as 1, 2, 3", SC 2011. Because nothing is drawn from a stream, any thread can make any
element, and the numbers do not depend on the order of execution.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..batching import Value, bound, stretched, unrolled
from ..ir.graph import Node, bind
from ..ir.primitive import Primitive, Sample
from ..ir.types import Array, DType, Shape
from .rules import describe, need_dtype, quiet, shape_error

PARITY = 0x1BD11BDA
#: rotation distances of rounds 0-3 and 4-7, alternating after every key injection
ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
#: elements that the reference computes at a time
BLOCK = 32768


def threefry2x32(key: tuple[Array, Array], counter: tuple[Array, Array]) -> tuple[Array, Array]:
    """The two output words for u32 ``key`` and ``counter`` words, element by element."""
    with np.errstate(over="ignore"):
        schedule = (key[0], key[1], key[0] ^ key[1] ^ np.uint32(PARITY))
        x, y = counter[0] + schedule[0], counter[1] + schedule[1]
        for block in range(5):
            for distance in ROTATIONS[block % 2]:
                x = x + y
                y = x ^ (y << np.uint32(distance) | y >> np.uint32(32 - distance))
            x = x + schedule[(block + 1) % 3]
            y = y + schedule[(block + 2) % 3] + np.uint32(block + 1)
    return x, y


def rng_bits_type(key: Node, count: Node, *, shape: Shape) -> tuple[Shape, DType]:
    """u32 of ``shape`` from a key u32[2] and a count u32[]."""
    need_dtype("rng_bits", (DType.u32,), key, count)
    if key.shape != (2,) or count.shape != ():
        raise shape_error(f"`rng_bits` needs u32[2] and u32[], not {describe(key, count)}", key)
    if np.prod(shape, dtype=object) > 2**32:
        raise shape_error(f"`rng_bits` counts elements in 32 bits; shape {shape} has more", key)
    return shape, DType.u32


def rng_bits_reference(key: Array, count: Array, *, shape: Shape) -> Array:
    """First output word of Threefry2x32-20 for the counter (row-major element index, count)."""
    bits = np.empty(np.prod(shape, dtype=np.int64), np.uint32)
    for start in range(0, bits.size, BLOCK):  # blocks that stay in the cache: four times as fast
        index = np.arange(start, min(start + BLOCK, bits.size), dtype=np.uint32)
        words = threefry2x32((key[0], key[1]), (index, np.full_like(index, count)))
        bits[start : start + BLOCK] = words[0]
    return bits.reshape(shape)


def rng_bits_samples(rng: np.random.Generator) -> Iterator[Sample]:
    """Random keys and counts, awkward sizes."""
    for shape in ((), (1,), (17,), (3, 33), (2, 5, 7)):
        key = rng.integers(0, 2**32, 2, dtype=np.uint32)
        count = np.asarray(rng.integers(0, 2**32), dtype=np.uint32)
        yield Sample((key, count), {"shape": shape})


def rng_bits_batch(node: Node, inputs: list[Value], size: int) -> Node:
    """Numbers of their own for each member; with keys or counts of their own, those of each."""
    (key, other_keys), count = inputs
    if other_keys:
        return unrolled(node, inputs, size)
    if count[1]:
        number = bind("cast", bind("iota", shape=(node.size,), axis=0), dtype=DType.u32)
        index = stretched((bind("reshape", number, shape=node.shape), False), size)
        return bind("rng_words", index, key, _for_each(count, size, node.shape))
    return bound(node, *(n for n, _ in inputs), shape=(size, *node.shape))


rng_bits = Primitive(
    "rng_bits",
    rng_bits_type,
    quiet(rng_bits_reference),
    vjp=None,
    samples=rng_bits_samples,
    batch=rng_bits_batch,
)


def _for_each(count: Value, size: int, shape: Shape) -> Node:
    """The count of each element, for all members."""
    node, differs = count
    if node.ndim > differs or not differs:
        return stretched(count, size)
    return bind("broadcast", node, shape=(size, *shape), axes=(0,))


def rng_words_type(index: Node, key: Node, count: Node) -> tuple[Shape, DType]:
    """u32 for each number of ``index`` u32, from a key u32[2] and a count u32[], or one for each
    number."""
    need_dtype("rng_words", (DType.u32,), index, key, count)
    if key.shape != (2,) or count.shape not in ((), index.shape):
        found = describe(index, key, count)
        raise shape_error(f"`rng_words` needs u32, u32[2] and u32[], not {found}", key)
    return index.shape, DType.u32


def rng_words_batch(node: Node, inputs: list[Value], size: int) -> Node:
    """The words of each member."""
    index, (key, other_keys), count = inputs
    if other_keys:
        return unrolled(node, inputs, size)
    if count[1] or count[0].ndim:
        counts = _for_each(count, size, node.shape)
        return bound(node, stretched(index, size), key, counts)
    return bound(node, index[0], key, count[0])


def rng_words_samples(rng: np.random.Generator) -> Iterator[Sample]:
    """The samples of `rng_bits`, of indices in any order; and with counts in any order."""
    for sample in rng_bits_samples(rng):
        index, counts = rng.integers(0, 2**32, (2, *sample.params["shape"]), dtype=np.uint32)
        yield Sample((index, *sample.inputs), {})
        yield Sample((index, sample.inputs[0], counts), {})


#: what `rng_bits` gives its element with the number ``index``
rng_words = Primitive(
    "rng_words",
    rng_words_type,
    quiet(
        lambda index, key, count: threefry2x32(
            (key[0], key[1]), (index, np.full_like(index, count))
        )[0]
    ),
    vjp=None,
    samples=rng_words_samples,
    batch=rng_words_batch,
)
