"""The numbers of each epoch, however many epochs there are, in bounded memory.

Up to `MOST` epochs are kept as they are. From then on each point stands for two epochs, later for
four, and so on: of each series the lowest and the highest value among them, in the order in which
they came. So a spike stays visible, and a million epochs take as much as two thousand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any

import numpy as np
import numpy.typing as npt

from ..unverified import LARGEST, number, whole

__all__ = ["MOST", "Curves"]

Array = npt.NDArray[Any]

#: buckets from which on two become one
MOST = 2048
#: series that are kept; a run of ours has about ten
SERIES = 64
SECONDS = "seconds"


class Curves:
    """In flow the objects of ``metrics.jsonl``; out flow points to draw."""

    def __init__(self) -> None:
        self.width = 1
        self.epochs = 0
        self.names: list[str] = []
        self.last: dict[str, float | None] = {}
        self.best: dict[str, tuple[float, int]] = {}
        self._last_epoch = 0
        # [buckets], and [buckets, series] from here on
        self._first, self._final = np.empty(0), np.empty(0)
        self._low, self._high = np.empty((0, 0)), np.empty((0, 0))
        self._rises = np.empty((0, 0), bool)
        self._open = np.empty((0, 1))  # rows of the bucket that is not full: epoch, series

    @property
    def buckets(self) -> int:
        """How many there are, with the one that is not full."""
        return len(self._first) + bool(len(self._open))

    def add(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Takes over lines; one without an epoch, or with an earlier one, is left out."""
        rows, epochs = [], []
        for line in lines:
            epoch = whole(line.get("epoch"))
            if epoch is not None and self._last_epoch < epoch < 1 << 52:
                self._last_epoch = epoch
                rows.append(line)
                epochs.append(epoch)
        if not rows:
            return
        self.epochs += len(rows)
        self._name(rows)
        values = np.empty((len(rows), 1 + len(self.names)))
        values[:, 0] = epochs
        for i, name in enumerate(self.names):
            values[:, i + 1] = column = _numbers([line.get(name) for line in rows])
            self.last[name] = None if math.isnan(column[-1]) else float(column[-1])
            self._note_best(name, column, values[:, 0])
        self._open = np.concatenate([self._open, values])
        self._close()

    def _name(self, rows: Sequence[Mapping[str, Any]]) -> None:
        shapes = dict.fromkeys(map(tuple, rows))  # nearly always one
        for name in dict.fromkeys(name for shape in shapes for name in shape):
            if name != "epoch" and name not in self.names and len(self.names) < SERIES:
                self.names.append(name)
        more = len(self.names) - self._low.shape[1]
        if more:
            pad = ((0, 0), (0, more))
            self._low = np.pad(self._low, pad, constant_values=np.nan)
            self._high = np.pad(self._high, pad, constant_values=np.nan)
            self._rises = np.pad(self._rises, pad)
            self._open = np.pad(self._open, pad, constant_values=np.nan)

    def _note_best(self, name: str, values: Array, epochs: Array) -> None:
        if np.isnan(values).all():
            return
        at = int(np.nanargmin(values))
        value = float(values[at])
        if name not in self.best or value < self.best[name][0]:
            self.best[name] = (value, int(epochs[at]))

    def _close(self) -> None:
        """Makes buckets of the rows that fill some."""
        while len(self._open) >= self.width:
            free = MOST - len(self._first)
            count = min(len(self._open) // self.width, free)
            full, self._open = np.split(self._open, [count * self.width])
            self._append(full.reshape(count, self.width, -1))
            if len(self._first) == MOST:
                self._halve()

    def _append(self, full: Array) -> None:
        first, final, low, high, rises = _summary(full)
        self._first = np.concatenate([self._first, first])
        self._final = np.concatenate([self._final, final])
        self._low = np.concatenate([self._low, low])
        self._high = np.concatenate([self._high, high])
        self._rises = np.concatenate([self._rises, rises])

    def _halve(self) -> None:
        low, high = self._low.reshape(MOST // 2, 2, -1), self._high.reshape(MOST // 2, 2, -1)
        rises = self._rises.reshape(MOST // 2, 2, -1)
        self._low, self._high = np.fmin.reduce(low, axis=1), np.fmax.reduce(high, axis=1)
        low_first = (low[:, 0] == self._low) | np.isnan(low[:, 1])
        high_first = (high[:, 0] == self._high) | np.isnan(high[:, 1])
        own = np.where(low_first, rises[:, 0], rises[:, 1])
        self._rises = np.where(low_first == high_first, own, low_first)
        self._first, self._final = self._first[::2], self._final[1::2]
        self.width *= 2

    def points(self, start: int = 0) -> dict[str, Any]:
        """The points from bucket ``start`` on: ``x`` are epochs, ``series`` the values by name. A
        bucket of one epoch is a point, one of several two."""
        first, final = self._first[start:], self._final[start:]
        low, high, rises = self._low[start:], self._high[start:], self._rises[start:]
        if len(self._open):
            parts = zip((first, final, low, high, rises), _summary(self._open[None]), strict=True)
            first, final, low, high, rises = (np.concatenate(pair) for pair in parts)
        if self.width == 1:
            return {"x": first.tolist(), "series": self._listed(low[:, None])}
        ends = np.stack([np.where(rises, low, high), np.where(rises, high, low)], axis=1)
        x = np.stack([first, final], axis=1)
        x[:, 1] = np.maximum(x[:, 1], x[:, 0] + 0.5)  # drawn one after the other
        return {"x": x.reshape(-1).tolist(), "series": self._listed(ends)}

    def _listed(self, ends: Array) -> dict[str, list[float | None]]:
        """[buckets, points, series] by name."""
        flat = ends.reshape(ends.shape[0] * ends.shape[1], len(self.names))
        return {
            name: [None if v != v else v for v in flat[:, i].tolist()]
            for i, name in enumerate(self.names)
        }

    def rows(self) -> list[dict[str, Any]]:
        """Lines like those of the file, as many as there are points: for whoever reads those."""
        points = self.points()
        columns = points["series"].items()
        return [
            {"epoch": int(x), **{name: values[i] for name, values in columns}}
            for i, x in enumerate(points["x"])
        ]


def _numbers(column: list[Any]) -> Array:
    """What can be drawn; NaN for anything else. Plain floats, as usual, are taken at once."""
    if set(map(type, column)) <= {float, NoneType}:
        values = np.array(column, float)
        values[~(np.abs(values) <= LARGEST)] = math.nan
        return values
    known = map(number, column)
    return np.array([math.nan if v is None else v for v in known])


def _summary(full: Array) -> tuple[Array, Array, Array, Array, Array]:
    """Of rows [buckets, width, 1 + series]: first and last epoch, lowest, highest, whether the
    lowest comes first."""
    epochs, values = full[:, :, 0], full[:, :, 1:]
    low, high = np.fmin.reduce(values, axis=1), np.fmax.reduce(values, axis=1)
    before = np.argmax(values == low[:, None], axis=1) <= np.argmax(values == high[:, None], axis=1)
    return epochs[:, 0], epochs[:, -1], low, high, before
