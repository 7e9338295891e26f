"""Rows of arrays that are padded to the longest, read `ByLength`."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ShapeError
from ..frontend import Tensor
from .batch_source import ByLength, take_rows

__all__ = ["Padded"]

Array = npt.NDArray[Any]


class Padded(ByLength):
    """``arrays`` with a row for each example, inputs, then the target; of those that are ``cut``,
    axis 1 is padded to ``bounds[-1]``, and a batch has as much of it as its longest row needs::

        tokens, lengths = ...   # int32 [N, 40], and how many of them each row has
        bounds = bounds_for(lengths)
        source = Padded((tokens, lengths, labels), lengths, bounds, (True, False, False))
        trainer.fit(source)     # the model is called with tokens [batch, length] and lengths
    """

    def __init__(
        self,
        arrays: tuple[Array, ...],
        lengths: npt.NDArray[np.integer[Any]],
        bounds: Sequence[int],
        cut: Sequence[bool],
        labelled: bool = True,
    ) -> None:
        self.arrays, self.lengths, self.labelled = arrays, lengths, labelled
        self.bounds, self.cut = tuple(bounds), tuple(cut)
        for i, array in enumerate(arrays):
            if self.cut[i] and array.shape[1] < self.bounds[-1]:
                raise ShapeError(
                    f"array {i} has shape {array.shape}, but rows are read up to {self.bounds[-1]}",
                    help="pad axis 1 to the last bound",
                )

    @property
    def rows(self) -> int:
        return len(self.lengths)

    @property
    def bytes_per_row(self) -> int:
        return sum(array[:1].nbytes for array in self.arrays)

    @property
    def form(self) -> Hashable:  # type: ignore[override]
        return "padded", self.cut

    def take(self, arrays: tuple[Tensor, ...], rows: Tensor) -> tuple[Tensor, ...]:
        """``array[rows]`` of each, or the beginning of it."""
        taken = take_rows(arrays, rows)
        return tuple(
            array[:, : self.length] if cut else array
            for array, cut in zip(taken, self.cut, strict=True)
        )
