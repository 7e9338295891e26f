"""The doctor, asked on behalf of a page: in a process of its own, which may need the data of the
run and a compiler; and one at a time, so that a training beside it is not disturbed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..data.findings import CODES
from ..doctor.rules import RULES
from ..errors import ConfigError
from .stamps import stamp_of

__all__ = ["Examiner", "explained"]

#: seconds that an examination may take, and for which one of a run that goes on holds
LONGEST, HOLDS = 120.0, 20.0
KEPT = 64
#: bytes of ``metrics.jsonl`` and ``layers.jsonl`` from which on it would take too much memory
LARGEST = 1 << 25
#: files that the doctor reads
EXAMINED = ("run.json", "metrics.jsonl", "layers.jsonl")

Document = dict[str, Any]


@dataclass
class Examination:
    """One run, as its files were at ``stamp``."""

    stamp: str
    asked: float = field(default_factory=time.monotonic)
    answer: Document | None = None


class Examiner:
    """Remembers what the doctor said of each run, and asks again when its files have changed."""

    def __init__(self) -> None:
        self._known: dict[str, Examination] = {}
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, folder: Path, running: bool) -> Document:
        """``state`` is ``working``, ``done`` with what was found, or ``failed`` with the reason.

        An older answer is given again while a new one is on its way.
        """
        key, stamp = str(folder), stamp_of(folder, EXAMINED)
        known = self._known.get(key)
        holds = known is not None and (
            known.stamp == stamp
            or known.answer is None
            or (running and time.monotonic() - known.asked < HOLDS)
        )
        if known is None or not holds:
            before = known.answer if known is not None else None
            known = self._known[key] = Examination(stamp)
            while len(self._known) > KEPT:
                del self._known[next(iter(self._known))]
            task = asyncio.create_task(self._examine(folder, known))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            if before is not None:
                return before | {"state": "working"}
        return known.answer or {"state": "working", "diagnoses": [], "missing": []}

    async def _examine(self, folder: Path, examination: Examination) -> None:
        async with self._turn:
            sizes = [_size(folder / f) for f in ("metrics.jsonl", "layers.jsonl")]
            if max(sizes) > LARGEST:
                examination.answer = _failed(
                    f"the run is too long to be examined from here: chainrule doctor {folder}"
                )
                return
            try:
                examination.answer = await _answer(folder)
            except OSError as error:  # no process more, or no memory for one
                examination.answer = _failed(f"the doctor cannot be asked: {error}")

    async def close(self) -> None:
        """Ends what is going on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _answer(folder: Path) -> Document:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "chainrule", "doctor", str(folder), "--json", "--threads", "1",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process.pid, 10)
    try:
        out, messages = await asyncio.wait_for(process.communicate(), LONGEST)
    except TimeoutError:
        return _failed("the examination took too long and was ended")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        found = json.loads(out)
    except ValueError:
        return _failed(messages.decode("utf-8", "replace").strip() or "the doctor said nothing")
    return {"state": "done", **{k: found[k] for k in ("diagnoses", "missing") if k in found}}


def _failed(why: str) -> Document:
    return {"state": "failed", "why": why, "diagnoses": [], "missing": []}


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def explained(code: str) -> Mapping[str, Any]:
    """The page of a code, in parts. ConfigError for one that does not exist."""
    if code in CODES:
        meaning = f"{CODES[code][:1].upper()}{CODES[code][1:]}."
        return {"code": code, "title": CODES[code], "family": "finding in the data",
                "severity": "", "means": meaning}  # fmt: skip
    rule = RULES.get(code)
    if rule is None:
        raise ConfigError(f"there is no code {code!r}", help="chainrule explain lists all of them")
    return {
        "code": code,
        "title": rule.title,
        "family": rule.family,
        "severity": rule.severity,
        "means": rule.means,
        "why": rule.why,
        "looks": rule.looks,
        "setting": rule.setting,
        "python": rule.python,
    }
