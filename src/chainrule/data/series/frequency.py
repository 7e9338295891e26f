"""How far apart the time stamps of series are, found out from the stamps alone.

Stamps are ``datetime64[us]``. Series share one *axis*: all stamps from the first to the last, in
steps of the `Frequency`. A place on it is a whole number, so that windows, cut-offs and seasons are
arithmetic on whole numbers whatever the calendar does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import ConfigError, DataError

__all__ = ["NAMES", "Frequency", "Stamps", "infer_frequency", "named_frequency"]

Stamps = NDArray[np.datetime64]
Unit = Literal["month", "trading day", "time", "number", "row"]

SECOND = 1_000_000
DAY = 86_400 * SECOND
WEEKDAYS = 5
#: from here on, steps may be months, which are not all equally long
SHORTEST_MONTH = 28 * DAY

#: shares of steps that occur, and of stamps that lie alike, in series with a few gaps or mistakes
MOST, NEARLY_ALL = 2 / 3, 0.8

#: what a step of so many microseconds or months is called, and how many make a season
TIMES: dict[int, tuple[str, int]] = {
    7 * DAY: ("weekly", 52), DAY: ("daily", 7), 3600 * SECOND: ("hourly", 24),
    1800 * SECOND: ("half-hourly", 48), 900 * SECOND: ("quarter-hourly", 96),
    60 * SECOND: ("every minute", 60), SECOND: ("every second", 60),
}  # fmt: skip
MONTHS: dict[int, tuple[str, int]] = {1: ("monthly", 12), 3: ("quarterly", 4), 12: ("yearly", 1)}


@dataclass(frozen=True)
class Frequency:
    """The step between neighbouring stamps.

    ``size`` counts months, microseconds, or the difference of whole numbers. ``offset`` is where in
    its month a stamp lies, in microseconds from its start (-1: its last day), or the remainder of a
    stamp divided by ``size``. Trading days are the weekdays that occur in the data, which leaves
    holidays out; rows follow one another, whatever their stamps say.
    """

    unit: Unit
    size: int = 1
    offset: int = 0

    @property
    def name(self) -> str:
        """``monthly``, ``trading days``, ``every 10 minutes``."""
        if self.unit == "trading day":
            return "trading days"
        if self.unit in ("row", "number"):
            return "one step a row" if self.unit == "row" else "numbered"
        if self.unit == "month":
            return MONTHS.get(self.size, (f"every {self.size} months", 0))[0]
        if self.size in TIMES:
            return TIMES[self.size][0]
        for text, size in (("days", DAY), ("hours", 3600 * SECOND), ("minutes", 60 * SECOND)):
            if self.size % size == 0:
                return f"every {self.size // size} {text}"
        return f"every {self.size / SECOND:g} seconds"

    @property
    def season(self) -> int:
        """How many steps usually repeat: 12 months, 4 quarters, 24 hours; 1 if none do."""
        if self.unit == "trading day":
            return WEEKDAYS
        if self.unit == "month":
            return 12 // self.size if self.size < 12 and 12 % self.size == 0 else 1
        if self.unit in ("row", "number"):
            return 1
        known = TIMES.get(self.size)
        if known:
            return known[1]
        return DAY // self.size if self.size < DAY and DAY % self.size == 0 else 1

    def axis(self, stamps: Stamps) -> Stamps:
        """All stamps from the first to the last of ``stamps``, in steps."""
        if self.unit in ("trading day", "row"):
            return np.unique(stamps)
        first, last = stamps.min(), stamps.max()
        if self.unit == "month":
            months = _month(np.array([first, last]))
            return self._in_month(np.arange(months[0], months[1] + 1, self.size))
        return np.arange(first, last + np.timedelta64(1, "us"), np.timedelta64(self.size, "us"))

    def after(self, last: np.datetime64, steps: int) -> Stamps:
        """The ``steps`` stamps that follow ``last``."""
        counted = np.arange(1, steps + 1)
        if self.unit == "trading day":
            days = np.busday_offset(last.astype("M8[D]"), counted, roll="backward")
            return np.asarray(days.astype("M8[us]") + (last - last.astype("M8[D]")))
        if self.unit == "month":
            return self._in_month(_month(np.array([last]))[0] + counted * self.size)
        if self.unit == "row":
            return _added(last, counted * DAY)
        return _added(last, counted * self.size)

    def _in_month(self, months: NDArray[np.int64]) -> Stamps:
        starts = months.astype("M8[M]")
        if self.offset >= 0:
            return np.asarray(starts.astype("M8[us]") + np.timedelta64(self.offset, "us"))
        return _last_days(starts)


def _added(stamp: np.datetime64, micro: NDArray[np.int64]) -> Stamps:
    return (np.int64(stamp.astype("M8[us]").astype(np.int64)) + micro).astype("M8[us]")


#: as a setting names them
NAMES: dict[str, Frequency] = {
    "yearly": Frequency("month", 12), "quarterly": Frequency("month", 3),
    "monthly": Frequency("month", 1), "weekly": Frequency("time", 7 * DAY),
    "daily": Frequency("time", DAY), "trading days": Frequency("trading day"),
    "hourly": Frequency("time", 3600 * SECOND), "rows": Frequency("row"),
}  # fmt: skip


def named_frequency(name: str, stamps: Stamps) -> Frequency:
    """The frequency of a setting, laid where the first of ``stamps`` lies. ConfigError for a name
    that does not exist."""
    if name not in NAMES:
        raise ConfigError(f"`data.frequency` is {name!r}", help=f"use auto, {', '.join(NAMES)}")
    known = NAMES[name]
    if known.unit == "month":
        return Frequency("month", known.size, _month_offset(stamps) or 0)
    if known.unit == "time":
        return Frequency("time", known.size, int(stamps.min().astype(np.int64)) % known.size)
    return known


def infer_frequency(gaps: NDArray[np.int64], stamps: Stamps, numbered: bool) -> Frequency:
    """The frequency of ``stamps``, which are all that occur; ``gaps`` holds the microseconds
    between neighbours of one series. ``numbered`` stamps are whole numbers, one microsecond each.

    Raises DataError if there are no gaps. Stamps may still lie beside the axis: see `panel`.
    """
    if not len(gaps):
        raise DataError(
            "every series has a single time stamp",
            help="name the column of the series (--group), or give more of the past",
        )
    offset = _month_offset(stamps)
    usual = _step(stamps.astype(np.int64), gaps)
    if not numbered and offset is not None and np.median(gaps) >= SHORTEST_MONTH:
        months = np.unique(_month(stamps))
        return Frequency("month", _step(months, np.diff(months)), offset)
    days = stamps.astype("M8[D]")
    midnight = not numbered and bool(np.all((stamps - days) == (stamps[0] - days[0])))
    if midnight and usual == DAY and len(stamps) > WEEKDAYS and np.is_busday(days).all():
        return Frequency("trading day")
    first = int(stamps[0].astype(np.int64))
    return Frequency("number" if numbered else "time", usual, first % usual)


def _step(places: NDArray[np.int64], gaps: NDArray[np.int64]) -> int:
    """The step that all ``gaps`` are made of, if most of the steps occur; else the smallest of the
    most frequent gaps, and some of the places lie between two steps."""
    common = int(np.gcd.reduce(gaps))
    if common and len(places) >= MOST * ((int(places[-1]) - int(places[0])) / common + 1):
        return common
    unique, counts = np.unique(gaps, return_counts=True)
    return int(unique[counts.argmax()])


def _month(stamps: Stamps) -> NDArray[np.int64]:
    return stamps.astype("M8[M]").astype(np.int64)


def _month_offset(stamps: Stamps) -> int | None:
    """Where in its month nearly every stamp lies; -1 for its last day, None if they differ."""
    starts = stamps.astype("M8[M]")
    inside = (stamps - starts.astype("M8[us]")).astype(np.int64)
    offsets, counts = np.unique(inside, return_counts=True)
    at = int(counts.argmax())
    if counts[at] >= NEARLY_ALL * len(stamps) and offsets[at] < SHORTEST_MONTH:
        return int(offsets[at])
    return -1 if np.mean(_last_days(starts) == stamps) >= NEARLY_ALL else None


def _last_days(months: Stamps) -> Stamps:
    """The last day of each month."""
    following = (months + np.timedelta64(1, "M")).astype("M8[D]")
    return np.asarray((following - np.timedelta64(1, "D")).astype("M8[us]"))
