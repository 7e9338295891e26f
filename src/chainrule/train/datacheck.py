"""Whether data fits a model and its loss: found out with one row, before the first step.

Indices, as of embeddings, are looked at in all rows.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DTypeError, ShapeError
from ..frontend import Tensor, trace_function
from ..frontend.apply import new_tensor
from ..frontend.modes import structure
from ..frontend.ranges import IndexCheck
from .criterion import Criterion
from .examples import Examples, read_examples, read_inputs

__all__ = ["DataCheck"]

Array = npt.NDArray[Any]
#: rows whose indices are looked at together
MOST_ROWS = 1 << 14


@dataclass
class DataCheck:
    """Reads data for ``forward`` and ``criterion``; ``evaluating`` is the mode it tries rows in."""

    forward: Callable[..., Tensor]
    criterion: Criterion
    evaluating: Callable[[], AbstractContextManager[None]]
    _shapes: dict[tuple[Any, ...], tuple[int, ...]] = field(default_factory=dict)
    _checks: dict[tuple[Any, ...], IndexCheck] = field(default_factory=dict)
    #: whether a model reads with indices at all
    _reads: dict[tuple[Any, ...], bool] = field(default_factory=dict)

    def pair(self, data: Any, validation: Any = None) -> tuple[Examples, Examples | None]:
        """Training and validation data as checked arrays whose rows look alike."""
        train = self.examples(data, "training data")
        if validation is None:
            return train, None
        held = self.examples(validation, "validation data")
        for mine, theirs in zip(train.inputs, held.inputs, strict=True):
            if mine.shape[1:] != theirs.shape[1:]:
                raise ShapeError(
                    f"rows of the training data have shape {mine.shape[1:]}, but those of "
                    f"the validation data have shape {theirs.shape[1:]}",
                    help="prepare both the same way",
                )
        return train, held

    def examples(self, data: Any, name: str) -> Examples:
        """``data`` with a target that fits the model's outputs; tries one row first."""
        examples = read_examples(data, name)
        shape = self._output_shape(examples.inputs)
        if shape is None:
            examples = examples.with_float_inputs()
            shape = self._output_shape(examples.inputs, final=True)
        assert shape is not None
        self._check_indices(examples.inputs, name)
        target = self.criterion.fitted_target(examples.target, shape, name)
        return Examples(examples.inputs, np.asarray(target, order="C"))

    def inputs(self, X: Any) -> tuple[Array, ...]:
        """Inputs alone, for predictions."""
        inputs = read_inputs(X, "data")
        if self._output_shape(inputs) is None:
            inputs = tuple(a.astype(np.float32, copy=False) for a in inputs)
            self._output_shape(inputs, final=True)
        self._check_indices(inputs, "data")
        return inputs

    def _check_indices(self, inputs: tuple[Array, ...], name: str) -> None:
        """`ShapeError` for the first row with an index that leaves an axis, as of an embedding.

        Compiled code would read the border. The model is recorded for a power of two of rows; the
        first ones come again where fewer are left. Two rows tell whether it reads by index at all:
        if not, no more of the data is touched, which may be larger than memory.
        """
        rows = len(inputs[0])
        count = min(1 << max(rows - 1, 0).bit_length(), MOST_ROWS)
        kind = (structure.epoch, *((a.shape[1:], a.dtype) for a in inputs))
        if kind not in self._reads:
            self._reads[kind] = bool(self._index_check([a[:2] for a in inputs]).reads)
        for start in range(0, rows, count) if self._reads[kind] else ():
            chosen = np.arange(start, start + count) % rows
            part = [a[chosen] for a in inputs]
            check = self._checks.get((count, *kind))
            if check is None:
                check = self._checks[count, *kind] = self._index_check(part)
            beyond = check.first_beyond(part)
            if beyond is not None:
                by_row = beyond.place and beyond.read.inputs[1].shape[0] == count
                row = f"row {chosen[beyond.place[0]]} of the {name}" if by_row else f"the {name}"
                raise beyond.error(row)

    def _index_check(self, part: list[Array]) -> IndexCheck:
        """The reads by index of the model, recorded for these rows."""
        with self.evaluating():
            return IndexCheck(trace_function(self.forward, tuple(part), {}))

    def _output_shape(
        self, inputs: tuple[Array, ...], final: bool = False
    ) -> tuple[int, ...] | None:
        """The shape of one row's output, from an eager run of one row; remembered.

        None if the model refuses whole numbers, which then become float32; errors of the model
        itself pass through when ``final`` or when no input has whole numbers.
        """
        kind = (structure.epoch, *((a.shape[1:], a.dtype) for a in inputs))
        if kind in self._shapes:
            return self._shapes[kind]
        whole = any(a.dtype.kind != "f" for a in inputs)
        try:
            with self.evaluating():
                shape = self.forward(*(new_tensor(a[:1]) for a in inputs)).shape
        except DTypeError:
            if final or not whole:
                raise
            return None
        if not shape or shape[0] != 1:
            raise ShapeError(
                f"the model turns 1 row into outputs of shape {shape}",
                help="the first axis of the outputs must be the rows",
            )
        self._shapes[kind] = tuple(shape[1:])
        return self._shapes[kind]
