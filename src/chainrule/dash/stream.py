"""One stream of server-sent events for each browser tab.

Nothing is queued: a tab is sent what it has not seen when it has taken what it was sent before. One
that takes nothing for `PATIENCE` seconds is dropped, and may come again where it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from ..errors import StateError
from ..runs.folder import json_text
from .following import Follower
from .watching import Cursor

__all__ = ["Streams"]

#: seconds that a tab may take for a message; between two of them at least and, so that proxies
#: keep the connection, at most
PATIENCE, SHORTEST, LONGEST = 20.0, 0.1, 15.0
#: while a long file is read
READING = 0.4
MOST = 256


@dataclass
class Seen:
    """What a tab has been sent."""

    cursor: Cursor
    listed: int = -1
    reading: bool = False
    gone: bool = False


class Streams:
    """All that are open."""

    def __init__(self, follower: Follower) -> None:
        self.follower = follower
        self.open = 0
        self.ever = False

    async def serve(self, scope: Scope, receive: Receive, send: Send, run: str, since: str) -> None:
        """Sends until the tab is closed: ``runs`` when the list has changed, ``run`` with what is
        new in ``run``, unless that is empty."""
        if self.open >= MOST:
            words = {"error": f"{MOST} tabs are open already", "help": "close some"}
            await JSONResponse(words, 503)(scope, receive, send)
            return
        self.open += 1
        self.ever = True
        gone = asyncio.ensure_future(_gone(receive))
        sending = asyncio.ensure_future(self._send_all(send, run, since))
        try:
            await asyncio.wait((gone, sending), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.open -= 1
            for task in (gone, sending):
                task.cancel()
            await asyncio.gather(gone, sending, return_exceptions=True)

    async def _send_all(self, send: Send, run: str, since: str) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"),
                   (b"x-accel-buffering", b"no")]  # fmt: skip
        await _within(send, {"type": "http.response.start", "status": 200, "headers": headers})
        seen = Seen(cursor=Cursor.of(since))
        while True:
            told = self.follower.told
            text = await self._news(run, seen)
            body = (text or ": still here\n\n").encode()
            await _within(send, {"type": "http.response.body", "body": body, "more_body": True})
            await asyncio.sleep(READING if seen.reading else SHORTEST)
            await self.follower.changed(told, LONGEST)

    async def _news(self, run: str, seen: Seen) -> str:
        """The events for what has not been seen, which then has been."""
        text = ""
        if self.follower.index.version != seen.listed:
            seen.listed = self.follower.index.version
            text += _event("runs", {"version": seen.listed})
        if not run or seen.gone:
            return text
        try:
            watched = await self.follower.run(run)
        except StateError as error:
            seen.gone = True
            return text + _event("gone", {"error": error.what, "help": error.help})
        changes = await run_in_threadpool(watched.changes, seen.cursor)
        now, reading = Cursor.of(changes["cursor"]), changes["reading"] is not None
        seen.gone = watched.gone
        if now != seen.cursor or reading != seen.reading or watched.gone:
            text += f"id: {now}\n{_event('run', changes)}"
        seen.cursor, seen.reading = now, reading
        return text


def _event(name: str, document: Mapping[str, Any]) -> str:
    return f"event: {name}\ndata: {json_text(document)}\n\n"


async def _within(send: Send, message: Message) -> None:
    """Sends; TimeoutError if nobody takes it."""
    await asyncio.wait_for(send(message), PATIENCE)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
