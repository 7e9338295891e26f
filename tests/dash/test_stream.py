"""The stream: what is new arrives, and nobody who is slow holds up anybody."""

from __future__ import annotations

import asyncio
import http.client
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chainrule.dash import stream as module
from chainrule.dash.app import Dashboard

from .conftest import Served

DEADLINE = 30.0


class Tabs:
    """Connections of a test."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.connections: list[http.client.HTTPConnection] = []

    def answer(self, query: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.served.port, timeout=DEADLINE)
        self.connections.append(connection)
        connection.request("GET", f"/api/stream?{query}")
        return connection.getresponse()

    def open(self, query: str) -> Iterator[tuple[str, Any]]:
        """The events of one more tab."""
        return events(self.answer(query))


@pytest.fixture
def tabs(served: Served) -> Iterator[Tabs]:
    opened = Tabs(served)
    yield opened
    for connection in opened.connections:
        connection.close()


def events(response: http.client.HTTPResponse) -> Iterator[tuple[str, Any]]:
    name = ""
    while line := response.readline():
        text = line.decode().strip()
        if text.startswith("event: "):
            name = text[7:]
        elif text.startswith("data: "):
            yield name, json.loads(text[6:])


def until(stream: Iterator[tuple[str, Any]], wanted: str) -> Any:
    return next(document for name, document in stream if name == wanted)


def append(run: Path, epoch: int) -> None:
    with (run / "metrics.jsonl").open("a") as out:
        out.write(json.dumps({"epoch": epoch, "loss": 0.5}) + "\n")


def test_the_end_of_an_epoch_arrives(tabs: Tabs, runs: Path) -> None:
    response = tabs.answer("run=table")
    assert response.getheader("content-type") == "text/event-stream; charset=utf-8"
    assert response.getheader("content-encoding") is None
    stream = events(response)
    assert until(stream, "run")["curves"]["epochs"] == 6
    append(runs / "table", 7)
    news = until(stream, "run")
    assert (news["curves"]["x"], news["curves"]["from"]) == ([7], 6)
    # Whoever comes again says where it was.
    again = tabs.open(f"run=table&since={news['cursor']}")
    append(runs / "table", 8)
    assert until(again, "run")["curves"]["x"] == [8]
    shutil.rmtree(runs / "table")
    while not until(stream, "run")["gone"]:
        pass


def test_new_runs_are_told(tabs: Tabs, runs: Path) -> None:
    stream = tabs.open("")
    first = until(stream, "runs")["version"]
    shutil.copytree(runs / "images", runs / "copy")
    while until(stream, "runs")["version"] <= first:
        pass
    assert until(tabs.open("run=nowhere"), "gone")["help"]


def test_a_tab_that_takes_nothing_is_dropped(
    dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing is kept for it meanwhile: it is one message behind, however much happens."""
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.sleep(DEADLINE)

    async def send(message: Any) -> None:
        sent.append(message)
        if len(sent) == 2:
            await asyncio.sleep(DEADLINE)  # its buffers are full

    async def main() -> None:
        scope = {"type": "http"}
        await asyncio.wait_for(dashboard.streams.serve(scope, receive, send, "table", ""), DEADLINE)

    asyncio.run(main())
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert dashboard.streams.open == 0


def test_a_hundred_tabs_share_one_look(tabs: Tabs, runs: Path, served: Served) -> None:
    streams = [tabs.open("run=table") for _ in range(100)]
    for stream in streams:
        assert until(stream, "run")["curves"]["epochs"] == 6
    assert served.dashboard.streams.open == 100
    assert len(served.dashboard.follower._runs) == 1
    append(runs / "table", 7)
    for stream in streams:
        assert until(stream, "run")["curves"]["x"] == [7]


def test_there_are_only_so_many_tabs(tabs: Tabs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 1)
    until(tabs.open(""), "runs")
    refused = tabs.answer("")
    assert (refused.status, "close some" in refused.read().decode()) == (503, True)
