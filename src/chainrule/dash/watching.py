"""One run, followed: what its files say, and what has been added since somebody last asked.

Reading happens once, however many browsers look: they ask for what they have not seen. Nothing
waits for them, and nothing is kept for them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import StateError
from ..records import parsed
from ..runs.folder import is_being_written, is_group
from ..unverified import number, text
from .curves import Curves
from .heat import Heat, Marks
from .index import folder_of_run
from .stamps import stamp_of
from .tail import Lines, Tail
from .zooming import window_of

__all__ = ["Cursor", "WatchedRun"]

#: files that a report is made of, but for the curves
REPORTED = ("run.json", "group.json", "evaluation.json")

#: events that are kept, the last ones, and characters of their texts
EVENTS, LONGEST = 500, 2000
#: the longest line of a histogram that is read
LARGEST_LINE = 1 << 24


@dataclass(frozen=True)
class Cursor:
    """How much of a run somebody has seen."""

    generation: int = -1
    width: int = 0
    epochs: int = 0
    events: int = 0
    observations: int = -1
    stamp: str = ""

    @classmethod
    def of(cls, written: str) -> Cursor:
        """What `str` wrote; anything else has seen nothing."""
        parts = written.split(".")
        if len(parts) != 6 or not all(part.isascii() and part.isdigit() for part in parts[:5]):
            return cls()
        generation, width, epochs, events, observations = (int(p[:15]) for p in parts[:5])
        return cls(generation, width, epochs, events, observations, parts[5])

    def __str__(self) -> str:
        numbers = (self.generation, self.width, self.epochs, self.events, self.observations)
        return ".".join([*map(str, numbers), self.stamp])


class WatchedRun:
    """The files of a run, read as they grow. Methods may be called from any thread."""

    def __init__(self, root: Path, run: str) -> None:
        self.run, self.root = run, root
        self.folder = folder_of_run(root, run)
        self.lock = threading.Lock()
        # Of this object: a cursor that another server gave out says nothing here.
        self.generation = time.time_ns() // 1_000_000
        self.gone = self.running = self.reading = False
        self._tails = {
            name: Tail(self.folder / f"{name}.jsonl")
            for name in ("metrics", "layers", "histograms", "events")
        }
        self._stamp = ""
        self._begin()

    def _begin(self) -> None:
        self.curves, self.heat, self.marks = Curves(), Heat(), Marks()
        self.events: list[Mapping[str, Any]] = []
        self.events_seen = 0

    @property
    def group(self) -> bool:
        """Whether it is a group of runs, which has no curves of its own."""
        return is_group(self.folder)

    def poll(self) -> bool:
        """Reads what was added, a piece of each file; whether there was anything."""
        with self.lock:
            before = self._position()
            try:
                folder_of_run(self.root, self.run)
            except StateError:
                self.gone = True
                return self._position() != before
            self.gone = False
            lines = {name: tail.read() for name, tail in self._tails.items()}
            if any(part.again for part in lines.values()):
                self._restart(lines)
            else:
                self._take(lines)
            self.reading = any(part.more for part in lines.values())
            self.running = is_being_written(self.folder)
            self._stamp = f"{int(self.running)}_{stamp_of(self.folder, REPORTED)}"
            return self._position() != before

    def _restart(self, lines: Mapping[str, Lines]) -> None:
        """A file was replaced: everything is read again from the start."""
        self.generation += 1
        self._begin()
        for name, part in lines.items():
            if not part.again:  # its lines went into what is thrown away
                self._tails[name] = Tail(self._tails[name].path)
        self._take({name: part if part.again else Lines(more=True) for name, part in lines.items()})

    def _take(self, lines: Mapping[str, Lines]) -> None:
        self.curves.add(lines["metrics"].objects)
        self.heat.add(lines["layers"].objects)
        self.marks.add(lines["histograms"].objects, lines["histograms"].offsets)
        self.events = [*self.events, *map(_plain, lines["events"].objects)][-EVENTS:]
        self.events_seen += len(lines["events"].objects)

    def _position(self) -> tuple[object, ...]:
        return (self.cursor, self.gone, self.reading)

    @property
    def cursor(self) -> Cursor:
        """What somebody has seen who has seen all."""
        return Cursor(
            self.generation, self.curves.width, self.curves.epochs, self.events_seen,
            self.heat.observations, self._stamp,
        )  # fmt: skip

    def changes(self, seen: Cursor) -> dict[str, Any]:
        """What somebody has not seen yet; with ``cursor``, to be told the next time."""
        with self.lock:
            now = self.cursor
            fresh = seen.generation != now.generation
            changes: dict[str, Any] = {
                "cursor": str(now), "gone": self.gone, "running": self.running,
                "reading": self._progress(),
            }  # fmt: skip
            if fresh or (seen.width, seen.epochs) != (now.width, now.epochs):
                same = not fresh and seen.width == now.width
                changes["curves"] = self._curves(seen.epochs // now.width if same else 0)
            if fresh or seen.events != now.events:
                new = min(len(self.events), now.events - (0 if fresh else seen.events))
                changes["events"] = self.events[len(self.events) - new :] if new > 0 else []
                changes["events_from_start"] = fresh
            changes["observed"] = now.observations
            changes["facts_changed"] = seen.stamp != now.stamp
            return changes

    def _progress(self) -> float | None:
        """The share of the files that has been read, while they are being read."""
        if not self.reading:
            return None
        size = sum(tail.size for tail in self._tails.values())
        return sum(tail.offset for tail in self._tails.values()) / max(size, 1)

    def _curves(self, start: int) -> dict[str, Any]:
        """The points from a bucket on, and where they belong among those that are known."""
        per_bucket = 1 if self.curves.width == 1 else 2
        return {
            "from": start * per_bucket,
            "width": self.curves.width,
            "epochs": self.curves.epochs,
            "last": self.curves.last,
            "best": {name: list(pair) for name, pair in self.curves.best.items()},
            **self.curves.points(start),
        }

    def rows(self) -> list[dict[str, Any]]:
        """Lines like those of ``metrics.jsonl``, of a long run fewer."""
        with self.lock:
            return self.curves.rows()

    def window(self, first: int, last: int) -> dict[str, Any]:
        """The points of these epochs, as fine as they are read; no ``x`` where they are no finer
        than those that everybody has."""
        with self.lock:
            path, width = self._tails["metrics"].path, self.curves.width
        found = window_of(path, first, last) if width > 1 else None
        if found is None or found.width >= width:
            return {"first": first, "last": last, "width": width, "x": [], "series": {}}
        return {"first": first, "last": last, "width": found.width, **found.points()}

    def layers(self, measures: list[str]) -> dict[str, Any]:
        """The map of `Heat`."""
        with self.lock:
            return self.heat.document(measures)

    def histograms(self, layer: str, most: int = 12) -> dict[str, Any]:
        """Histograms of a layer over time, by what they are of: step, low, high, counts."""
        with self.lock:
            chosen, path = self.marks.chosen(most), self._tails["histograms"].path
        shown: dict[str, list[Any]] = {}
        for step, offset in chosen:
            for name, bars in _histograms_at(path, offset, layer).items():
                shown.setdefault(name, []).append({"step": step, **bars})
        return {"layer": layer, "histograms": shown}


def _plain(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event without what is nested, or long: all that is shown of it."""
    return {
        name[:LONGEST]: value[:LONGEST] if isinstance(value, str) else value
        for name, value in event.items()
        if isinstance(value, str | int | float | None)
    }


def _histograms_at(path: Path, offset: int, layer: str) -> dict[str, Any]:
    """The histograms of a layer in the line that begins at an offset; none if it cannot be read."""
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            line = parsed(file.readline(LARGEST_LINE).decode("utf-8"), path.name, "")
        found = line["layers"][layer]
        return {
            text(name): {"low": low, "high": high, "counts": [int(c) for c in bars["counts"]]}
            for name, bars in found.items()
            if (low := number(bars["low"])) is not None
            and (high := number(bars["high"])) is not None
        }
    except (OSError, StateError, UnicodeDecodeError, KeyError, TypeError, ValueError):
        return {}
