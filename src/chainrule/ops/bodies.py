"""What the bodies of loops are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from ..ir.graph import Node
from ..ir.types import DType, Shape, row_major
from .sources import input_

T = TypeVar("T")


def parts_of(
    inputs: Sequence[T], carries: int, scanned: int
) -> tuple[Sequence[T], Sequence[T], Sequence[T]]:
    """The inputs of a loop or of its body: carries, xs, consts."""
    return inputs[:carries], inputs[carries : carries + scanned], inputs[carries + scanned :]


def placeholder(name: str, shape: Shape, dtype: DType) -> Node:
    """An input of a body."""
    strides = row_major(shape)
    return input_(kind="arg", name=name, shape=shape, dtype=dtype, strides=strides)
