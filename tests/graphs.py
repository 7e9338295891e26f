"""Random graphs over all primitives, with awkward sizes: food for whatever eats graphs.

`random_graph` keeps every value finite and moderate. What decides between branches (comparisons,
casts to integers) is computed from exact numbers only, so that rounding differences between two
ways to run the graph stay small.
"""

from __future__ import annotations

import numpy as np

from chainrule.ir.graph import Graph
from chainrule.ir.types import Array
from grower import Grower
from makers import MAKERS

__all__ = ["random_graph"]


def random_graph(rng: np.random.Generator, size: int) -> tuple[Graph, list[Array]]:
    """About ``size`` applications of random primitives, and values of the inputs."""
    grower = Grower(rng)
    names = list(MAKERS)
    for step in range(size):
        name = names[step % len(names)] if size >= len(names) else str(rng.choice(names))
        grower.offer(MAKERS[name](grower), name)
    return grower.graph()
