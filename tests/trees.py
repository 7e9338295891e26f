"""Random sums along trees, for `makers.py`."""

from __future__ import annotations

from chainrule import ops
from chainrule.ir.graph import Node
from chainrule.ir.types import f32, i32
from grower import SIZES, Grower

__all__ = ["make_dot_tree", "make_tree_sum"]


def make_dot_tree(grower: Grower) -> Node:
    a = grower.pick(fits=lambda n: n.ndim == 2 and n.shape[-1] <= 33)
    b = grower.pick(shape=(a.shape[-1], int(grower.rng.choice(SIZES))))
    runs = [n for n in range(1, a.shape[-1] + 1) if a.shape[-1] % n == 0]
    return ops.dot_tree(a, b * (1.0 / a.shape[-1]), runs=int(grower.rng.choice(runs)))


def make_tree_sum(grower: Grower) -> Node:
    """Of anything, or of products of parts, in which it then is."""
    x = grower.pick(
        (f32, f32, i32)[int(grower.rng.integers(3))], fits=lambda n: n.ndim > 0 and n.shape[0] <= 17
    )
    if x.ndim == 3 and x.dtype is f32 and x.shape[1] <= 33 and grower.rng.random() < 0.7:
        g = grower.pick(shape=(*x.shape[:2], int(grower.rng.choice(SIZES[:8]))))
        x = ops.dot(ops.transpose(x, perm=(0, 2, 1)), g * (1.0 / x.shape[1]))
    return ops.tree_sum(x)
