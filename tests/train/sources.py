"""Sources that are no rows of arrays: windows of a series, crops of recordings."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import chainrule as cr
from chainrule.frontend.random import rand
from chainrule.train.batch_source import ByLength, MemorySource

Array = NDArray[Any]
Batch = tuple[cr.Tensor, ...]


class Windows(MemorySource):
    """``width`` values of a series, and the value after them."""

    def __init__(self, series: Array, width: int) -> None:
        self.arrays: tuple[Array, ...] = (series,)
        self.width = width
        self.rows = len(series) - width
        self.bytes_per_row = (width + 1) * series.itemsize
        self.recipe = ("windows", width)

    def take(self, arrays: Batch, rows: cr.Tensor) -> Batch:
        (series,) = arrays
        inside = rows.unsqueeze(1) + cr.arange(self.width)
        return series[inside], series[rows + self.width].unsqueeze(1)

    def unrolled(self) -> tuple[Array, Array]:
        """The same as plain arrays."""
        (series,) = self.arrays
        inside = np.arange(self.rows)[:, None] + np.arange(self.width)
        return series[inside], series[self.width :, None]


class Crops(MemorySource):
    """``width`` samples of each recording: the first ones, or from anywhere."""

    def __init__(self, sound: Array, labels: Array, width: int, anywhere: bool = False) -> None:
        self.arrays: tuple[Array, ...] = (sound, labels)
        self.width, self.anywhere = width, anywhere
        self.rows = len(sound)
        self.bytes_per_row = width * sound.itemsize + labels.itemsize
        self.recipe = ("crops", width, anywhere)

    def take(self, arrays: Batch, rows: cr.Tensor) -> Batch:
        sound, labels = arrays
        count, length = rows.shape[0], sound.shape[1]
        first = rows.unsqueeze(1) * length
        if self.anywhere:
            first = first + (rand(count, 1) * (length - self.width + 1)).int()
        inside = first + cr.arange(self.width)
        return sound.reshape(-1)[inside], labels[rows]


class Ragged(ByLength):
    """Rows that lie one after the other in a long array; what is beyond one is 0."""

    def __init__(self, arrays: tuple[Array, ...], lengths: Array, bounds: Any = ()) -> None:
        x, _, target = arrays
        values = np.concatenate([row[:n] for row, n in zip(x, lengths, strict=True)])
        starts = (np.cumsum(lengths) - lengths).astype(np.int32)
        self.arrays: tuple[Array, ...] = (values, starts, lengths, target)
        self.lengths, self.rows = lengths, len(x)
        self.bounds = tuple(bounds) or (x.shape[1],)
        self.bytes_per_row, self.form = 4 * x.shape[1], "ragged"

    def take(self, arrays: Batch, rows: cr.Tensor) -> Batch:
        values, starts, lengths, target = arrays
        places, own = cr.arange(self.length), lengths[rows].unsqueeze(1)
        inside = starts[rows].unsqueeze(1) + cr.minimum(places, own - 1)
        return cr.where(places < own, values[inside], 0.0), lengths[rows], target[rows]


def ragged(rows: int, longest: int, seed: int = 0) -> tuple[tuple[Array, ...], Array]:
    """Rows of 1 to ``longest`` numbers, many of them short, padded with zeros; their lengths; and
    the mean of each. The longest has ``longest``."""
    rng = np.random.default_rng(seed)
    lengths = np.ceil(longest * rng.random(rows) ** 2).clip(1, longest).astype(np.int32)
    lengths[rows // 2] = longest
    x = rng.standard_normal((rows, longest)).astype(np.float32)
    x[np.arange(longest) >= lengths[:, None]] = 0
    mean = (x.sum(axis=1) / lengths).astype(np.float32)[:, None]
    return (x, lengths, mean), lengths


def wave(length: int = 133) -> Array:
    """Two sines and a little noise, float32."""
    t = np.arange(length)
    noise = 0.05 * np.random.default_rng(0).standard_normal(length)
    return (np.sin(t / 3) + 0.5 * np.sin(t / 7 + 1) + noise).astype(np.float32)


def tones(rows: int = 60, length: int = 40) -> tuple[Array, Array]:
    """High and low tones with any phase, int16, and which is which."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, rows).astype(np.int32)
    angle = np.arange(length) * np.where(labels, 1.5, 0.4)[:, None] + 6 * rng.random((rows, 1))
    return np.round(20000 * np.sin(angle)).astype(np.int16), labels
