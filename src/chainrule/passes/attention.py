"""Attention cut into tiles: nothing of queries x keys elements is ever in memory.

For each head, which threads share out, for each tile of queries: a loop over the tiles of keys that
these see. Forward it carries the largest score so far, the sum and the mean relative to it (online
softmax, Milakov and Gimelshein 2018, arXiv:1805.02867):

    m' = max(m, rows of S)        a = exp(m - m')        P = exp(S - m')
    l' = a l + rows of P          o' = a o + P V

and gives O = o / l and L = m + log l. Backward every tile of P is computed again from L: once along
the keys for dQ, and once along the queries, from the last one back, for dK and dV. With ``causal``
tiles of which nothing is seen are left out: the loops inside are limited.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..ir.graph import Graph, Node, bind, constant, full, full_like, topological
from ..ir.rewrite import with_inputs
from ..ir.types import DType
from ..ops.formulas import along_columns, along_rows
from ..ops.movement import transposed
from .tiled_loop import TiledLoop

#: rows and columns of a tile: scores, weights and what they multiply stay in the first cache
TILE = 64
#: a tile may be that much smaller to divide the rows without a rest
SMALLEST = 24

ZERO = constant(0, DType.i32)
FORWARD = ("attention", "attention_lse")
BACKWARD = ("attention_dk", "attention_dv")
GRADIENTS = ("attention_dq", *BACKWARD)
OPS = frozenset({*FORWARD, *GRADIENTS})


def tile_attention(graph: Graph) -> Graph:
    """Replace attention and its derivatives by loops over tiles."""
    new: dict[Node, Node] = {}
    made: dict[Any, dict[str, Node]] = {}
    for node in topological(graph.inputs + graph.roots):
        inputs = [new[i] for i in node.inputs]
        if node.op not in OPS:
            new[node] = with_inputs(node, inputs)
            continue
        tiling = _Tiling.of(inputs, **node.params)
        kind = _TILED[node.op] if node.op in FORWARD or not tiling.single else _at_once
        key = (kind, tuple(inputs), tuple(node.params.items()))
        if key not in made:
            made[key] = _padded(kind, tiling, inputs)
        new[node] = made[key][node.op]
    return graph.with_roots(new[r] for r in graph.roots)


@dataclass(frozen=True)
class _Tiling:
    """Queries and keys, of which ``rows`` and ``columns`` are real, in tiles."""

    rows: int
    columns: int
    tall: int
    wide: int
    causal: bool
    scale: float

    @staticmethod
    def of(inputs: list[Node], *, causal: int, scale: float) -> _Tiling:
        rows, columns = inputs[0].shape[1], inputs[1].shape[1]
        return _Tiling(rows, columns, _tile(rows), _tile(columns), bool(causal), scale)

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
        return (
            self.across - min(self.across, j * self.wide // self.tall)
            if self.causal
            else self.across
        )

    def scores(self, q: Node, kt: Node, i: Node, j: Node, turned: bool = False) -> Node:
        """A tile of scale * Q Kᵀ, or of its transpose; -inf where nothing is seen."""
        scores = bind("dot", q, kt) * self.scale
        row, column = (_at(scores, axis, start) for axis, start in ((turned, i), (1 - turned, j)))
        hidden = []
        if self.causal:
            hidden.append(bind("lt", row, column))
        if self.columns % self.wide:
            hidden.append(bind("le", full_like(column, self.columns), column))
        for part in hidden:
            scores = bind("select", part, full_like(scores, -np.inf), scores)
        return scores


def _tile(size: int) -> int:
    """The largest size of tiles without a rest, or that of tiles with one."""
    fitting = [d for d in range(SMALLEST, TILE + 1) if size % d == 0]
    return size if size <= TILE else max(fitting, default=TILE)


def _at(tile: Node, axis: int, start: Node) -> Node:
    """Which row or column of the whole each element of ``tile`` belongs to."""
    index = bind("iota", shape=tile.shape, axis=int(axis))
    return index + bind("broadcast", start, shape=tile.shape, axes=())


# ------------------------------------------------------------------------------- loops


def _numbers(values: Iterable[int]) -> Node:
    return constant(np.array(list(values)), DType.i32)


def _cut(x: Node, size: int) -> Node:
    """[N, T, ...] in tiles of ``size`` rows."""
    shape = (x.shape[0], x.shape[1] // size, size, *x.shape[2:])
    while x.op == "reshape" and x.shape != shape:
        x = x.inputs[0]
    return x if x.shape == shape else bind("reshape", x, shape=shape)


def _turned(x: Node, size: int) -> Node:
    """The same, each tile transposed, as products read it."""
    return bind("fence", transposed(_cut(x, size)))


def _joined(x: Node) -> Node:
    return bind("reshape", x, shape=(x.shape[0], x.shape[1] * x.shape[2], *x.shape[3:]))


def _of_heads(
    names: Sequence[str], count: int, given: Sequence[Node], step: Callable[..., list[Node]]
) -> dict[str, Node]:
    """What ``step`` makes of each head."""
    heads = TiledLoop(count)
    return dict(zip(names, heads.results(*step(*map(heads.row, given))), strict=True))


def _by_head(
    count: int, tiles: int, stacks: list[Node], wholes: list[Node],
    step: Callable[..., list[Node]], starts: Node, limits: Node,
) -> list[Node]:  # fmt: skip
    """``step`` for each head and each tile of ``stacks``; of ``wholes`` it sees all tiles."""
    heads, across = TiledLoop(count), TiledLoop(tiles)
    rows = [across.row(heads.row(x)) for x in stacks]
    start, limit = across.row(starts), across.row(limits)
    all_of = [across.const(heads.row(x)) for x in wholes]
    results = across.results(*step(*rows, start, limit, *all_of))
    return [_joined(x) for x in heads.results(*results)]


# ------------------------------------------------------------------------- the formulas


def _forward(t: _Tiling, q: Node, k: Node, v: Node) -> dict[str, Node]:
    if t.single:
        return _of_heads(FORWARD, q.shape[0], [q, k, v], lambda q, k, v: _seen_at_once(t, q, k, v))

    def step(q: Node, i: Node, limit: Node, kt: Node, v: Node) -> list[Node]:
        keys = TiledLoop(t.along, limit=limit if t.causal else None)
        low = full(-np.inf, (t.tall,), q.dtype)
        none = full_like(low, 0.0)
        m, total = keys.carry(low), keys.carry(none)
        mean = keys.carry(full(0.0, (t.tall, v.shape[-1]), q.dtype))
        kt, v, j = keys.row(kt), keys.row(v), keys.row(_numbers(range(0, t.along * t.wide, t.wide)))
        scores = t.scores(keys.const(q), kt, keys.const(i), j)
        high = bind("max", m, bind("reduce_max", scores, axes=(1,)))
        weights = bind("exp", scores - along_rows(high, scores))
        faded = bind("exp", m - high)
        last, total, mean = keys.results(
            high,
            total * faded + bind("reduce_sum", weights, axes=(1,)),
            mean * along_rows(faded, mean) + bind("dot", weights, v),
        )
        return [mean / along_rows(total, mean), last + bind("log", total)]

    limits = _numbers(t.seen_by(i) for i in range(t.across))
    starts = _numbers(range(0, t.across * t.tall, t.tall))
    wholes = [_turned(k, t.wide), _cut(v, t.wide)]
    found = _by_head(q.shape[0], t.across, [_cut(q, t.tall)], wholes, step, starts, limits)
    return dict(zip(FORWARD, found, strict=True))


def _seen_at_once(t: _Tiling, q: Node, k: Node, v: Node) -> list[Node]:
    """O and L of one head, all keys in one tile."""
    scores = t.scores(q, transposed(k), ZERO, ZERO)
    high = bind("reduce_max", scores, axes=(1,))
    weights = bind("exp", scores - along_rows(high, scores))
    total, mean = bind("reduce_sum", weights, axes=(1,)), bind("dot", weights, v)
    return [mean / along_rows(total, mean), high + bind("log", total)]


def _at_once(t: _Tiling, *given: Node) -> dict[str, Node]:
    """dQ, dK and dV, all queries and keys in one tile."""

    def step(q: Node, k: Node, v: Node, g: Node, lse: Node, delta: Node) -> list[Node]:
        scores = t.scores(q, transposed(k), ZERO, ZERO)
        weights = bind("exp", scores - along_rows(lse, scores))
        fits = bind("dot", g, transposed(v))
        change = weights * (fits - along_rows(delta, fits))
        dk = bind("dot", transposed(change), q)
        dv = bind("dot", transposed(weights), g)
        return [bind("dot", change, k) * t.scale, dk * t.scale, dv]

    return _of_heads(GRADIENTS, given[0].shape[0], given, step)


def _along_keys(t: _Tiling, *given: Node) -> dict[str, Node]:
    """dQ."""
    q, k, v, g, lse, delta = given

    def step(
        q: Node, g: Node, lse: Node, delta: Node, i: Node, limit: Node, kt: Node, k: Node, vt: Node
    ) -> list[Node]:
        keys = TiledLoop(t.along, limit=limit if t.causal else None)
        total = keys.carry(full_like(q, 0.0))
        kt, k, vt = keys.row(kt), keys.row(k), keys.row(vt)
        j = keys.row(_numbers(range(0, t.along * t.wide, t.wide)))
        scores = t.scores(keys.const(q), kt, keys.const(i), j)
        weights = bind("exp", scores - along_rows(keys.const(lse), scores))
        fits = bind("dot", keys.const(g), vt)
        change = weights * (fits - along_rows(keys.const(delta), fits))
        [total] = keys.results(total + bind("dot", change, k))
        return [total * t.scale]

    stacks = [_cut(x, t.tall) for x in (q, g, lse, delta)]
    wholes = [_turned(k, t.wide), _cut(k, t.wide), _turned(v, t.wide)]
    limits = _numbers(t.seen_by(i) for i in range(t.across))
    starts = _numbers(range(0, t.across * t.tall, t.tall))
    [dq] = _by_head(q.shape[0], t.across, stacks, wholes, step, starts, limits)
    return {"attention_dq": dq}


def _along_queries(t: _Tiling, *given: Node) -> dict[str, Node]:
    """dK and dV."""
    q, k, v, g, lse, delta = given

    def step(
        k: Node, v: Node, j: Node, limit: Node,
        q: Node, qt: Node, g: Node, gt: Node, lse: Node, delta: Node,
    ) -> list[Node]:  # fmt: skip
        queries = TiledLoop(t.across, reverse=1, limit=limit if t.causal else None)
        dk, dv = queries.carry(full_like(k, 0.0)), queries.carry(full_like(v, 0.0))
        q, qt, g, gt = (queries.row(x) for x in (q, qt, g, gt))
        lse, delta = queries.row(lse), queries.row(delta)
        i = queries.row(_numbers(range(0, t.across * t.tall, t.tall)))
        scores = t.scores(queries.const(k), qt, i, queries.const(j), turned=True)
        weights = bind("exp", scores - along_columns(lse, scores))
        fits = bind("dot", queries.const(v), gt)
        change = weights * (fits - along_columns(delta, fits))
        dk, dv = queries.results(dk + bind("dot", change, q), dv + bind("dot", weights, g))
        return [dk * t.scale, dv]

    wholes = [
        _cut(q, t.tall), _turned(q, t.tall), _cut(g, t.tall), _turned(g, t.tall),
        _cut(lse, t.tall), _cut(delta, t.tall),
    ]  # fmt: skip
    limits = _numbers(t.seeing(j) for j in range(t.along))
    starts = _numbers(range(0, t.along * t.wide, t.wide))
    stacks = [_cut(k, t.wide), _cut(v, t.wide)]
    found = _by_head(q.shape[0], t.along, stacks, wholes, step, starts, limits)
    return dict(zip(BACKWARD, found, strict=True))


_TILED: dict[str, Callable[..., dict[str, Node]]] = {
    **dict.fromkeys(FORWARD, _forward),
    "attention_dq": _along_keys,
    **dict.fromkeys(BACKWARD, _along_queries),
}


# ------------------------------------------------------------------------------ whole tiles


def _padded(
    kind: Callable[..., dict[str, Node]], tiling: _Tiling, inputs: list[Node]
) -> dict[str, Node]:
    """The results, where rows that fill the last tiles have come and gone. They are zeros, so that
    they add nothing to any sum.
    """
    q, k, v, *others = inputs
    tall, wide = tiling.across * tiling.tall, tiling.along * tiling.wide
    filled = [_filled(q, tall), _filled(k, wide), _filled(v, wide)]
    results = kind(tiling, *filled, *(_filled(x, tall) for x in others))
    rows = dict.fromkeys(BACKWARD, tiling.columns)
    return {name: _first(x, rows.get(name, tiling.rows)) for name, x in results.items()}


def _filled(x: Node, size: int) -> Node:
    if x.shape[1] == size:
        return x
    none = (0,) * x.ndim
    high = (0, size - x.shape[1], *none[2:])
    return bind("pad", x, constant(0.0, x.dtype), low=none, high=high, interior=none)


def _first(x: Node, size: int) -> Node:
    if x.shape[1] == size:
        return x
    stop = (x.shape[0], size, *x.shape[2:])
    return bind("slice", x, start=(0,) * x.ndim, stop=stop, step=(1,) * x.ndim)
