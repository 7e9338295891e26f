"""Where batches come from: how the compiled step reads its rows.

A step is recorded for one batch. `BatchSource.take` is recorded in front of it, so the program gets
whole arrays and the numbers of the rows it trains on, and reads them itself: thousands of steps run
in one native call. What a row is, the source decides: a row of each array, a window of a long
series, a crop. Rows of different lengths are read `ByLength`.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Hashable, Iterator
from typing import Any, Protocol, Self, TypeGuard, runtime_checkable

import numpy as np
import numpy.typing as npt

from .. import ops
from ..frontend import Tensor, no_grad, trace_function
from ..frontend.apply import apply, from_array
from ..interpret import evaluate

__all__ = [
    "MOST_LENGTHS",
    "BatchSource",
    "ByLength",
    "LengthSource",
    "MemorySource",
    "Rows",
    "as_read",
    "by_length",
    "calls",
    "has_lengths",
    "host_batch",
    "peek",
    "spread_rows",
    "take_rows",
]

Array = npt.NDArray[Any]
Rows = npt.NDArray[np.int32]


@runtime_checkable
class BatchSource(Protocol):
    """Rows that a step can read. One over a long series::

        class Windows(MemorySource):
            def __init__(self, series, width):           # float32 [time]
                self.arrays, self.width = (series,), width
                self.rows, self.bytes_per_row = len(series) - width, 4 * (width + 1)
                self.recipe = "windows", width

            def take(self, arrays, rows):                # each predicts the value after it
                (series,) = arrays
                inside = rows.unsqueeze(1) + cr.arange(self.width)
                return series[inside], series[rows + self.width].unsqueeze(1)

    `Trainer.fit`, ``evaluate`` and ``predict`` take one in place of arrays.
    """

    @property
    def arrays(self) -> tuple[Array, ...]:
        """What `take` reads, whole: C-ordered, float32, int32, int16, uint32, uint8 or bool."""

    @property
    def rows(self) -> int:
        """How many there are; batches are made of the numbers from 0 to ``rows - 1``."""

    @property
    def bytes_per_row(self) -> int:
        """Bytes that one row reads."""

    @property
    def bytes_per_call(self) -> int | None:
        """How much one native call may read before `release`; None: as much as it likes."""

    @property
    def evaluation_rows(self) -> int | None:
        """The most rows of one batch in evaluation, whose activations need memory; None: any."""

    @property
    def labelled(self) -> bool:
        """Whether the last of what `take` gives is the target."""

    @property
    def recipe(self) -> Hashable:
        """Equal for sources that `take` alike, so that they share a program if shapes agree."""

    def take(self, arrays: tuple[Tensor, ...], rows: Tensor) -> tuple[Tensor, ...]:
        """The batch of ``rows`` (int32 [batch], in range): inputs, then the target.

        ``arrays`` are Tensors of `arrays`. In training and evaluation this is part of the compiled
        program; elsewhere it runs at once, on the host. It selects, and leaves arithmetic to the
        model, so that both give the same bits.
        """

    def prefetch(self, rows: Rows) -> None:
        """Ask for rows that will be read soon, and do not wait; nothing to do in memory."""

    def release(self) -> None:
        """Let go of what was read, which may be read again; nothing to do in memory."""


class MemorySource:
    """What a source of labelled rows that lies in memory has no need to say."""

    labelled: bool = True

    @property
    def bytes_per_call(self) -> int | None:
        """As much as it likes."""
        return None

    @property
    def evaluation_rows(self) -> int | None:
        """Any."""
        return None

    def prefetch(self, rows: Rows) -> None:
        """Nothing: it is there."""

    def release(self) -> None:
        """Nothing: it stays."""


class LengthSource(BatchSource, Protocol):
    """What training and evaluation ask of a source that has lengths; see `ByLength`."""

    @property
    def lengths(self) -> npt.NDArray[np.integer[Any]]: ...
    @property
    def bounds(self) -> tuple[int, ...]: ...
    @property
    def padding(self) -> int: ...

    def keys(self, rows: Rows | None = None) -> npt.NDArray[np.integer[Any]]: ...
    def at(self, bound: int) -> BatchSource: ...


#: the most lengths at which the batches of one source are read
MOST_LENGTHS = 8


class ByLength(MemorySource):
    """Rows of different lengths: a batch is read at a length that its longest row needs, so that
    short rows do not compute the padding of long ones.

    That length is one of the ``bounds``: at most 8, ascending, the last at least the longest row's.
    There is one program for each, because a program is for one shape (and one for the last batch of
    an epoch, if that is short). A batch may hold any rows; `plan.batches` puts rows of like length
    into one. A subclass has

    * ``lengths``: of each row, in whatever it counts (samples, tokens);
    * ``take``, which reads the rows of a batch at ``length``: none of them is longer;
    * ``form`` in place of ``recipe``: equal for sources that take alike at one length.

    The model has to respect lengths, which are inputs like any other: then a row gives the same in
    any batch. In evaluation, outputs of shorter batches are filled up on axis 1 with zeros, and
    their targets with ``padding``.
    """

    lengths: npt.NDArray[np.integer[Any]]
    bounds: tuple[int, ...]
    form: Hashable
    padding: int = 0
    #: the bound at which rows are read, where that is decided
    decided: int | None = None

    @property
    def length(self) -> int:
        """What `take` reads at."""
        return max(self.bounds, default=0) if self.decided is None else self.decided

    @property
    def recipe(self) -> Hashable:
        return self.form, self.length

    def keys(self, rows: Rows | None = None) -> npt.NDArray[np.integer[Any]]:
        """The number of the bound that each row needs."""
        return np.searchsorted(self.bounds, self.lengths if rows is None else self.lengths[rows])

    def at(self, bound: int) -> Self:
        """The same rows, read at ``bound`` alone."""
        view = copy.copy(self)
        view.bounds, view.decided = (bound,), bound
        return view


def has_lengths(source: BatchSource) -> TypeGuard[LengthSource]:
    """Whether there is a length to decide on."""
    return isinstance(source, ByLength) and len(source.bounds) > 1


def as_read(source: BatchSource, rows: Rows) -> BatchSource:
    """``source`` at the length that a batch of ``rows`` is read at."""
    if not has_lengths(source):
        return source
    return source.at(source.bounds[source.keys(rows).max()])


def by_length(source: BatchSource, rows: Rows) -> Iterator[tuple[BatchSource, Rows]]:
    """The batches ``rows`` [steps, batch] in pieces that one program does, in order, each with the
    source as it is read there."""
    if not has_lengths(source):
        yield source, rows
        return
    keys = source.keys(rows).max(axis=1)
    edges = [0, *(np.flatnonzero(np.diff(keys)) + 1).tolist(), len(rows)]
    for start, stop in itertools.pairwise(edges):
        yield source.at(source.bounds[keys[start]]), rows[start:stop]


def take_rows(arrays: tuple[Tensor, ...], rows: Tensor) -> tuple[Tensor, ...]:
    """``array[rows]`` of each array: `BatchSource.take` of those with a row for each example."""
    # Rows are in range: indexing would look for negative ones in every step.
    return tuple(apply(ops.gather, array, rows, axis=0) for array in arrays)


def host_batch(source: BatchSource, rows: Rows) -> tuple[Any, ...]:
    """The batch of ``rows`` as arrays; a pair of target and weights stays one."""
    source = as_read(source, rows)
    with no_grad():
        batch = source.take(tuple(map(from_array, source.arrays)), from_array(rows))
    return _as_arrays(batch)


def _as_arrays(batch: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(
        _as_arrays(part) if isinstance(part, tuple) else np.asarray(part.concrete, order="C")
        for part in batch
    )


def peek(source: BatchSource, rows: Rows, wanted: slice = slice(None)) -> tuple[Array, ...]:
    """`host_batch`, of which only the ``wanted`` parts are read, and no random number is used up:
    a look at data must not change a training."""
    with no_grad():
        traced = trace_function(source.take, (source.arrays, rows), {})
    values = traced.environment((*source.arrays, rows))
    return tuple(evaluate(traced.graph.outputs[wanted], values))


def calls(source: BatchSource, rows: Rows) -> Iterator[Rows]:
    """``rows`` [steps, batch] in pieces, each of which one native call may read.

    What the next piece needs is fetched while one is worked on; what one has read is let go of
    after it.
    """
    steps = max(1, len(rows))
    if source.bytes_per_call is not None:
        steps = max(1, source.bytes_per_call // (source.bytes_per_row * rows.shape[1]))
    pieces = [rows[start : start + steps] for start in range(0, len(rows), steps)]
    for piece, coming in itertools.zip_longest(pieces, pieces[1:]):
        if coming is not None:
            source.prefetch(coming)
        yield piece
        source.release()


def spread_rows(rows: int, most: int) -> Rows:
    """At most ``most`` of ``rows`` rows, evenly spaced: data is often sorted by the target."""
    return np.arange(0, rows, -(-rows // most), dtype=np.int32)
