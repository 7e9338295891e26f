"""Follows the runs that somebody looks at, on behalf of all who do."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool

from .index import Index
from .watching import WatchedRun

__all__ = ["Follower"]

#: seconds between two looks at a run, and at the list; of many runs, looking takes at most a share
LOOK, LIST, SHARE = 0.15, 1.5, 0.04
#: runs that are kept, and for how many seconds after somebody asked they are looked at
KEPT, INTEREST = 16, 30.0


class Follower:
    """Keeps a few `WatchedRun` up to date; those that nobody has asked for the longest are let go.

    `changed` waits until anything is new; whoever is slow misses nothing, as what is new is
    computed when it is asked for.
    """

    def __init__(self, root: Path) -> None:
        self.index = Index(root)
        self.listed: list[dict[str, Any]] = []
        self._runs: dict[str, WatchedRun] = {}
        self._asked: dict[str, float] = {}
        self.told = 0
        self._news = asyncio.Event()
        self._looking = asyncio.Lock()

    async def run(self, name: str) -> WatchedRun:
        """The run with this id, read at least in part. StateError if there is none."""
        known = self._runs.get(name)
        if known is None:
            known = await run_in_threadpool(WatchedRun, self.index.root, name)
            await run_in_threadpool(known.poll)
            known = self._runs.setdefault(name, known)
            self._let_go()
        self._asked[name] = time.monotonic()
        return known

    def _let_go(self) -> None:
        by_age = sorted(self._runs, key=lambda name: self._asked.get(name, time.monotonic()))
        for name in by_age[: len(self._runs) - KEPT]:
            del self._runs[name]
            self._asked.pop(name, None)

    async def runs(self) -> list[dict[str, Any]]:
        """All runs, as they are now."""
        async with self._looking:
            self.listed = await run_in_threadpool(self.index.refresh)
        return self.listed

    async def changed(self, since: int, seconds: float) -> None:
        """Returns when something is new since ``told`` was so many, or after so many seconds."""
        if self.told == since:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), seconds)

    def _tell(self) -> None:
        self.told += 1
        self._news.set()
        self._news = asyncio.Event()

    async def follow(self, looked_at: Callable[[], bool]) -> None:
        """Looks again and again; at the list only while ``looked_at()``."""
        due = 0.0
        while True:
            begun = time.monotonic()
            news, more = False, False
            for name, run in list(self._runs.items()):
                if begun - self._asked.get(name, 0.0) < INTEREST:
                    news |= await run_in_threadpool(run.poll)
                    more |= run.reading
            if looked_at() and begun > due:
                version, start = self.index.version, time.monotonic()
                await self.runs()
                news |= self.index.version != version
                end = time.monotonic()
                due = end + max(LIST, (end - start) / SHARE)
            if news:
                self._tell()
            # A long file is read without rest, a busy list with one as long as the look took.
            await asyncio.sleep(0.0 if more else max(LOOK, time.monotonic() - begun))
