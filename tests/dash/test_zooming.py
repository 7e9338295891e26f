"""Windows of long runs: what is read again are the lines of these epochs, wherever they stand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from chainrule.dash.watching import WatchedRun
from chainrule.dash.zooming import window_of
from chainrule.errors import StateError

EPOCHS = 6000


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Epochs with some left out, lines that say none, and one that is damaged."""
    path = tmp_path_factory.mktemp("long") / "metrics.jsonl"
    lines = [
        json.dumps({"epoch": epoch, "loss": 1 / epoch, "seconds": 0.5 * epoch})
        for epoch in range(1, EPOCHS + 1)
        if epoch % 7
    ]
    lines[1000:1000] = ["{damaged", '{"note": "no epoch"}'] * 40
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("first", "last"),
    [(1, 3), (0, 0), (7, 7), (1, EPOCHS), (1160, 1180), (2999, 3101), (EPOCHS - 3, EPOCHS),
     (EPOCHS + 5, EPOCHS + 9)],
)  # fmt: skip
def test_a_window_has_exactly_its_epochs(long: Path, first: int, last: int) -> None:
    curves = window_of(long, first, last)
    assert curves is not None
    points = curves.points()
    wanted = [e for e in range(max(first, 1), min(last, EPOCHS) + 1) if e % 7]
    assert curves.epochs == len(wanted)
    if curves.width == 1:
        assert points["x"] == wanted
        assert points["series"].get("loss", []) == [1 / e for e in wanted]


def test_a_run_gives_finer_points(runs: Path, long: Path) -> None:
    (runs / "table" / "metrics.jsonl").write_bytes(long.read_bytes())
    run = WatchedRun(runs, "table")
    while run.poll():
        pass
    assert run.curves.width == 4
    near = run.window(2000, 2100)
    assert near["width"] == 1
    assert near["x"] == [e for e in range(2000, 2101) if e % 7]
    assert run.window(1, EPOCHS)["x"] == []  # nothing finer than what is there


def test_what_is_no_window_is_refused(client: TestClient, runs: Path) -> None:
    for query in ("", "first=1", "first=-1&last=3", "first=1&last=x", "first=5&last=4",
                  "first=1&last=1e99", "first=1&last=99999999999999999999"):  # fmt: skip
        answer = client.get(f"/api/runs/table/window?{query}")
        assert answer.status_code == 400, query
    assert client.get("/api/runs/table/window?first=1&last=4").json()["x"] == []
    with pytest.raises(StateError, match="cannot read"):
        window_of(runs / "nothing.jsonl", 1, 2)
