"""The addresses of the dashboard. Everything is read from run folders when it is asked for.

    GET  /                              the page; its script and style
    GET  /api/state                     version, folder, whether trainings can be changed
    GET  /api/runs                      all runs, the newest first
    GET  /api/compare?run=..&run=..     the settings that differ, and metrics
    GET  /api/runs/{run}/{document}     one of `RUN_DOCUMENTS`
    GET  /api/runs/{run}/changes?since= what is new, for browsers without a stream
    GET  /api/runs/{run}/doctor         what goes wrong
    GET  /api/runs/{run}/scope?view=..  one step under the microscope
    GET  /api/lessons, /api/lessons/{name}, /api/lessons/{name}/verdict?answer=..
    GET  /api/explain/{code}            what a code means
    GET  /api/stream?run=..&since=..    the same as changes, as it happens
    POST /api/runs/{run}/control        pause, resume, stop, lr

``run`` is the name of a folder, or ``group/name``. What is refused is JSON, ``error`` and ``help``.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send

from ..errors import ChainruleError, ConfigError, StateError
from ..records import parsed
from ..report.style import FRAGMENT_STYLE
from ..runs.control import request_action
from ..runs.folder import json_text
from ..unverified import table
from ..version import __version__
from .access import Access
from .documents import RUN_DOCUMENTS, compared, summary
from .examining import Examiner, explained
from .following import Follower
from .guard import Guard
from .lessons import lesson_document, lesson_list, verdict
from .looking import Looker, request_of
from .stream import Streams
from .watching import Cursor

__all__ = ["Dashboard"]

STATIC = Path(__file__).with_name("static")
TYPES = {"index.html": "text/html; charset=utf-8", "app.js": "text/javascript; charset=utf-8",
         "app.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"}  # fmt: skip
#: the style of what reports draw, which is not part of the bundle: reports have it
FRAGMENT = "reported.css"
#: bytes of what a page sends
LARGEST = 4096


class Dashboard:
    """The application, for runs in the folder ``root``; `app` is what a server runs."""

    def __init__(self, root: Path, access: Access) -> None:
        self.root, self.access = root, access
        self.follower = Follower(root)
        self.streams = Streams(self.follower)
        self.examiner = Examiner()
        self.looker = Looker()
        inner = Starlette(
            routes=self._routes(), lifespan=self._lifespan,
            exception_handlers={ChainruleError: _refused, 404: _unknown, 500: _bug},
        )  # fmt: skip
        self.app = Guard(inner, access)

    @contextlib.asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        following = asyncio.create_task(self.follower.follow(lambda: self.streams.open > 0))
        try:
            yield
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await self.examiner.close()
            await self.looker.close()

    def _routes(self) -> list[BaseRoute]:
        answers = [
            Route("/state", self.state),
            Route("/runs", self.runs),
            Route("/compare", self.compare),
            Route("/explain/{code}", self.explain),
            Route("/runs/{run:path}/changes", self.changes),
            Route("/runs/{run:path}/doctor", self.doctor),
            Route("/runs/{run:path}/scope", self.scope),
            Route("/lessons", self.lessons),
            Route("/lessons/{name}", self.lesson),
            Route("/lessons/{name}/verdict", self.lesson),
            Route("/runs/{run:path}/control", self.control, methods=["POST"]),
            Route("/runs/{run:path}/{document}", self.document),
        ]
        return [
            Route("/", self.page),
            Route("/{file:str}", self.page),
            Route("/api/stream", Stream(self.streams)),
            Mount("/api", routes=answers, middleware=[Middleware(GZipMiddleware)]),
        ]

    async def page(self, request: Request) -> Response:
        name = request.path_params.get("file", "index.html")
        if name not in (*TYPES, FRAGMENT):
            raise StateError(f"there is no page {name!r}", help="go to /")
        if name == FRAGMENT:
            content = FRAGMENT_STYLE.encode("utf-8")
        else:
            content = await run_in_threadpool((STATIC / name).read_bytes)
        tag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=TYPES.get(name, TYPES["app.css"]), headers=headers)

    async def state(self, request: Request) -> Response:
        return _json({
            "version": __version__, "folder": str(self.root.absolute()),
            "control": self.access.control,
        })  # fmt: skip

    async def runs(self, request: Request) -> Response:
        return _json({"runs": [summary(run) for run in await self.follower.runs()]})

    async def compare(self, request: Request) -> Response:
        listed = await self.follower.runs()
        return _json(compared(listed, request.query_params.getlist("run")))

    async def explain(self, request: Request) -> Response:
        return _json(explained(request.path_params["code"].upper()))

    async def document(self, request: Request) -> Response:
        name = request.path_params["document"]
        if name not in RUN_DOCUMENTS:
            known = ", ".join(RUN_DOCUMENTS)
            raise StateError(f"there is no document {name!r} of a run", help=f"there are {known}")
        watched = await self.follower.run(request.path_params["run"])
        document = await run_in_threadpool(RUN_DOCUMENTS[name], watched, request.query_params)
        return _json(document)

    async def changes(self, request: Request) -> Response:
        watched = await self.follower.run(request.path_params["run"])
        since = Cursor.of(request.query_params.get("since", ""))
        return _json(await run_in_threadpool(watched.changes, since))

    async def doctor(self, request: Request) -> Response:
        watched = await self.follower.run(request.path_params["run"])
        if watched.group:
            raise StateError(
                f"{watched.run} is a group of runs", help="ask for one of the runs in the group"
            )
        return _json(await self.examiner.ask(watched.folder, watched.running))

    async def scope(self, request: Request) -> Response:
        watched = await self.follower.run(request.path_params["run"])
        options, asked = request_of(
            watched.folder, request.query_params, files=not self.access.token
        )
        return _json(await self.looker.ask(options, asked))

    async def lessons(self, request: Request) -> Response:
        return _json(await lesson_list())

    async def lesson(self, request: Request) -> Response:
        name, given = request.path_params["name"], request.query_params.get("answer")
        return _json(await (lesson_document(name) if given is None else verdict(name, given)))

    async def control(self, request: Request) -> Response:
        watched = await self.follower.run(request.path_params["run"])
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > LARGEST:
                raise ConfigError("what was sent is too long")
        asked = table(parsed(body.decode("utf-8", "replace"), "the request", "its body"))
        action, value = asked.get("action"), asked.get("value")
        await run_in_threadpool(request_action, watched.folder, action, value)
        return _json({"asked": action})


class Stream:
    """`Streams.serve` as an endpoint."""

    def __init__(self, streams: Streams) -> None:
        self.streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        query = request.query_params
        since = request.headers.get("last-event-id") or query.get("since", "")
        await self.streams.serve(scope, receive, send, query.get("run", ""), since)


def _json(document: Mapping[str, Any], status: int = 200) -> Response:
    return Response(json_text(document), status, media_type="application/json")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ChainruleError)
    words = {"error": error.what, "where": error.where, "help": error.help}
    return _json(words, 404 if isinstance(error, StateError) else 400)


async def _bug(request: Request, error: Exception) -> Response:
    words = {"error": f"{type(error).__name__}: {error}",
             "help": "this is a bug in Chainrule; please report it"}  # fmt: skip
    return _json(words, 500)


async def _unknown(request: Request, error: Exception) -> Response:
    return _json({"error": f"there is no address {request.url.path}", "help": "go to /"}, 404)
