"""What each layer did over time, in bounded memory: a map of layers and columns of time.

One column for each observation, until there are `MOST`; from then on each is the mean of two, later
of four. Histograms are not kept: of some observations, evenly spread, it is known where they begin
in their file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..unverified import items, number, table, text, whole

__all__ = ["MEASURES", "Heat", "Marks"]

Array = npt.NDArray[Any]

MEASURES = ("gradient", "ratio", "weight", "update", "mean", "std", "backward", "dead",
            "saturated")  # fmt: skip
MOST, LAYERS, MARKS = 360, 400, 64
#: of a recurrent layer, as many as observations tell apart
TIME_STEPS = 32


class Heat:
    """In flow the objects of ``layers.jsonl``; out flows the map."""

    def __init__(self) -> None:
        self.width = 1
        self.layers: dict[str, str] = {}
        self.observations = 0
        self.left_out = 0
        self._steps: list[int] = []
        self._epochs: list[int] = []
        # Sums and counts, [columns, layers, measures]; the last column may stand for fewer.
        self._sums = np.zeros((MOST, 0, len(MEASURES)))
        self._counts = np.zeros((MOST, 0, len(MEASURES)), np.int64)
        self._filled = 0
        # Of recurrent layers, what arrived at their time steps last.
        self._through_time: dict[str, list[float | None]] = {}

    def add(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Takes over lines; what they do not say is left out."""
        for line in lines:
            step, epoch = whole(line.get("step")), whole(line.get("epoch"))
            if step is None or epoch is None or max(step, epoch) >= 1 << 52:
                continue
            layers = table(line.get("layers"))
            self._name(layers)
            column = self._column(step, epoch)
            for i, path in enumerate(self.layers):
                measured = table(layers.get(path))
                if steps := items(measured.get("through_time"))[:TIME_STEPS]:
                    self._through_time[path] = [number(v) for v in steps]
                for j, measure in enumerate(MEASURES):
                    value = number(measured.get(measure))
                    if value is not None:
                        self._sums[column, i, j] += value
                        self._counts[column, i, j] += 1
            self.observations += 1

    def _name(self, layers: Mapping[str, Any]) -> None:
        new = [path for path in layers if path not in self.layers]
        taken = new[: LAYERS - len(self.layers)]
        self.left_out = max(self.left_out, len(new) - len(taken))
        self.layers |= {path: text(table(layers[path]).get("kind")) for path in taken}
        if taken:
            pad = ((0, 0), (0, len(taken)), (0, 0))
            self._sums, self._counts = np.pad(self._sums, pad), np.pad(self._counts, pad)

    def _column(self, step: int, epoch: int) -> int:
        """The column of the coming observation."""
        if self._filled == self.width or not self._steps:
            if len(self._steps) == MOST:
                self._halve()
            self._steps.append(step)
            self._epochs.append(epoch)
            self._filled = 0
        self._filled += 1
        return len(self._steps) - 1

    def _halve(self) -> None:
        shape = (MOST // 2, 2, len(self.layers), len(MEASURES))
        for array in (self._sums, self._counts):
            array[: MOST // 2] = array.reshape(shape).sum(axis=1)
            array[MOST // 2 :] = 0
        self._steps, self._epochs = self._steps[::2], self._epochs[::2]
        self.width *= 2

    def document(self, measures: Sequence[str] = MEASURES) -> dict[str, Any]:
        """``values`` by measure: a list for each layer, with a value or None for each column; and
        of all measures the ``newest`` ones, in which `MEASURES` there is a list for each layer."""
        count = len(self._steps)
        with np.errstate(invalid="ignore"):
            means = self._sums[:count] / self._counts[:count]
        return {
            "layers": [{"path": path, "kind": kind} for path, kind in self.layers.items()],
            "left_out": self.left_out,
            "observations": self.observations,
            "width": self.width,
            "steps": self._steps,
            "epochs": self._epochs,
            "values": {
                measure: [_short(row) for row in means[:, :, j].T]
                for j, measure in enumerate(MEASURES)
                if measure in measures
            },
            "newest": {
                measure: _short(means[-1, :, j]) if count else []
                for j, measure in enumerate(MEASURES)
            },
            "through_time": self._through_time,
        }


def _short(values: Array) -> list[float | None]:
    """Four digits of each, as many as anybody sees."""
    return [None if v != v else float(f"{v:.4g}") for v in values.tolist()]


class Marks:
    """Where some lines of a file begin: at most `MARKS`, evenly spread, and always the last one."""

    def __init__(self) -> None:
        self.stride = 1
        self.count = 0
        self._kept: list[tuple[int, int]] = []
        self._last = (0, 0)

    def add(self, lines: Sequence[Mapping[str, Any]], offsets: Sequence[int]) -> None:
        """``offsets`` say where the ``lines`` begin."""
        for line, offset in zip(lines, offsets, strict=True):
            step = whole(line.get("step"))
            if step is None:
                continue
            self._last = (step, offset)
            if self.count % self.stride == 0:
                self._kept.append(self._last)
                if len(self._kept) == MARKS:
                    self._kept = self._kept[::2]
                    self.stride *= 2
            self.count += 1

    def chosen(self, most: int) -> list[tuple[int, int]]:
        """At most ``most`` of them, as (step, offset), with the first and the last."""
        kept = [*self._kept, *([self._last] if self.count and self._last not in self._kept else [])]
        if len(kept) <= most:
            return kept
        return [kept[round(i * (len(kept) - 1) / (most - 1))] for i in range(most)]
