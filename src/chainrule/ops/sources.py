"""Primitives that read nothing: the inputs of a graph, constants and counters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..ir.primitive import Primitive, Sample
from ..ir.types import Array, DType, Shape
from .rules import need_axes, quiet

KINDS = ("arg", "state", "scalar")


def input_reference(**params: Any) -> Array:
    """An input has no value of its own: the interpreter is given one."""
    raise LookupError(f"no value was given for input {params['name']!r}")


def input_type(
    *, kind: str, name: str, shape: Shape, dtype: DType, strides: Shape
) -> tuple[Shape, DType]:
    """As declared. ``kind`` is one of `KINDS`; ``strides`` count elements, one for each axis."""
    if kind not in KINDS:
        raise ValueError(f"kind of input {name!r} is {kind!r}, not one of {KINDS}")
    if len(strides) != len(shape):
        raise ValueError(f"input {name!r} has {len(shape)} axes and {len(strides)} strides")
    if kind == "scalar" and (shape, dtype) != ((), DType.f64):
        raise ValueError(f"scalar input {name!r} must be a 0-d f64")
    return shape, dtype


def no_samples(rng: np.random.Generator) -> Iterator[Sample]:
    """An input is not a function; there is nothing to sample."""
    return iter(())


def const_samples(rng: np.random.Generator) -> Iterator[Sample]:
    """One constant of each dtype, 0-d and 2-d."""
    for dtype in DType:
        for shape in ((), (3, 5)):
            value = np.asarray(rng.integers(0, 2, shape)).astype(dtype.numpy)
            value.flags.writeable = False
            yield Sample((), {"value": value})


def iota_type(*, shape: Shape, axis: int) -> tuple[Shape, DType]:
    """i32 of ``shape``."""
    need_axes("iota", (axis,), len(shape))
    return shape, DType.i32


def iota_reference(*, shape: Shape, axis: int) -> Array:
    """The index along ``axis``."""
    column = [-1 if a == axis else 1 for a in range(len(shape))]
    counter = np.arange(shape[axis], dtype=np.int32).reshape(column)
    return np.ascontiguousarray(np.broadcast_to(counter, shape))


def iota_samples(rng: np.random.Generator) -> Iterator[Sample]:
    """Each axis of a few shapes."""
    for shape in ((1,), (17,), (3, 5), (2, 3, 7)):
        for axis in range(len(shape)):
            yield Sample((), {"shape": shape, "axis": axis})


input_ = Primitive("input", input_type, input_reference, vjp=None, samples=no_samples)
const = Primitive(
    "const",
    lambda *, value: (value.shape, DType.of(value.dtype)),
    lambda *, value: value,
    vjp=None,
    samples=const_samples,
)
iota = Primitive("iota", iota_type, quiet(iota_reference), vjp=None, samples=iota_samples)
