"""A folder of runs, a dashboard that serves it, and a browser."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.testclient import TestClient

from browsers import BROWSER
from chainrule.dash.access import Access
from chainrule.dash.app import Dashboard
from chainrule.dash.listening import listen

RUNS = Path(__file__).parents[1] / "reference" / "runs2"


def observe(run: Path, steps: int = 12) -> None:
    """Writes into a run what a training of three layers would have shown."""
    layers, histograms = [], []
    for step in range(1, steps + 1):
        measured = {
            f"body.{i}": {"kind": "Linear", "weight": 2.0, "gradient": 0.1 ** (3 - i) / step,
                          "update": 0.002, "ratio": 0.001 * 10**i, "mean": 0.1, "std": 0.5}
            for i in range(3)
        }  # fmt: skip
        measured["body.1"] |= {"dead": 0.25, "saturated": 0.5}
        measured["body.2"] |= {"through_time": [1e-6, 1e-4, 1e-2, 1.0]}
        place = {"step": step, "epoch": 1 + step // 4}
        layers.append({**place, "loss": 1 / step, "rates": [0.1], "layers": measured})
        bars = {"low": -1.0, "high": 1.0, "counts": [1, 4 + step, 1]}
        shown = {path: {"weight": bars, "gradient": bars} for path in measured}
        histograms.append({**place, "layers": shown})
    for name, lines in (("layers", layers), ("histograms", histograms)):
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (run / f"{name}.jsonl").write_text(text, encoding="utf-8")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """The committed runs, one of them with observations."""
    folder = tmp_path / "runs"
    shutil.copytree(RUNS, folder)
    observe(folder / "table")
    return folder


@pytest.fixture
def dashboard(runs: Path) -> Dashboard:
    """One for this machine, which only looks."""
    return Dashboard(runs, Access())


@pytest.fixture
def client(dashboard: Dashboard) -> Iterator[TestClient]:
    """Whoever asks it without a network."""
    with TestClient(dashboard.app, base_url="http://localhost:8642") as client:
        yield client


@dataclass
class Served:
    """A dashboard at a port of this machine."""

    dashboard: Dashboard
    port: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


FOUND = {
    "code": "T202", "severity": "warning", "family": "steps", "title": "the learning rate is high",
    "sentence": "The loss jumps by 40 % from epoch to epoch.", "layer": "body.1",
    "numbers": {"share": 40}, "setting": "train.lr = 0.001", "python": "Adam(params, lr=0.001)",
}  # fmt: skip


def serving(runs: Path, access: Access) -> Iterator[Served]:
    """A server in a thread; the doctor's answer is ready, as it would take a process each time."""
    dashboard = Dashboard(runs, access)

    async def ask(folder: Path, running: bool) -> dict[str, Any]:
        return {"state": "done", "diagnoses": [FOUND], "missing": ["data, as it is gone"]}

    dashboard.examiner.ask = ask  # type: ignore[method-assign]
    listening = listen("127.0.0.1", 0, access.control)
    config = uvicorn.Config(dashboard.app, log_level="critical", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(
        target=lambda: asyncio.run(server.serve(sockets=[listening.socket])), daemon=True
    )
    thread.start()
    yield Served(dashboard, listening.port)
    server.should_exit = True
    thread.join(30)


@pytest.fixture
def served(runs: Path) -> Iterator[Served]:
    """A server for one test, whose browsers may control trainings."""
    yield from serving(runs, Access(control=True))


@pytest.fixture(scope="session")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server for all tests that only look."""
    folder = tmp_path_factory.mktemp("dash") / "runs"
    shutil.copytree(RUNS, folder)
    observe(folder / "table")
    yield from serving(folder, Access())


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One browser for all tests of a file: as long as it is open, its loop counts as running."""
    from playwright.sync_api import sync_playwright

    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking",
             "--disable-component-update", "--disable-sync", "--no-first-run"]  # fmt: skip
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=quiet)
        yield browser
        browser.close()
