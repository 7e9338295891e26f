"""Windows of series as a source of batches: a row is a place, from which the step reads."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import ops
from ...data.series import Encoded, Origins
from ...frontend import Tensor
from ...frontend.apply import apply
from ...frontend.operations.creation import arange
from ...train.batch_source import MemorySource, take_rows

__all__ = ["Layout", "Windows"]


@dataclass(frozen=True)
class Layout:
    """The shape of one window: how far it reaches back and ahead, and its channels: the target, so
    many that only the ``past`` knows, so many that are ``known`` of the future, and ``static``
    numbers of the series."""

    window: int
    horizon: int
    past: int = 0
    known: int = 0
    static: int = 0


class Windows(MemorySource):
    """Forecasts from ``origins``. A batch is

    * ``past`` [rows, window, 1 + past + known]: the target first;
    * ``series`` [rows, 1 + static]: whether its season repeats (see `Forecaster`), its numbers;
    * ``known`` [rows, horizon, known], if there are such channels;
    * the target [rows, horizon, 2]: values, and 1 for those that are known.
    """

    def __init__(
        self, encoded: Encoded, origins: Origins, static: NDArray[np.float32], layout: Layout
    ) -> None:
        places = encoded.rows(origins)
        series = origins.series.astype(np.int32)
        self.arrays: tuple[NDArray[Any], ...] = (encoded.values, static, places, series)
        self.layout = layout

    @property
    def rows(self) -> int:
        return len(self.arrays[2])

    @property
    def bytes_per_row(self) -> int:
        layout, values = self.layout, self.arrays[0]
        return int((layout.window + layout.horizon) * values[:1].nbytes) + 8

    @property
    def recipe(self) -> Hashable:
        return "windows", self.layout

    def take(self, arrays: tuple[Tensor, ...], rows: Tensor) -> tuple[Tensor, ...]:
        """The windows of ``rows``, gathered from all series."""
        values, static, places, series = arrays
        layout, window = self.layout, self.layout.window
        begin, which = take_rows((places, series), rows)
        steps = begin.unsqueeze(1) + arange(-window, layout.horizon)
        cut = apply(ops.gather, values, steps, axis=0)
        inputs = [cut[:, :window, :-1], *take_rows((static,), which)]
        if layout.known:
            inputs.append(cut[:, window:, 1 + layout.past : -1])
        ahead = cut[:, window:]
        # The target and whether it is known: the first channel and the last.
        last = ahead.shape[2] - 1
        return (*inputs, ahead[:, :, 0 : last + 1 : last])
