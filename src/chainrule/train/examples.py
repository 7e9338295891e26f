"""Reading data: whatever the user has becomes checked arrays of the engine's dtypes, once.

Data is ``(X, y)``. ``X`` is one array (anything NumPy reads, or a Tensor) or a tuple of several,
one for each argument of the model, rows first. Numbers become float32, whole numbers int32 (int16,
uint8 and bool stay, but for int16 targets), and nothing passes silently: NaN, infinity and overflow
are errors with their place.
"""

from __future__ import annotations

import copy
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..errors import DataError, ShapeError
from ..frontend import Tensor
from .batch_source import MemorySource, spread_rows, take_rows
from .weights import checked_weights

__all__ = ["Examples", "narrowed", "read_examples", "read_inputs"]

Array = npt.NDArray[Any]
INT32 = np.iinfo(np.int32)
#: whole numbers that stay small until the step: pixels, sound
KEPT = (np.dtype(np.uint8), np.dtype(np.int16))


@dataclass(frozen=True)
class Examples(MemorySource):
    """Arrays with a row for each example: the plain `BatchSource`.

    They are the inputs, then the target; inputs alone where they are not ``labelled``. Where they
    are ``weighted``, a last array says how much each example counts, and a step gets (target,
    weights) for the target.
    """

    arrays: tuple[Array, ...]
    labelled: bool = True
    weighted: bool = False

    @property
    def inputs(self) -> tuple[Array, ...]:
        """The arguments of the model."""
        return self.arrays[: len(self.arrays) - self.labelled - self.weighted]

    @property
    def target(self) -> Array:
        """What is to be learned, of labelled examples."""
        return self.arrays[-2] if self.weighted else self.arrays[-1]

    @property
    def weights(self) -> Array | None:
        """How much each example counts; None: all the same."""
        return self.arrays[-1] if self.weighted else None

    @property
    def rows(self) -> int:
        return len(self.arrays[0])

    @property
    def bytes_per_row(self) -> int:
        return sum(a[:1].nbytes for a in self.arrays)

    @property
    def recipe(self) -> Hashable:
        return "weighted rows" if self.weighted else "rows"

    def take(self, arrays: tuple[Tensor, ...], rows: Tensor) -> tuple[Any, ...]:
        """``array[rows]`` of each; target and weights, where there are any, as a pair."""
        taken = take_rows(arrays, rows)
        return (*taken[:-2], taken[-2:]) if self.weighted else taken

    def with_arrays(self, arrays: Iterable[Array]) -> Self:
        """The same kind of source with others in place of `arrays`."""
        other = copy.copy(self)
        object.__setattr__(other, "arrays", tuple(arrays))
        return other

    def spread(self, most: int) -> Examples:
        """At most ``most`` rows, evenly spaced."""
        rows = spread_rows(self.rows, most)
        return self.with_arrays(a[rows] for a in self.arrays)

    def with_float_inputs(self) -> Examples:
        """The same with whole-number inputs as float32."""
        inputs = tuple(a.astype(np.float32, copy=False) for a in self.inputs)
        return self.with_arrays((*inputs, *self.arrays[len(inputs) :]))


def read_examples(data: Any, name: str) -> Examples:
    """``(X, y)`` or ``(X, y, weights)`` as `Examples`; ``name`` is used in messages (``training
    data``)."""
    if not isinstance(data, Sequence) or isinstance(data, str) or len(data) not in (2, 3):
        raise DataError(
            f"the {name} is {type(data).__name__}, not a pair of inputs and targets",
            help="pass (X, y), or ((X1, X2), y) for a model with several inputs; (X, y, weights) "
            "if rows do not count alike; or a BatchSource",
        )
    inputs = read_inputs(data[0], name)
    target = narrowed(data[1], f"target of the {name}")
    if target.dtype == np.int16:  # classes and counts, which losses take as int32
        target = target.astype(np.int32)
    rows = len(inputs[0])
    if target.ndim == 0 or len(target) != rows:
        raise ShapeError(
            f"the {name} has {rows} rows of inputs and a target of shape {target.shape}",
            help="inputs and target need one row per example",
        )
    if len(data) == 2:
        return Examples((*inputs, target))
    weights = checked_weights(data[2], rows).astype(np.float32)
    return Examples((*inputs, target, weights), weighted=True)


def read_inputs(x: Any, name: str) -> tuple[Array, ...]:
    """One array, or a tuple of arrays with equal, non-zero numbers of rows."""
    parts = tuple(x) if isinstance(x, tuple) else (x,)
    if not parts:
        raise DataError(f"the {name} has no inputs", help="pass at least one array")
    several = len(parts) > 1
    arrays = tuple(
        narrowed(part, f"input {i} of the {name}" if several else f"input of the {name}")
        for i, part in enumerate(parts)
    )
    if any(a.ndim == 0 for a in arrays) or len({len(a) for a in arrays}) != 1:
        shapes = " and ".join(str(a.shape) for a in arrays)
        raise ShapeError(
            f"the inputs of the {name} have shapes {shapes}",
            help="every input needs one row per example",
        )
    if len(arrays[0]) == 0:
        raise DataError(f"the {name} is empty", help="pass at least one row")
    return arrays


def narrowed(value: Any, name: str) -> Array:
    """``value`` as a C-ordered array of float32, int32, int16, uint8 or bool, checked."""
    array = np.asarray(value.numpy() if callable(getattr(value, "numpy", None)) else value)
    if array.dtype.kind == "f":
        return _narrowed_floats(array, name)
    if array.dtype in KEPT:
        return np.asarray(array, order="C")
    if array.dtype.kind in "iu":
        return _narrowed_integers(array, name)
    if array.dtype.kind != "b":
        raise DataError(
            f"the {name} holds {_kind(array)}, not numbers",
            help="encode text and categories as numbers first; chainrule.fit does so for tables",
        )
    return np.asarray(array, order="C")


def _kind(array: Array) -> str:
    return {"O": "Python objects", "U": "text", "S": "bytes", "M": "dates", "c": "complex"}.get(
        array.dtype.kind, str(array.dtype)
    )


def _narrowed_floats(array: Array, name: str) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):
        narrow = np.asarray(array, np.float32, order="C")
        # One pass without a temporary: a NaN or infinity cannot leave the sum finite. A sum that
        # overflows is only a reason to look closely.
        if np.isfinite(np.add.reduce(narrow, axis=None)):
            return narrow
        bad = np.argwhere(~np.isfinite(narrow))
    if len(bad) == 0:
        return narrow
    position = tuple(int(i) for i in bad[0])
    where = f"row {position[0]}" if position else ""
    where += f", column {', '.join(map(str, position[1:]))}" if len(position) > 1 else ""
    number = array[position]
    what = f"a value too large for float32 ({number})" if np.isfinite(number) else str(number)
    raise DataError(
        f"the {name} holds {what} ({len(bad)} such value{'s' if len(bad) > 1 else ''})",
        where=where,
        help="impute or drop missing values, and scale large ones, before training",
    )


def _narrowed_integers(array: Array, name: str) -> Array:
    if array.dtype.itemsize >= 4 and array.size and array.dtype != np.int32:
        for extreme in (array.min(), array.max()):
            if not INT32.min <= extreme <= INT32.max:
                raise DataError(
                    f"the {name} holds {extreme}, outside {INT32.min} to {INT32.max}",
                    help="integers must fit into 32 bits; number categories from 0",
                )
    return np.asarray(array, np.int32, order="C")
