"""Serving, and ending."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import uvicorn

from .app import Dashboard
from .listening import Listening

__all__ = ["serve"]

#: seconds without a browser after which a dashboard that came with a training ends
LINGERS = 20.0


def serve(
    root: Path,
    listening: Listening,
    ready: Callable[[], None] = lambda: None,
    companion: int | None = None,
) -> None:
    """Serves until Ctrl-C or SIGTERM. ``ready`` is called when it answers.

    ``companion`` is the reading end of a pipe that another process holds: when that has ended, the
    server ends, too, once no browser looks.
    """
    dashboard = Dashboard(root, listening.access)
    config = uvicorn.Config(
        dashboard.app, log_level="critical", access_log=False, lifespan="on", server_header=False,
        timeout_graceful_shutdown=1, ws="none", limit_concurrency=2000,
    )  # fmt: skip
    server = uvicorn.Server(config)

    async def main() -> None:
        serving = asyncio.create_task(server.serve(sockets=[listening.socket]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        if server.started:
            ready()
        if companion is not None:
            await _end_of(companion)
            quiet = 0.0
            while quiet < LINGERS and not serving.done() and dashboard.streams.ever:
                await asyncio.sleep(0.5)
                quiet = 0.0 if dashboard.streams.open else quiet + 0.5
            server.should_exit = True
        await serving

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())


async def _end_of(pipe: int) -> None:
    """Returns when nobody can write to a pipe any more."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def read() -> None:
        if not os.read(pipe, 4096):
            loop.remove_reader(pipe)
            ended.set()

    os.set_blocking(pipe, False)
    loop.add_reader(pipe, read)
    await ended.wait()
