"""Chains: nests that follow one another piece by piece, without a barrier between.

Where a nest reads of an array only what lies in the same piece of it that an earlier nest wrote, a
thread may go on with its own pieces while others are still at work. And it may take a few pieces
through all nests before it turns to the next, so that they are found in the second cache. A piece
is some images of a batch: convolution, statistics and gradients of one image need no other image.
The numbers are those of the nests run one after the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import gcd

from .buffers import LANES, Buffer
from .nest import Access, Chain, Loop, Nest, Product

#: a batch that falls into fewer pieces leaves too little for each thread
FEWEST = 8
#: bytes of all arrays that one turn of a chain passes through: they stay in the second cache
NEAR = 512 << 10
#: nests after which a chain ends: what lives inside of it keeps its memory until the end
LONGEST = 6


def follows(earlier: Nest | Loop, later: Nest | Loop) -> bool:
    """Whether every piece of ``later`` needs only the same piece of ``earlier``."""
    pieces = _pieces((earlier, later))
    if pieces < FEWEST:
        return False
    writes = {a.buffer for n in (earlier, later) for a in n.writes}
    shared = writes.intersection(earlier.buffers).intersection(later.buffers)
    return all(_own_size(buffer, (earlier, later), pieces) for buffer in shared)


def can_chain(nests: Iterable[Nest | Loop]) -> bool:
    """Whether the nests have enough pieces in common."""
    return _pieces(nests) >= FEWEST


def users_of(nests: Iterable[Nest | Loop]) -> Counter[Buffer]:
    """How many of the nests touch each buffer."""
    return Counter(buffer for nest in nests for buffer in nest.buffers)


def chain_of(nests: list[Nest | Loop], users: Counter[Buffer]) -> Chain:
    """How ``nests`` are run one after the other; ``users`` counts those of the whole program."""
    pieces = _pieces(nests)
    inside = users_of(nests)
    sizes = {b: size for b in inside if (size := _own_size(b, nests, pieces))}
    each = sum(size * b.dtype.itemsize for b, size in sizes.items())
    local = {b: n for b, n in sizes.items() if b.kind == "arena" and inside[b] == users[b]}
    return Chain(pieces, max(1, min(pieces, NEAR // max(1, each))), local)


def _pieces(nests: Iterable[Nest | Loop]) -> int:
    """Into how many equal ranges the split dims of all nests can be cut; 0 if one cannot be."""
    pieces = 0
    for nest in nests:
        if isinstance(nest, Loop) or nest.split is None:
            return 0
        if isinstance(nest.source, Product) and nest.split >= nest.parallel - 2:
            return 0  # threads share rows or columns of one matrix, in tiles
        extent = nest.dims[nest.split]
        vectors = 1 if extent % LANES else extent // LANES
        pieces = gcd(pieces, vectors if nest.split == nest.vector else extent)
    return pieces


def _own_size(buffer: Buffer, nests: Iterable[Nest | Loop], pieces: int) -> int:
    """Elements of the buffer that belong to one piece; 0 if nests touch those of other pieces."""
    sizes: set[int] = set()
    for nest in nests:
        for access in (*nest.reads, *nest.writes):
            if access.buffer is buffer:
                assert isinstance(nest, Nest)
                assert nest.split is not None
                steps = nest.dims[nest.split] // pieces
                size = access.offset.coeffs[nest.split] * steps
                low, high = _range(nest, access, steps)
                inside = low >= 0 and high < size and not access.indirect
                sizes.add(size if inside else 0)
    return sizes.pop() if len(sizes) == 1 else 0


def _range(nest: Nest, access: Access, steps: int) -> tuple[int, int]:
    """First and last element that the first piece touches."""
    low = high = access.offset.const
    for d, coefficient in enumerate(access.offset.coeffs):
        reach = coefficient * ((steps if d == nest.split else nest.dims[d]) - 1)
        low, high = low + min(0, reach), high + max(0, reach)
    return low, high
