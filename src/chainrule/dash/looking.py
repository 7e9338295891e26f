"""The microscope on behalf of a page: in a process of its own, which has the engine and the data of
the run, and answers until another example is asked for or nobody asks any more."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError, StateError
from ..runs.example import is_file

__all__ = ["Looker", "request_of"]

#: processes at a time; seconds after which one that is not asked ends, and for one answer
MOST, IDLE, LONGEST = 2, 600.0, 180.0
#: bytes of one answer: a convolution's pictures are numbers
LARGEST = 1 << 24

Document = dict[str, Any]


class Looker:
    """Keeps the microscopes that were asked last."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], Microscope] = {}

    async def ask(self, options: tuple[str, ...], request: Mapping[str, Any]) -> Document:
        """What the microscope opened by ``options`` of ``chainrule scope`` says."""
        for key in [k for k, m in self._known.items() if m.ended]:
            del self._known[key]
        found = self._known.pop(options, None)
        if found is None:
            while len(self._known) >= MOST:
                await self._known.pop(next(iter(self._known))).close()
            found = Microscope(options)
        self._known[options] = found
        answer = await found.ask(request)
        if "error" in answer:
            raise ConfigError(str(answer["error"]), help=str(answer.get("help", "")))
        return answer

    async def close(self) -> None:
        """Ends all of them."""
        for microscope in self._known.values():
            await microscope.close()
        self._known.clear()


class Microscope:
    """One process, which is asked one thing at a time."""

    def __init__(self, options: tuple[str, ...]) -> None:
        self._options, self._turn = options, asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._ending: asyncio.TimerHandle | None = None

    @property
    def ended(self) -> bool:
        """Whether its process is over."""
        return self._process is not None and self._process.returncode is not None

    async def ask(self, request: Mapping[str, Any]) -> Document:
        """An answer. StateError with what the command says if it cannot open the run."""
        async with self._turn:
            if self._ending is not None:
                self._ending.cancel()
            if self._process is None:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "chainrule", "scope", *self._options, "--serve",
                    "--threads", "1", stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, limit=LARGEST,
                )  # fmt: skip
            process = self._process
            assert process.stdin is not None
            assert process.stdout is not None
            with contextlib.suppress(ConnectionError):
                process.stdin.write(f"{json.dumps(dict(request))}\n".encode())
                await process.stdin.drain()
            try:
                line = await asyncio.wait_for(process.stdout.readline(), LONGEST)
            except TimeoutError:
                await self.close()
                raise StateError("the microscope took too long and was ended") from None
            if not line:
                raise await self._refusal(process)
            self._ending = asyncio.get_running_loop().call_later(IDLE, self._kill)
            answer: Document = json.loads(line)
            return answer

    async def _refusal(self, process: asyncio.subprocess.Process) -> StateError:
        assert process.stderr is not None
        said = (await process.stderr.read()).decode("utf-8", "replace").strip()
        await process.wait()
        what, *more = said.split("\n")
        help_ = [line.partition("help:")[2].strip() for line in more if "help:" in line]
        what = what.removeprefix("error: ") or "the microscope ended"
        return StateError(what, help=help_[0] if help_ else "")

    async def close(self) -> None:
        """Ends the process."""
        if self._ending is not None:
            self._ending.cancel()
        self._kill()
        if self._process is not None:
            await self._process.wait()

    def _kill(self) -> None:
        if not self.ended and self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()


def request_of(
    folder: Path, query: Mapping[str, str], files: bool = True
) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The options that open the microscope, and what is asked of it, from an address. A new example
    may be a file of this machine unless ``files`` is false."""
    options = [str(folder.absolute())]
    for name in ("example", "step"):
        if query.get(name):
            options += [f"--{name}", str(_whole(name, query[name]))]
    if query.get("part") in ("train", "validation", "test"):
        options += ["--part", query["part"]]
    if not files and is_file(query.get("row", "")):
        raise ConfigError(
            "a dashboard for others reads no files of its machine",
            help="chainrule scope RUN --row FILE does, where the file is",
        )
    request: dict[str, Any] = {"view": query.get("view", "network")}
    request |= {n: query[n] for n in ("layer", "weight", "row", "target") if query.get(n)}
    if query.get("unit"):
        request["unit"] = _whole("unit", query["unit"])
    for name in ("at", "index"):
        if query.get(name):
            request[name] = [_whole(name, part) for part in query[name].split(",")]
    if query.get("change"):
        try:
            request["change"] = json.loads(query["change"])
        except ValueError:
            raise ConfigError("the change is not JSON") from None
    return tuple(options), request


def _whole(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ConfigError(f"{name} is {text!r}", help="give a whole number") from None
