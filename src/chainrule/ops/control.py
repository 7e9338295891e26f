"""Primitives that mean something to the compiler: where derivatives go, what a step writes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..errors import VerifyError
from ..ir.graph import Node
from ..ir.primitive import Primitive, Sample
from ..ir.types import DType, Shape
from .examples import draw, uniform
from .rules import describe, line_of, need_same_type, quiet

fence = Primitive(
    "fence",
    lambda x: (x.shape, x.dtype),
    quiet(lambda x: x),
    lambda g, y, x: (None,),
    uniform((-3.0, 3.0), dtypes=tuple(DType)),
    elementwise=True,
)


def detour_type(x: Node, way: Node) -> tuple[Shape, DType]:
    """The type of both."""
    need_same_type("detour", x, way)
    return x.shape, x.dtype


def detour_samples(rng: np.random.Generator) -> Iterator[Sample]:
    """Two arrays of one type."""
    for dtype in (DType.f32, DType.i32):
        yield Sample((draw(rng, (3, 17), dtype), draw(rng, (3, 17), dtype)))


#: x, with the derivative of ``way`` instead of its own: two formulas for one value, where the one
#: that is best to compute is not the one that is best to differentiate.
detour = Primitive(
    "detour",
    detour_type,
    quiet(lambda x, way: x),
    lambda g, y, x, way: (None, g),
    detour_samples,
    elementwise=True,
)


def assign_type(state: Node, value: Node) -> tuple[Shape, DType]:
    """``value`` becomes the content of ``state`` at the end of the step."""
    if state.op != "input" or state.params["kind"] != "state":
        raise VerifyError(
            f"`assign` to {describe(state)}, which is no state", where=line_of((state,))
        )
    need_same_type("assign", state, value)
    return value.shape, value.dtype


def assign_samples(rng: np.random.Generator) -> Iterator[Sample]:
    """A new value of the state's type."""
    yield Sample((draw(rng, (3, 17), DType.f32), draw(rng, (3, 17), DType.f32)))


assign = Primitive(
    "assign", assign_type, quiet(lambda state, value: value), vjp=None, samples=assign_samples
)
