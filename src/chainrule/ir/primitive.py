"""What a primitive is: one declaration with its type rule, reference, derivative and samples.

Declarations live in ``ops/``; this module holds the record and the table they register in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import graph as _graph
from .graph import Node
from .types import Array, DType, Shape

TypeRule = Callable[..., tuple[Shape, DType]]
#: a node, its inputs for all members of a batch (each with whether it differs), how many members
Batch = Callable[[Node, list[tuple[Node, bool]], int], Node]
#: nodes, or the results of a loop (`ops/loops.py`), which has several
Vjp = Callable[..., Sequence[Any]]


@dataclass(frozen=True)
class Sample:
    """One example call, from which tests check reference, derivative and lowering."""

    inputs: tuple[Array, ...]
    params: dict[str, Any] = field(default_factory=dict)
    #: inputs whose derivative is checked; None: all real ones
    wrt: tuple[int, ...] | None = None


# In quotes: naming it would load numpy.random.
Samples = Callable[["np.random.Generator"], Iterator[Sample]]


@dataclass(frozen=True, eq=False)
class Primitive:
    """An operation on whole arrays.

    type_rule(*nodes, **params)      -> (shape, dtype), or a `ShapeError` / `DTypeError`
    reference(*arrays, **params)     -> NumPy array: the meaning, the oracle
    vjp(g, y, *xs, **params)         -> cotangents of xs as graph expressions, None where there is
                                        none; ``vjp=None`` declares "not differentiable"
    samples(rng)                     -> example calls for the tests
    batch(node, inputs, size)        -> the same for all members of a batch (`batching.py`); None
                                        where it follows, element by element
    """

    name: str
    type_rule: TypeRule
    reference: Callable[..., Any]
    vjp: Vjp | None
    samples: Samples
    #: computes each element from the elements at the same place of its inputs
    elementwise: bool = False
    #: only changes where elements lie, never their values
    movement: bool = False
    batch: Batch | None = None

    def __post_init__(self) -> None:
        if self.name in _graph._registry:
            raise ValueError(f"primitive {self.name!r} is declared twice")
        _graph._registry[self.name] = self

    def __call__(self, *inputs: Node, **params: Any) -> Node:
        return _graph.bind(self.name, *inputs, **params)

    def __repr__(self) -> str:
        return f"Primitive({self.name})"


def primitives() -> dict[str, Primitive]:
    """All declared primitives by name, in the order of declaration."""
    return dict(_graph._registry)
