"""Several series on one axis of time, from rows in any order.

    rows (series, stamp, values) ── sorted, checked, gaps opened ──► Panel

Nothing here depends on values: what is missing stays NaN, and is filled where a part of the past is
chosen (`scaling`), so that no value from later ever reaches an earlier one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chainrule.data.series.frequency import (
    Frequency,
    Stamps,
    infer_frequency,
    named_frequency,
)
from chainrule.data.series.stamps import stamp_texts
from chainrule.errors import DataError

__all__ = ["Panel", "Rows", "build_panel"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: times as many steps as there are rows make stamps that do not belong together
SPARSEST = 50


@dataclass(frozen=True)
class Rows:
    """Rows as they were read: the number of the series of each, its stamp, and its numbers.

    ``values`` is [rows, channels], the target first. ``place`` names a row for errors.
    """

    series: Ints
    stamps: Stamps
    values: Floats
    numbered: bool
    place: Callable[[int], str]


@dataclass(frozen=True)
class Panel:
    """Series side by side on ``axis``: series s has the steps ``first[s]`` to ``last[s]``
    (included), which lie one after the other in ``values`` [all steps, channels] from ``begin[s]``
    on. A step without a row is NaN throughout.
    """

    names: tuple[str, ...]
    frequency: Frequency
    axis: Stamps
    first: Ints
    last: Ints
    values: Floats

    @property
    def lengths(self) -> Ints:
        """The number of steps of each series."""
        return self.last - self.first + 1

    @property
    def begin(self) -> Ints:
        """Where each series begins in ``values``."""
        return np.cumsum(self.lengths) - self.lengths

    def of(self, series: int) -> Floats:
        """The values of one series, [steps, channels]."""
        begin = self.begin[series]
        return self.values[begin : begin + self.lengths[series]]

    def stamp(self, step: int) -> str:
        """A step of the axis for people."""
        return str(stamp_texts(self.axis[step : step + 1], self.frequency)[0])


def build_panel(names: Sequence[str], rows: Rows, frequency: str | Frequency = "auto") -> Panel:
    """The rows of all series in order of time, on their common axis. A series begins with its first
    known target.

    Raises DataError, naming the rows, for a stamp that is missing, that a series has twice, or that
    does not lie on the axis.
    """
    missing = np.flatnonzero(np.isnat(rows.stamps))
    if len(missing):
        raise DataError(
            f"{len(missing)} row{'s have' if len(missing) > 1 else ' has'} no time stamp",
            where=rows.place(int(missing[0])),
            help="fill it in, or leave the row out with --query",
        )
    order = _known_order(names, rows)
    series, stamps, values = rows.series[order], rows.stamps[order], rows.values[order]
    same = np.flatnonzero((np.diff(series) == 0) & (np.diff(stamps).astype(np.int64) == 0))
    if len(same):
        raise _doubled(names, rows, order, int(same[0]), len(same))
    gaps = np.diff(stamps).astype(np.int64)[np.diff(series) == 0]
    unique = np.unique(stamps)
    if isinstance(frequency, Frequency):
        known = frequency
    elif frequency == "auto":
        known = infer_frequency(gaps, unique, rows.numbered)
    else:
        known = named_frequency(frequency, unique)
    axis = _axis_of(known, unique, rows)
    steps = np.searchsorted(axis, stamps)
    beside = np.flatnonzero(axis[np.minimum(steps, len(axis) - 1)] != stamps)
    if len(beside):
        raise _uneven(known, rows, order, stamps, int(beside[0]), len(beside))
    first = np.array([steps[series == s].min() for s in range(len(names))])
    last = np.array([steps[series == s].max() for s in range(len(names))])
    lengths = last - first + 1
    filled = np.full((int(lengths.sum()), values.shape[1]), np.nan)
    filled[(np.cumsum(lengths) - lengths)[series] + steps - first[series]] = values
    return Panel(tuple(names), known, axis, first, last, filled)


def _known_order(names: Sequence[str], rows: Rows) -> Ints:
    """The rows by series and stamp, without those before the first target of their series."""
    order = np.lexsort((rows.stamps, rows.series)).astype(np.int64)
    ordered = rows.series[order]
    known = np.flatnonzero(np.isfinite(rows.values[order, 0]))
    starts = np.full(len(names), len(order))
    np.minimum.at(starts, ordered[known], known)
    empty = np.flatnonzero(starts == len(order))
    if len(empty):
        name = names[int(empty[0])]
        raise DataError(
            f"series `{name}` has no number to learn from" if name else "the target has no number",
            where=rows.place(int(np.flatnonzero(rows.series == empty[0])[0])),
            help="leave its rows out, or name another target",
        )
    return order[np.arange(len(order)) >= starts[ordered]]


def _axis_of(frequency: Frequency, unique: Stamps, rows: Rows) -> Stamps:
    span = int((unique[-1] - unique[0]).astype(np.int64))
    if frequency.unit in ("time", "number") and span // frequency.size > SPARSEST * len(unique):
        raise DataError(
            f"most time stamps are {frequency.name}, but they span {span // frequency.size:,} such "
            f"steps with only {len(unique):,} stamps",
            where=rows.place(int(np.argmax(rows.stamps))),
            help='correct the stamps that lie far away, or set data.frequency = "rows"',
        )
    return frequency.axis(unique)


def _doubled(names: Sequence[str], rows: Rows, order: Ints, at: int, count: int) -> DataError:
    one, two = sorted((int(order[at]), int(order[at + 1])))
    name = names[int(rows.series[one])]
    stamp = np.datetime_as_string(rows.stamps[one], unit="auto")
    if rows.numbered:
        stamp = str(rows.stamps[one].astype(np.int64))
    of = f" of series `{name}`" if name else ""
    more = f"; there are {count - 1} more such rows" if count > 1 else ""
    return DataError(
        f"{stamp}{of} occurs twice{more}",
        where=f"{rows.place(one)} and {rows.place(two)}",
        help="name the column that tells the series apart (--group), or remove the copies",
    )


def _uneven(
    frequency: Frequency, rows: Rows, order: Ints, stamps: Stamps, at: int, count: int
) -> DataError:
    stamp = np.datetime_as_string(stamps[at], unit="auto")
    others = f" (and {count - 1} more)" if count > 1 else ""
    return DataError(
        f"most time stamps are {frequency.name}, but {stamp}{others} lies between two steps",
        where=rows.place(int(order[at])),
        help='use stamps of one frequency and one time zone; data.frequency = "rows" takes each '
        "row as one step",
    )
