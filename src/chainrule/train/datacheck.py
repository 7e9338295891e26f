"""Whether data fits a model and its loss: found out with one row, before the first step.

Indices, as of embeddings, and classes are looked at in all rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError, DataError, DTypeError, ShapeError
from ..frontend import Tensor, trace_function
from ..frontend.modes import structure
from ..frontend.ranges import IndexCheck
from ..ir.types import DType, Shape
from .batch_source import MOST_LENGTHS, BatchSource, ByLength, Rows, peek
from .criterion import Criterion
from .divided import OwnRows
from .examples import Examples, read_examples, read_inputs

__all__ = ["DataCheck"]

Array = npt.NDArray[Any]
#: rows whose indices are looked at together
MOST_ROWS = 1 << 14
ONE_ROW: Rows = np.zeros(1, np.int32)


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

    def pair(self, data: Any, validation: Any = None) -> tuple[BatchSource, BatchSource | None]:
        """Training and validation data, checked, whose rows look alike."""
        data = data.data if isinstance(data, OwnRows) else data
        train = self.labelled(data, "training data")
        if validation is None:
            return train, None
        held_out = self.labelled(validation, "validation data")
        for shape, other in zip(*map(_row_shapes, _read_alike(train, held_out)), strict=True):
            if shape != other:
                raise ShapeError(
                    f"rows of the training data have shape {shape}, but those of the validation "
                    f"data have shape {other}",
                    help="prepare both the same way",
                )
        return train, held_out

    def labelled(self, data: Any, name: str) -> BatchSource:
        """``data`` with a target that fits the model's outputs: a source as it is, or `examples`.

        Raises ShapeError, DTypeError or DataError, naming ``name``, for a source that does not fit.
        """
        if not isinstance(data, BatchSource):
            return self.examples(data, name)
        if not data.labelled:
            raise DataError(
                f"the {name} has no target",
                help="let `take` return the target after the inputs, and set labelled = True",
            )
        self._check_source(data, name)
        self._check_targets(data, name)
        return data

    def examples(self, data: Any, name: str) -> Examples:
        """``(X, y)`` with a target that fits the model's outputs; tries one row first."""
        examples = read_examples(data, name)
        shape = self._output_shape(examples.inputs)
        if shape is None:
            examples = examples.with_float_inputs()
            shape = self._output_shape(examples.inputs, final=True)
        assert shape is not None
        self._check_indices(examples, name)
        target = self.criterion.fitted_target(examples.target, shape, name)
        rest = examples.arrays[len(examples.inputs) + 1 :]
        if rest:
            self.criterion.check_weighted()
        return replace(examples, arrays=(*examples.inputs, np.asarray(target, order="C"), *rest))

    def inputs(self, X: Any) -> BatchSource:
        """Data for predictions: inputs alone, or a source with or without a target."""
        if isinstance(X, BatchSource):
            self._check_source(X, "data")
            return X
        examples = Examples(read_inputs(X, "data"), labelled=False)
        if self._output_shape(examples.inputs) is None:
            examples = examples.with_float_inputs()
            self._output_shape(examples.inputs, final=True)
        self._check_indices(examples, "data")
        return examples

    # ------------------------------------------------------------------------------- sources

    def _check_source(self, source: BatchSource, name: str) -> None:
        """Errors for arrays that the program cannot read, rows that the model cannot, indices."""
        for i, array in enumerate(source.arrays):
            if array.dtype not in _READABLE or not array.flags.c_contiguous:
                order = "" if array.flags.c_contiguous else ", and not in C order"
                raise DTypeError(
                    f"array {i} of the {name} is {array.dtype}{order}",
                    help="convert it once: np.asarray(array, np.float32, order='C'); "
                    "int32, int16, uint32, uint8 and bool are read as well",
                )
        if source.rows < 1:
            raise DataError(f"the {name} is empty", help="pass at least one row")
        if isinstance(source, ByLength):
            _check_lengths(source, source.rows, name)
        self._output_shape(_inputs(source, ONE_ROW), final=True)
        self._check_indices(source, name)

    def _check_targets(self, source: BatchSource, name: str) -> None:
        """Errors for targets that the loss cannot take as they are; all are looked at if their
        values can be wrong, and nothing else of the data is."""
        shape = self._output_shape(_inputs(source, ONE_ROW), final=True)
        assert shape is not None
        for rows in _blocks(source.rows) if self.criterion.restricts_values else [ONE_ROW]:
            [target] = peek(source, rows, slice(-1, None))
            fitted = self.criterion.fitted_target(target, shape, name, first=int(rows[0]))
            if (fitted.shape, fitted.dtype) != (target.shape, target.dtype):
                raise ShapeError(
                    f"`take` of the {name} returns targets of dtype {target.dtype} and shape "
                    f"{('rows', *target.shape[1:])}; the loss needs {fitted.dtype} of shape "
                    f"{('rows', *fitted.shape[1:])}",
                    help="convert them in `take`: target.float(), target.int(), "
                    "target.unsqueeze(1)",
                )

    # ----------------------------------------------------------------------- rows and indices

    def _check_indices(self, source: BatchSource, name: str) -> None:
        """`ShapeError` for the first row with an index that leaves an axis, as of an embedding.

        Compiled code would read the border. The model is recorded for a power of two of rows; the
        first ones come again where fewer are left. Two rows tell whether it reads by index at all:
        if not, no more of the data is touched, which may be larger than memory.
        """
        two = np.arange(min(2, source.rows), dtype=np.int32)
        few = _inputs(source, two)
        kind = (structure.epoch, *((a.shape[1:], a.dtype) for a in few))
        if kind not in self._reads:
            self._reads[kind] = self._index_check(few).reads_anything
        for rows in _blocks(source.rows) if self._reads[kind] else ():
            part = _inputs(source, rows)
            count = len(rows)
            check = self._checks.get((count, *kind))
            if check is None:
                check = self._checks[count, *kind] = self._index_check(part)
            beyond = check.first_beyond(part)
            if beyond is not None:
                by_row = beyond.place and beyond.read.inputs[1].shape[0] == count
                row = f"row {rows[beyond.place[0]]} of the {name}" if by_row else f"the {name}"
                raise beyond.error(row)

    def _index_check(self, part: tuple[Array, ...]) -> IndexCheck:
        """The reads by index of the model, recorded for these rows."""
        with self.evaluating():
            return IndexCheck(trace_function(self.forward, part, {}))

    def _output_shape(
        self, inputs: tuple[Array, ...], final: bool = False
    ) -> tuple[int, ...] | None:
        """The shape of one row's output, from a recording for one row; remembered.

        None if the model refuses whole numbers, which then become float32; errors of the model
        itself pass through when ``final`` or when no input has whole numbers.
        """
        kind = (structure.epoch, *((a.shape[1:], a.dtype) for a in inputs))
        if kind in self._shapes:
            return self._shapes[kind]
        integers = any(a.dtype.kind != "f" for a in inputs)
        row = tuple(a[:1] for a in inputs)
        try:
            with self.evaluating():  # recorded and not run: rows may be long
                shape = trace_function(self.forward, row, {}).graph.outputs[0].shape
        except DTypeError:
            if final or not integers:
                raise
            return None
        if not shape or shape[0] != 1:
            raise ShapeError(
                f"the model turns 1 row into outputs of shape {shape}",
                help="the first axis of the outputs must be the rows",
            )
        self._shapes[kind] = tuple(shape[1:])
        return self._shapes[kind]


_READABLE = frozenset(d.numpy for d in DType if d is not DType.f64)


def _check_lengths(source: ByLength, rows: int, name: str) -> None:
    """ConfigError or DataError for lengths that no program could be made for."""
    bounds, lengths = source.bounds, np.asarray(source.lengths)
    if list(bounds) != sorted(set(bounds)) or not 1 <= len(bounds) <= MOST_LENGTHS:
        raise ConfigError(
            f"the rows of the {name} are read at the lengths {', '.join(map(str, bounds)) or '()'}",
            help=f"give at most {MOST_LENGTHS} in ascending order: bounds_for(lengths)",
        )
    if lengths.shape != (rows,):
        raise ShapeError(
            f"the {name} has {rows} rows, and lengths of shape {lengths.shape}",
            help="give one for each row",
        )
    if lengths.max() > bounds[-1]:
        row = int(lengths.argmax())
        raise DataError(
            f"a row of the {name} is {lengths[row]} long, and none is read further than "
            f"{bounds[-1]}",
            where=f"row {row}",
            help="cut it, or give a greater last bound",
        )


def _blocks(rows: int) -> Iterator[Rows]:
    """All rows in blocks of one size, a power of two; the first rows fill up the last block."""
    count = min(1 << (rows - 1).bit_length(), MOST_ROWS)
    for start in range(0, rows, count):
        yield (np.arange(start, start + count) % rows).astype(np.int32)


def _inputs(source: BatchSource, rows: Rows) -> tuple[Array, ...]:
    """What the model gets for ``rows``; the target is not touched."""
    if isinstance(source, Examples):
        return tuple(array[rows] for array in source.inputs)
    return peek(source, rows, slice(-1) if source.labelled else slice(None))


def _read_alike(*sources: BatchSource) -> list[BatchSource]:
    """Sources as they are read at one length, if all have lengths."""
    with_lengths = [source for source in sources if isinstance(source, ByLength)]
    if len(with_lengths) < len(sources):
        return list(sources)
    shortest = min(source.bounds[-1] for source in with_lengths)
    return [source.at(shortest) for source in with_lengths]


def _row_shapes(source: BatchSource) -> list[Shape]:
    """The shapes of one row's inputs."""
    return [array.shape[1:] for array in _inputs(source, ONE_ROW)]
