"""What the dashboard answers, and whom it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from chainrule.dash.access import Access
from chainrule.dash.app import Dashboard
from chainrule.dash.examining import explained
from chainrule.doctor.rules import RULES
from chainrule.report import report_facts
from chainrule.runs import control
from chainrule.runs.folder import RunFolder


def test_every_document_of_every_run_is_json(client: TestClient, runs: Path) -> None:
    for run in client.get("/api/runs").json()["runs"]:
        for name in ("overview", "curves", "layers", "histograms?layer=body.0", "changes"):
            answer = client.get(f"/api/runs/{run['id']}/{name}")
            assert answer.status_code == 200, (run["id"], name, answer.text)
            json.dumps(answer.json(), allow_nan=False)


def test_the_overview_is_the_report(client: TestClient, runs: Path) -> None:
    shown = client.get("/api/runs/table/overview").json()
    told = report_facts(runs / "table")
    for key in ("title", "summary", "result", "metrics", "findings", "columns", "test", "config"):
        assert shown[key] == json.loads(json.dumps(told[key])), key
    assert "history" not in shown


def test_layers_and_curves(client: TestClient) -> None:
    layers = client.get("/api/runs/table/layers?measure=ratio").json()
    assert [layer["path"] for layer in layers["layers"]] == ["body.0", "body.1", "body.2"]
    assert layers["values"]["ratio"][2] == [0.1] * 12
    assert client.get("/api/runs/images/layers").json()["observations"] == 0
    curves = client.get("/api/runs/table/curves").json()
    assert curves["x"] == [1, 2, 3, 4, 5, 6]
    changes = client.get("/api/runs/table/changes").json()
    assert client.get(f"/api/runs/table/changes?since={changes['cursor']}").json().keys() == (
        changes.keys() - {"curves", "events", "events_from_start"}
    )


def test_a_comparison_shows_what_differs(client: TestClient) -> None:
    answer = client.get("/api/compare?run=table&run=interrupted&run=nowhere").json()
    assert [run["id"] for run in answer["runs"]] == ["table", "interrupted"]
    assert all(len(set(row)) > 1 for row in answer["settings"].values())
    assert answer["same"] > 20
    assert answer["metrics"]["accuracy"][1] is None


@pytest.mark.parametrize("code", ["T103", "d101"])
def test_codes_are_explained(code: str, client: TestClient) -> None:
    page = client.get(f"/api/explain/{code}").json()
    assert page["code"] == code.upper()
    assert page["means"]


def test_every_rule_has_a_page() -> None:
    assert all(explained(code)["why"] for code in RULES)


REFUSED = [
    ("GET", "/api/runs/nowhere/overview", 404, "there is no run"),
    ("GET", "/api/runs/%2e%2e%2f%2e%2e/overview", 404, "there is no run"),
    ("GET", "/api/runs/table/secrets", 404, "there is no document"),
    ("GET", "/api/runs/table/layers?measure=x", 400, "there is no measure"),
    ("GET", "/api/runs/group/doctor", 404, "is a group"),
    ("GET", "/api/explain/T999", 400, "there is no code"),
    ("GET", "/app.py", 404, "there is no page"),
    ("GET", "/..%2f__init__.py", 404, "there is no"),
    ("GET", "/api/nothing", 404, "there is no address"),
    ("POST", "/api/runs/table/control", 403, "only looks"),
]


@pytest.mark.parametrize(("method", "path", "status", "words"), REFUSED, ids=lambda v: str(v))
def test_what_is_refused_is_refused_in_words(
    method: str, path: str, status: int, words: str, client: TestClient
) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, words in answer.json()["error"]) == (status, True), answer.text


ASKING = [
    ({"host": "evil.example"}, 421),
    ({"host": "localhost.evil.example:8642"}, 421),
    ({"host": "127.0.0.1.evil.example"}, 421),
    ({"host": ""}, 421),
    ({"host": "localhost:9000"}, 200),  # a forwarded port
    ({"host": "[::1]:8642"}, 200),
    ({"host": "127.0.0.1"}, 200),
    ({"origin": "http://evil.example"}, 403),
    ({"origin": "null"}, 403),
    ({"origin": "http://localhost:1"}, 403),
    ({"origin": "http://localhost:8642"}, 200),
    ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}, 403),
    ({"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors"}, 403),
    ({"sec-fetch-site": "same-origin"}, 200),
    ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, 200),
]


@pytest.mark.parametrize(("headers", "status"), ASKING, ids=str)
def test_only_pages_of_this_machine_are_answered(
    headers: dict[str, str], status: int, client: TestClient
) -> None:
    answer = client.get("/api/state", headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src")
    assert answer.headers["x-frame-options"] == "DENY"
    if status != 200:
        assert answer.json()["error"]
        assert answer.json()["help"]


def test_another_host_asks_for_a_token(runs: Path) -> None:
    access = Access.to("0.0.0.0", control=False)
    with TestClient(Dashboard(runs, access).app, base_url="http://there:8642") as client:
        assert client.get("/api/state").status_code == 401
        assert client.get("/?token=wrong").status_code == 401
        assert client.get("/api/state", headers={"cookie": "chainrule-8642=x"}).status_code == 401
        page = client.get(f"/?token={access.token}", follow_redirects=False)
        assert (page.status_code, page.headers["location"]) == (303, "/")
        assert "HttpOnly" in page.headers["set-cookie"]
        assert "SameSite=strict" in page.headers["set-cookie"]
        assert client.get("/api/state").status_code == 200


def test_the_page_is_the_bundle(client: TestClient) -> None:
    page = client.get("/")
    assert '<script src="/app.js" defer></script>' in page.text
    script = client.get("/app.js")
    assert script.headers["content-type"].startswith("text/javascript")
    known = {"if-none-match": script.headers["etag"]}
    assert client.get("/app.js", headers=known).status_code == 304


def test_a_name_with_markup_is_a_name(runs: Path, client: TestClient) -> None:
    name = "<img src=x onerror=alert(1)>"
    (runs / "table").rename(runs / name)
    listed = client.get("/api/runs")
    assert listed.headers["content-type"] == "application/json"
    assert listed.headers["x-content-type-options"] == "nosniff"
    assert name in [run["id"] for run in listed.json()["runs"]]


BROKEN: list[tuple[str, Any]] = [
    ("run.json", b"{"), ("run.json", b"[]"), ("run.json", None), ("run.json", b'{"settings": 3}'),
    ("metrics.jsonl", None), ("metrics.jsonl", b"\xff\n{}\n"), ("events.jsonl", b"[[[\n"),
    ("layers.jsonl", b'{"step": 1, "epoch": 1, "layers": {"a": 5, "b": {"gradient": "x"}}}\n'),
    ("layers.jsonl", None), ("evaluation.json", b"{}"), ("run.toml", None), ("pipeline.json", b""),
]  # fmt: skip


@pytest.mark.parametrize(("file", "content"), BROKEN, ids=str)
def test_half_a_run_is_shown_as_far_as_it_goes(
    file: str, content: bytes | None, runs: Path, client: TestClient
) -> None:
    if content is None:
        (runs / "table" / file).unlink()
    else:
        (runs / "table" / file).write_bytes(content)
    assert "table" in [run["id"] for run in client.get("/api/runs").json()["runs"]]
    for name in ("overview", "curves", "layers", "changes"):
        assert client.get(f"/api/runs/table/{name}").status_code == 200
    assert client.get("/api/compare?run=table&run=images").status_code == 200


# ------------------------------------------------------------------------------------ control


def test_a_browser_asks_a_training(runs: Path) -> None:
    folder = RunFolder.create(runs, "heart", "mlp")
    folder.update(status="running")
    assert folder.path is not None
    own = {"origin": "http://localhost:8642"}
    with TestClient(
        Dashboard(runs, Access(control=True)).app, base_url="http://localhost:8642"
    ) as client:
        address = f"/api/runs/{folder.name}/control"
        asked = {"action": "lr", "value": 0.01}
        assert client.post(address, json=asked, headers=own).json() == {"asked": "lr"}
        (file,) = (folder.path / "control").iterdir()
        assert json.loads(file.read_text()) == asked
        refused = [
            ({"json": asked, "headers": {"origin": "http://evil.example"}}, 403),
            ({"content": '{"action": "stop"}'}, 415),
            ({"json": {"action": "delete"}}, 400),
            ({"json": {"action": "lr", "value": -1}}, 400),
            ({"json": {"action": "lr", "value": "1"}}, 400),
            ({"json": [1]}, 400),
            ({"content": "{", "headers": {"content-type": "application/json"}}, 404),
            ({"json": {"action": "x" * 9000}}, 400),
        ]
        for given, status in refused:
            answer = client.post(address, **given)  # type: ignore[arg-type]
            assert answer.status_code == status, (given, answer.text)
        idle = client.post("/api/runs/table/control", json={"action": "stop"})
        assert (idle.status_code, "not being trained" in idle.json()["error"]) == (404, True)
    folder.close()
    assert control.ACTIONS == ("pause", "resume", "stop", "lr")
