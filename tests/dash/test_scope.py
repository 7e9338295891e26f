"""The microscope in the browser: asked of a process of its own; walked through by keyboard."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from playwright.sync_api import Page, expect
from starlette.testclient import TestClient

from browsers import keep
from chainrule.dash import looking
from chainrule.dash.looking import request_of
from chainrule.data.tables.fields import Field
from chainrule.errors import ConfigError
from chainrule.microscope.lessons import open_lesson
from chainrule.microscope.requests import answer
from chainrule.runs.example import Form

from .conftest import Served
from .test_browser import Reader, violations


def test_a_run_is_opened_once_and_asked_often(client: TestClient) -> None:
    address = "/api/runs/table/scope"
    first = client.get(address)
    assert first.status_code == 200, first.text
    layer = first.json()["calls"][0]["name"]
    unit = client.get(address, params={"view": "unit", "layer": layer, "unit": "1"}).json()
    assert unit["view"]["title"].startswith(layer)
    assert client.get(address, params={"view": "unit", "layer": "none"}).status_code == 400


def test_lessons_are_asked_of_the_command(client: TestClient) -> None:
    assert len(client.get("/api/lessons").json()["lessons"]) == 6
    refused = client.get("/api/lessons/dead-rely")
    assert refused.status_code == 400
    assert "did you mean 'dead-relu'" in refused.json()["help"]


def test_a_microscope_that_nobody_asks_ends(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "IDLE", 0.0)

    async def ask() -> bool:
        microscope = looking.Microscope((str(runs / "table"),))
        await microscope.ask({"view": "loss"})
        assert microscope._process is not None
        await microscope._process.wait()
        return microscope.ended

    assert asyncio.run(ask())


def test_what_is_asked_in_words() -> None:
    options, request = request_of(
        Path("/runs/a"),
        {"example": "3", "part": "train", "view": "unit", "layer": "x", "at": "0,2"},
    )
    assert options == ("/runs/a", "--example", "3", "--part", "train")
    assert request == {"view": "unit", "layer": "x", "at": [0, 2]}
    typed = {"row": "age=3", "target": "no"}
    _, request = request_of(Path("/runs/a"), typed, files=False)
    assert request == {"view": "network", **typed}
    with pytest.raises(ConfigError, match="reads no files of its machine"):
        request_of(Path("/runs/a"), {"row": __file__}, files=False)
    assert request_of(Path("/runs/a"), {"row": __file__})[1]["row"] == __file__
    for bad in ({"example": "--help"}, {"index": "1;2"}, {"change": "{"}):
        with pytest.raises(ConfigError):
            request_of(Path("/runs/a"), bad)


@pytest.fixture
def looked_at(served: Served) -> Served:
    """A dashboard whose microscope looks at a lesson, and needs no process."""
    scope = open_lesson("xor").scope
    fields = (Field("age", (), "54"), Field("sex", ("Female", "Male"), "Male"))
    scope.form = Form(fields, classes=("no", "yes"))

    async def ask(options: tuple[str, ...], request: Mapping[str, Any]) -> dict[str, Any]:
        request = dict(request)
        if "old" in request.pop("row", ""):
            raise ConfigError("`old` in column `age` is not a number", help="correct the cell")
        return answer(scope, request)

    served.dashboard.looker.ask = ask  # type: ignore[method-assign]
    return served


@pytest.mark.browser
def test_a_step_is_walked_by_keyboard(looked_at: Served, browser: Any) -> None:
    reader = Reader(browser, looked_at)
    page: Page = reader.go("#/run/table/scope", "1 of")
    heading = page.locator(".seen h2").first
    page.keyboard.press("ArrowRight")
    expect(heading).to_contain_text("(Linear)")
    page.keyboard.press("ArrowRight")
    expect(heading).to_contain_text("(Tanh)")
    expect(page.locator("svg[role=img]").first).to_have_attribute("aria-label", re.compile("slope"))
    assert violations(page) == []
    page.get_by_role("button", name="0.weight", exact=True).click()
    expect(page.get_by_text("digits that agree")).to_be_visible()
    page.get_by_label("to", exact=True).fill("3")
    page.get_by_role("button", name="Try").click()
    expect(page.get_by_text("input [0,0] = 3")).to_be_visible()
    expect(page.get_by_text("Both passes", exact=True).first).to_be_visible()
    keep(page, "scope-weight-light")
    page.emulate_media(color_scheme="dark")
    assert violations(page) == []
    keep(page, "scope-weight-dark")
    page.get_by_role("button", name="Undo all").click()
    expect(page.get_by_text("Both passes", exact=True).first).to_be_hidden()
    # Every sum on the page adds up, as it is printed.
    for table in page.locator("table:has(tr.sum)").all():
        cells = table.locator("tbody td:last-child").all_inner_texts()
        *terms, total = (float(cell.replace("\u2212", "-")) for cell in cells)
        assert sum(terms) == pytest.approx(total, abs=1e-12, rel=1e-9)
    reader.close()


@pytest.mark.browser
def test_a_new_example_is_typed_in(looked_at: Served, browser: Any) -> None:
    reader = Reader(browser, looked_at)
    page: Page = reader.go("#/run/table/scope?example=3&view=unit&layer=0", "2 of")
    page.get_by_text("A new example", exact=True).click()
    expect(page.get_by_role("textbox", name="age")).to_have_value("54")
    page.get_by_role("combobox", name="sex").select_option("Female")
    page.get_by_role("combobox", name="target").select_option("yes")
    keep(page, "scope-new-example-light")
    assert violations(page) == []
    page.get_by_role("button", name="Look").click()
    row = {"age": "54", "sex": "Female"}
    expect(page).to_have_url(re.compile("row="))
    query = dict(parse_qsl(page.url.partition("?")[2]))
    assert json.loads(query.pop("row")) == row
    assert query == {"view": "unit", "layer": "0", "target": "yes"}
    # What cannot be read is said, and the form stays.
    page.get_by_role("textbox", name="age").fill("old")
    page.get_by_role("button", name="Look").click()
    expect(page.get_by_text("is not a number")).to_be_visible()
    expect(page.get_by_role("textbox", name="age")).to_have_value("old")
    page.get_by_label("example", exact=True).fill("2")
    page.get_by_label("example", exact=True).press("Enter")
    expect(page.get_by_text("is not a number")).to_be_hidden()
    assert "row" not in page.url
    reader.wrong.clear()  # the browser reports what was refused
    reader.close()
