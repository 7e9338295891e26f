"""Random programs compute something: a draw that leaves everything out would compare nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from chainrule.ir.graph import Graph
from chainrule.ir.types import Array, Shape
from graphs import random_graph
from joins import JOINS, SPACES, JoinGrower, random_joins
from turns import random_turns

Draw = Callable[[np.random.Generator, int], tuple[Graph, list[Array]]]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_joins_of_every_space(space: Shape) -> None:
    """Whatever a pattern makes is taken, however large the space is."""
    grower = JoinGrower(np.random.default_rng(0), space)
    for name, make in JOINS.items():
        before = len(grower.pool)
        grower.offer(make(grower), name)
        assert len(grower.pool) > before, name


@pytest.mark.parametrize("draw", [random_graph, random_joins, random_turns])
def test_no_draw_is_empty(draw: Draw) -> None:
    for seed in range(60):
        graph, _ = draw(np.random.default_rng(seed), 6)
        computed = [n for n in graph.nodes() if n.op not in ("input", "const", "assign")]
        assert computed, seed
