"""Attention cut into tiles: nothing of queries x keys elements is ever in memory.

For each head, which threads share out, for each tile of queries: a loop over the tiles of keys that
these see. Forward it carries the largest score so far, the sum and the mean relative to it (online
softmax, Milakov and Gimelshein 2018, arXiv:1805.02867):

    m' = max(m, rows of S)        a = exp(m - m')        P = exp(S - m')
    l' = a l + rows of P          o' = a o + P V

and gives O = o / l and L = m + log l. Backward every tile of P is computed again from L: once along
the keys for dQ, and once along the queries, from the last one back, for dK and dV. The row sums of
P * F are taken from dO * O beforehand, unless one tile has all keys. With ``causal``
tiles of which nothing is seen are left out: the loops inside are limited. A mask of keys is cut as
keys are; what dropout keeps of a tile is drawn by where its elements lie in the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..ir.graph import Graph, Node, bind, constant, full, full_like
from ..ir.rewrite import with_inputs
from ..ir.types import DType
from ..ops.attention import change_of, dropped, seen_or, weights_of
from ..ops.formulas import along_columns, along_rows
from ..ops.movement import transposed
from .tiled_loop import TiledLoop, cut, filled, first_of, joined, numbers, turned

#: rows and columns of a tile: scores, weights and what they multiply stay in the first cache
TILE = 64
#: a tile may be that much smaller to divide the rows without a rest
SMALLEST = 24

ZERO = constant(0, DType.i32)
FORWARD = ("attention", "attention_lse")
BACKWARD = ("attention_dk", "attention_dv", "attention_dm")
GRADIENTS = ("attention_dq", *BACKWARD)
OPS = frozenset({*FORWARD, *GRADIENTS})


def tile_attention(graph: Graph) -> Graph:
    """Replace attention and its derivatives by loops over tiles."""
    new: dict[Node, Node] = {}
    made: dict[Any, dict[str, Node]] = {}
    deltas: dict[tuple[Node, ...], Node] = {}
    learning = {node.inputs for node in graph.nodes() if node.op == "attention_dm"}
    for node in graph.nodes():
        inputs = [new[i] for i in node.inputs]
        if node.op not in OPS:
            new[node] = with_inputs(node, inputs)
            continue
        tiling = _Tiling.of(inputs, node.inputs in learning, **node.params)
        kind = _TILED[node.op] if node.op in FORWARD or not tiling.single else _at_once
        key = (kind, tuple(inputs), tuple(node.params.items()))
        if key not in made:
            count = 3 if node.op in FORWARD else 6
            given, extras = inputs[:count], tiling.extras(inputs[0].shape[0], inputs[count:])
            if node.op in GRADIENTS:
                g, y = given[3], given.pop()
                if not tiling.single:
                    if (g, y) not in deltas:
                        deltas[g, y] = bind("reduce_sum", g * y, axes=(2,))
                    given.append(deltas[g, y])
            made[key] = tiling.whole(kind(tiling, extras, *tiling.padded(given)))
        new[node] = made[key][node.op]
    return graph.with_roots(new[r] for r in graph.roots)


@dataclass(frozen=True)
class _Extras:
    """The mask, and what dropout draws from: the first element's number, key and count. Of all
    heads [N, ...] to begin with, of one head and one tile of keys where scores are computed."""

    mask: Node | None = None
    draw: tuple[Node, ...] = ()

    def of_head(self, heads: TiledLoop) -> _Extras:
        """Inside of the loop over heads."""
        first = [heads.row(x) for x in self.draw[:1]]
        rest = [heads.const(x) for x in self.draw[1:]]
        return _Extras(None if self.mask is None else heads.row(self.mask), (*first, *rest))

    def inside(self, loop: TiledLoop, *, cut: bool) -> _Extras:
        """Inside of a loop, which is one over the tiles of the mask if it is to be ``cut``."""
        mask = self.mask
        if mask is not None:
            mask = loop.row(mask) if cut else loop.const(mask)
        return _Extras(mask, tuple(loop.const(x) for x in self.draw))


@dataclass(frozen=True)
class _Tiling:
    """Queries and keys, of which ``rows`` and ``columns`` are real, in tiles; ``learning``: whether
    somebody asks for the derivative of the mask."""

    rows: int
    columns: int
    tall: int
    wide: int
    causal: bool
    scale: float
    masked: bool
    keep: float
    learning: bool

    @staticmethod
    def of(
        inputs: list[Node], learning: bool, *, causal: int, scale: float, masked: int, keep: float
    ) -> _Tiling:
        rows, columns = inputs[0].shape[1], inputs[1].shape[1]
        how = bool(causal), scale, bool(masked), keep, learning
        return _Tiling(rows, columns, _tile(rows), _tile(columns), *how)

    @property
    def across(self) -> int:
        """Tiles of queries."""
        return -(-self.rows // self.tall)

    @property
    def along(self) -> int:
        """Tiles of keys."""
        return -(-self.columns // self.wide)

    @property
    def single(self) -> bool:
        """Whether one tile is all there is."""
        return self.across == self.along == 1

    def seen_by(self, i: int) -> int:
        """Of how many tiles of keys the queries of tile ``i`` see any."""
        last = min((i + 1) * self.tall, self.rows) if self.causal else self.columns
        return max(1, min(self.along, -(-last // self.wide)))

    def seeing(self, j: int) -> int:
        """How many tiles of queries, the last ones, see any key of tile ``j``."""
        first = min(self.across, j * self.wide // self.tall) if self.causal else 0
        return self.across - first

    # ------------------------------------------------------------------------ whole tiles

    def extras(self, heads: int, given: Sequence[Node]) -> _Extras:
        """Mask, key and count, as they were ``given``, with where each head's elements begin."""
        mask = cut(filled(given[0], 1, self.along * self.wide), self.wide) if self.masked else None
        drawn = given[self.masked :]
        if not drawn:
            return _Extras(mask)
        starts = np.arange(heads, dtype=np.uint64) * (self.rows * self.columns)
        return _Extras(mask, (constant(starts.astype(np.uint32), DType.u32), *drawn))

    def padded(self, given: Sequence[Node]) -> list[Node]:
        """Inputs with rows that fill the last tiles. They add nothing to any sum: they are zeros,
        and weigh nothing, since their sums are infinite."""
        tall, wide = self.across * self.tall, self.along * self.wide
        sizes = (tall, wide, wide, tall, tall, tall)
        values = (0.0, 0.0, 0.0, 0.0, np.inf, 0.0)
        return [filled(x, 1, n, v) for x, n, v in zip(given, sizes, values, strict=False)]

    def whole(self, results: dict[str, Node]) -> dict[str, Node]:
        """``results`` without the rows that filled tiles."""
        rows = dict.fromkeys(BACKWARD, self.columns)
        return {name: first_of(x, 1, rows.get(name, self.rows)) for name, x in results.items()}

    # ----------------------------------------------------------------------------- a tile

    def scores(
        self, q: Node, kt: Node, i: Node, j: Node, extras: _Extras, turned: bool = False
    ) -> Node:
        """A tile of S, or of its transpose; -inf where nothing is seen."""
        scores = bind("dot", q, kt) * self.scale
        if extras.mask is not None:
            scores = scores + (along_rows if turned else along_columns)(extras.mask, scores)
        row, column = self.places(scores, i, j, turned)
        hidden = []
        if self.causal:
            hidden.append(bind("lt", row, column))
        if self.columns % self.wide:
            hidden.append(bind("le", full_like(column, self.columns), column))
        for part in hidden:
            scores = bind("select", part, full_like(scores, -np.inf), scores)
        return scores

    def places(self, tile: Node, i: Node, j: Node, turned: bool = False) -> tuple[Node, Node]:
        """Row and column of each element of a tile in the whole."""
        return _at(tile, turned, i), _at(tile, 1 - turned, j)

    def kept(self, weights: Node, i: Node, j: Node, extras: _Extras, turned: bool = False) -> Node:
        """A tile of ``weights``, or of its transpose, after dropout."""
        if not extras.draw:
            return weights
        first, key, count = extras.draw
        row, column = (bind("cast", x, dtype=DType.u32) for x in self.places(weights, i, j, turned))
        number = row * full_like(row, self.columns) + column
        number = number + bind("broadcast", first, shape=number.shape, axes=())
        return dropped(weights, bind("rng_words", number, key, count), self.keep)

    def finite(self, highest: Node) -> Node:
        """The largest score of each row, or 0 where a mask hides everything."""
        return seen_or(highest, -np.inf, 0.0) if self.masked else highest

    def ended(self, highest: Node, total: Node, mean: Node) -> list[Node]:
        """O and L."""
        total = seen_or(total, 0.0, 1.0) if self.masked else total
        return [mean / along_rows(total, mean), self.finite(highest) + bind("log", total)]


def _tile(size: int) -> int:
    """The largest size of tiles without a rest, or that of tiles with one."""
    fitting = [d for d in range(SMALLEST, TILE + 1) if size % d == 0]
    return size if size <= TILE else max(fitting, default=TILE)


def _at(tile: Node, axis: int, start: Node) -> Node:
    """Which row or column of the whole each element of ``tile`` belongs to."""
    index = bind("iota", shape=tile.shape, axis=int(axis))
    return index + bind("broadcast", start, shape=tile.shape, axes=())


# ------------------------------------------------------------------------------- loops


def _of_heads(
    names: Sequence[str], given: Sequence[Node], extras: _Extras, step: Callable[..., list[Node]]
) -> dict[str, Node]:
    """What ``step`` makes of each head, all keys in one tile."""
    heads = TiledLoop(given[0].shape[0])
    own = extras.of_head(heads)
    if own.mask is not None:
        own = _Extras(bind("reshape", own.mask, shape=own.mask.shape[1:]), own.draw)
    return dict(zip(names, heads.results(*step(own, *map(heads.row, given))), strict=False))


def _by_head(
    stacks: list[Node], wholes: list[Node], extras: _Extras, step: Callable[..., list[Node]],
    starts: Node, limits: Node, *, cut: bool,
) -> list[Node]:  # fmt: skip
    """``step`` for each head and each tile of ``stacks``, among them the mask if it is to be
    ``cut``; of ``wholes`` it sees all tiles."""
    count, tiles = stacks[0].shape[:2]
    heads, across = TiledLoop(count), TiledLoop(tiles)
    rows = [across.row(heads.row(x)) for x in stacks]
    start, limit = across.row(starts), across.row(limits)
    own = extras.of_head(heads).inside(across, cut=cut)
    all_of = [across.const(heads.row(x)) for x in wholes]
    results = across.results(*step(own, *rows, start, limit, *all_of))
    return [joined(x) for x in heads.results(*results)]


# ------------------------------------------------------------------------- the formulas


def _forward(t: _Tiling, extras: _Extras, q: Node, k: Node, v: Node) -> dict[str, Node]:
    if t.single:
        return _of_heads(FORWARD, [q, k, v], extras, lambda *given: _seen_at_once(t, *given))

    def step(own: _Extras, q: Node, i: Node, limit: Node, kt: Node, v: Node) -> list[Node]:
        keys = TiledLoop(t.along, limit=limit if t.causal else None)
        low = full(-np.inf, (t.tall,), q.dtype)
        none = full_like(low, 0.0)
        m, total = keys.carry(low), keys.carry(none)
        mean = keys.carry(full(0.0, (t.tall, v.shape[-1]), q.dtype))
        kt, v, j = keys.row(kt), keys.row(v), keys.row(numbers(range(0, t.along * t.wide, t.wide)))
        i, here = keys.const(i), own.inside(keys, cut=True)
        scores = t.scores(keys.const(q), kt, i, j, here)
        high = bind("max", m, bind("reduce_max", scores, axes=(1,)))
        safe = t.finite(high)
        weights = bind("exp", scores - along_rows(safe, scores))
        faded = bind("exp", m - safe)
        return t.ended(*keys.results(
            high,
            total * faded + bind("reduce_sum", weights, axes=(1,)),
            mean * along_rows(faded, mean) + bind("dot", t.kept(weights, i, j, here), v),
        ))  # fmt: skip

    limits = numbers(t.seen_by(i) for i in range(t.across))
    starts = numbers(range(0, t.across * t.tall, t.tall))
    wholes = [turned(k, t.wide), cut(v, t.wide)]
    found = _by_head([cut(q, t.tall)], wholes, extras, step, starts, limits, cut=False)
    return dict(zip(FORWARD, found, strict=True))


def _seen_at_once(t: _Tiling, own: _Extras, q: Node, k: Node, v: Node) -> list[Node]:
    """O and L of one head, all keys in one tile."""
    scores = t.scores(q, transposed(k), ZERO, ZERO, own)
    high = bind("reduce_max", scores, axes=(1,))
    weights = bind("exp", scores - along_rows(t.finite(high), scores))
    mean = bind("dot", t.kept(weights, ZERO, ZERO, own), v)
    return t.ended(high, bind("reduce_sum", weights, axes=(1,)), mean)


def _at_once(t: _Tiling, extras: _Extras, *given: Node) -> dict[str, Node]:
    """dQ, dK, dV, and dM if it is wanted, all queries and keys in one tile."""

    def step(own: _Extras, q: Node, k: Node, v: Node, g: Node, lse: Node) -> list[Node]:
        scores = t.scores(q, transposed(k), ZERO, ZERO, own)
        weights = weights_of(scores, lse)
        change = change_of(weights, t.kept(bind("dot", g, transposed(v)), ZERO, ZERO, own))
        dk = bind("dot", transposed(change), q)
        dv = bind("dot", transposed(t.kept(weights, ZERO, ZERO, own)), g)
        dm = [bind("reduce_sum", change, axes=(0,))] * t.learning
        return [bind("dot", change, k) * t.scale, dk * t.scale, dv, *dm]

    return _of_heads(GRADIENTS, given, extras, step)


def _along_keys(t: _Tiling, extras: _Extras, *given: Node) -> dict[str, Node]:
    """dQ."""
    q, k, v, g, lse, delta = given

    def step(
        own: _Extras, q: Node, g: Node, lse: Node, delta: Node, i: Node, limit: Node,
        kt: Node, k: Node, vt: Node,
    ) -> list[Node]:  # fmt: skip
        keys = TiledLoop(t.along, limit=limit if t.causal else None)
        total = keys.carry(full_like(q, 0.0))
        kt, k, vt = keys.row(kt), keys.row(k), keys.row(vt)
        j = keys.row(numbers(range(0, t.along * t.wide, t.wide)))
        i, here = keys.const(i), own.inside(keys, cut=True)
        scores = t.scores(keys.const(q), kt, i, j, here)
        weights = bind("exp", scores - along_rows(keys.const(lse), scores))
        fits = t.kept(bind("dot", keys.const(g), vt), i, j, here)
        change = weights * (fits - along_rows(keys.const(delta), fits))
        [total] = keys.results(total + bind("dot", change, k))
        return [total * t.scale]

    stacks = [cut(x, t.tall) for x in (q, g, lse, delta)]
    wholes = [turned(k, t.wide), cut(k, t.wide), turned(v, t.wide)]
    limits = numbers(t.seen_by(i) for i in range(t.across))
    starts = numbers(range(0, t.across * t.tall, t.tall))
    [dq] = _by_head(stacks, wholes, extras, step, starts, limits, cut=False)
    return {"attention_dq": dq}


def _along_queries(t: _Tiling, extras: _Extras, *given: Node) -> dict[str, Node]:
    """dK, dV, and dM if it is wanted."""
    q, k, v, g, lse, delta = given

    def step(
        own: _Extras, k: Node, v: Node, j: Node, limit: Node,
        q: Node, qt: Node, g: Node, gt: Node, lse: Node, delta: Node,
    ) -> list[Node]:  # fmt: skip
        queries = TiledLoop(t.across, reverse=1, limit=limit if t.causal else None)
        dk, dv = queries.carry(full_like(k, 0.0)), queries.carry(full_like(v, 0.0))
        if t.learning:
            dm = queries.carry(full(0.0, k.shape[:1], k.dtype))
        q, qt, g, gt = (queries.row(x) for x in (q, qt, g, gt))
        lse, delta = queries.row(lse), queries.row(delta)
        i = queries.row(numbers(range(0, t.across * t.tall, t.tall)))
        j, here = queries.const(j), own.inside(queries, cut=False)
        scores = t.scores(queries.const(k), qt, i, j, here, turned=True)
        weights = bind("exp", scores - along_columns(lse, scores))
        fits = t.kept(bind("dot", queries.const(v), gt), i, j, here, turned=True)
        change = weights * (fits - along_columns(delta, fits))
        kept = t.kept(weights, i, j, here, turned=True)
        sums = [dk + bind("dot", change, q), dv + bind("dot", kept, g)]
        if t.learning:
            sums.append(dm + bind("reduce_sum", change, axes=(1,)))
        dk, dv, *rest = queries.results(*sums)
        return [dk * t.scale, dv, *rest]

    wholes = [
        cut(q, t.tall), turned(q, t.tall), cut(g, t.tall), turned(g, t.tall),
        cut(lse, t.tall), cut(delta, t.tall),
    ]  # fmt: skip
    limits = numbers(t.seeing(j) for j in range(t.along))
    starts = numbers(range(0, t.along * t.wide, t.wide))
    stacks = [cut(k, t.wide), cut(v, t.wide)]
    found = _by_head(stacks, wholes, extras, step, starts, limits, cut=True)
    return dict(zip(BACKWARD, found, strict=False))


_TILED: dict[str, Callable[..., dict[str, Node]]] = {
    **dict.fromkeys(FORWARD, _forward),
    "attention_dq": _along_keys,
    **dict.fromkeys(BACKWARD, _along_queries),
}
