"""The pages, in a browser: what they show, by keyboard, in light and dark, live and offline."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from browsers import drawn_text, keep
from chainrule.report import report_html, write_report
from chainrule.runs.folder import RunFolder

from .conftest import Served

pytestmark = pytest.mark.browser

SIZE = {"width": 1280, "height": 800}
#: milliseconds after which what is waited for is missing; only a page that hangs comes near it
PATIENCE = 60_000
expect.set_options(timeout=PATIENCE)


class Reader:
    """A page, with what went wrong on it and where it asked."""

    def __init__(self, browser: Any, served: Served, scheme: str = "light") -> None:
        self.context = browser.new_context(
            viewport=SIZE, color_scheme=scheme, reduced_motion="reduce"
        )
        self.page, self.served = self.context.new_page(), served
        self.page.set_default_timeout(PATIENCE)
        self.wrong: list[str] = []
        self.foreign: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", self._heard)
        self.page.on("request", self._asked)

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(message.text)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((f"{self.served.address}/", "data:")):
            self.foreign.append(request.url)

    def go(self, place: str, shows: str) -> Any:
        """Opens a page of the dashboard and waits until it shows a text."""
        self.page.goto(f"{self.served.address}/{place}")
        self.page.get_by_text(shows).first.wait_for()
        return self.page

    def awaits_title(self, end: str) -> None:
        """Until the page's title, which follows what it shows, ends so."""
        self.page.wait_for_function("end => document.title.endsWith(end)", arg=end)

    def close(self) -> None:
        self.context.close()
        assert self.wrong == []
        assert self.foreign == []


@pytest.fixture
def reader(browser: Any, gallery: Served) -> Iterator[Reader]:
    reader = Reader(browser, gallery)
    yield reader
    reader.close()


PAGES = [
    ("", "heart"),
    ("#/run/table/overview", "Values as a table"),
    ("#/run/table/layers", "Each layer now"),
    ("#/run/table/predictions", "Confusion matrix"),
    ("#/run/regression/predictions", "Residuals"),
    ("#/run/images/predictions", "Worst mistakes"),
    ("#/run/table/data", "how it is used"),
    ("#/run/table/doctor", "Not examined"),
    ("#/run/group/overview", "Together"),
    ("#/compare?run=table&run=regression", "What differs"),
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_sound_and_for_everybody(browser: Any, gallery: Served, scheme: str) -> None:
    """Nothing serious for axe, no error, no request to anywhere else."""
    reader = Reader(browser, gallery, scheme)
    serious = []
    for place, shows in PAGES:
        page = reader.go(place, shows)
        rules = None if scheme == "light" else ["color-contrast"]  # the others see no colours
        serious += [(place, *violation) for violation in violations(page, rules)]
        name = re.sub(r"\W+", "-", place.removeprefix("#/run/")).strip("-") or "runs"
        keep(page, f"{name}-{scheme}")
    assert serious == []
    reader.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_reports_are_for_everybody(
    browser: Any, gallery: Served, scheme: str, tmp_path: Path
) -> None:
    """They are files, without a server; nothing serious for axe, and nothing asked of anybody."""
    reader = Reader(browser, gallery, scheme)
    reader.page.context.set_offline(True)
    serious = []
    for run in ("table", "regression"):
        path = write_report(gallery.dashboard.root / run, tmp_path / f"{run}.html")
        reader.page.goto(path.as_uri())
        for summary in reader.page.locator("summary").all():
            summary.focus()
            reader.page.keyboard.press("Enter")
        rules = None if scheme == "light" else ["color-contrast"]
        serious += [(run, *violation) for violation in violations(reader.page, rules)]
    assert serious == []
    reader.foreign = [url for url in reader.foreign if not url.startswith("file:")]
    reader.close()


@pytest.mark.parametrize("width", [400, 1280])
def test_results_are_drawn_as_in_the_report(browser: Any, gallery: Served, width: int) -> None:
    """The same elements, in a column of another width, which decides how they are laid out."""
    reader = Reader(browser, gallery)
    reader.page.set_viewport_size({"width": width, "height": 800})
    page = reader.go("#/run/table/predictions", "Confusion matrix")
    html = report_html(gallery.dashboard.root / "table")
    matrix = page.locator("table.matrix:visible")
    expect(matrix).to_have_count(1)
    assert matrix.locator("td.right").first.inner_text() in html
    page.wait_for_function("w => document.documentElement.scrollWidth <= w", arg=width)
    page = reader.go("#/run/regression/predictions", "Residuals")
    html = report_html(gallery.dashboard.root / "regression")
    drawing = page.locator(".reported svg[role=img]").first
    assert drawing.locator("desc").text_content() in html
    assert drawing.bounding_box()["width"] > 200
    reader.close()


def violations(page: Any, rules: list[str] | None = None) -> list[tuple[str, list[str]]]:
    """What axe calls serious or worse by these rules, or all, and where."""
    options = None if rules is None else {"runOnly": rules}
    return [
        (found["id"], [node["html"][:120] for node in found["nodes"]])
        for found in Axe().run(page, options=options).response["violations"]
        if found["impact"] in ("serious", "critical")
    ]


def test_a_run_that_does_not_exist_is_said(reader: Reader) -> None:
    page = reader.go("#/run/nowhere/overview", "there is no run")
    assert violations(page) == []
    page.context.close()
    assert all("404" in text for text in reader.wrong)  # the browser reports each of them
    reader.wrong.clear()


def test_the_overview_shows_the_run(reader: Reader) -> None:
    page = reader.go("#/run/table/overview", "Values as a table")
    page.get_by_role("heading", name="heart: predicting disease").wait_for()
    page.locator(".plot canvas").nth(1).wait_for()
    expect(page.locator("main")).to_contain_text("On 138 test rows")
    page.get_by_text("Values as a table").first.click()
    cells = page.locator("details[open] tbody tr").nth(5).locator("th, td")
    expect(cells).to_have_text(["6", "0.6629", "0.654"])
    reader.awaits_title("table · Overview · Chainrule")


def test_a_chart_is_read_by_keyboard(reader: Reader) -> None:
    page = reader.go("#/run/table/overview", "Values as a table")
    chart = page.locator(".plot").first
    chart.focus()
    for key in ("End", "ArrowLeft", "Home"):
        page.keyboard.press(key)
    told = page.locator("figure output").first
    expect(told).to_have_text("epoch 1: training 0.6921, validation 0.6819")
    page.keyboard.press("ArrowRight")
    expect(told).to_contain_text("epoch 2: training 0.6818")


def test_an_answer_that_is_late_changes_nothing(browser: Any, served: Served, runs: Path) -> None:
    """The first picture is asked for beside the stream, which may have told more by then."""
    reader = Reader(browser, served)
    late: list[Any] = []
    reader.page.route("**/changes*", lambda route: late.append((route, route.fetch())))
    page = reader.go("#/run/table/overview", "6 of 6")
    with (runs / "table" / "metrics.jsonl").open("a") as out:
        out.write('{"epoch": 7, "seconds": 9.0, "loss": 0.5, "val_loss": 0.9}\n')
    page.get_by_text("6 of 7").wait_for()
    [(route, answer)] = late
    with page.expect_response("**/changes*"):
        route.fulfill(response=answer)
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    expect(page.get_by_text("6 of 7")).to_have_count(1)
    reader.close()


def test_a_long_curve_is_zoomed(browser: Any, served: Served, runs: Path) -> None:
    """What lies between the points of the whole is read when somebody looks closer."""
    lines = [{"epoch": e, "loss": 2.0 if e == 10_001 else 1 / e, "seconds": e / 10}
             for e in range(1, 20_001)]  # fmt: skip
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (runs / "table" / "metrics.jsonl").write_text(text)
    reader = Reader(browser, served)
    page = reader.go("#/run/table/overview", "Each pair of points stands for 16 epochs")
    plot = page.locator(".chart .plot").first
    plot.focus()
    for _ in range(9):
        page.keyboard.press("+")
    page.get_by_text("Each pair of points").first.wait_for(state="detached")
    page.get_by_text("show all").first.wait_for()
    page.keyboard.press("Home")
    for _ in range(40):
        if "epoch 10,001" in (told := drawn_text(page.locator(".readout").first)):
            break
        page.keyboard.press("ArrowRight")
    assert "training 2" in told
    page.keyboard.press("0")
    page.get_by_text("Each pair of points").first.wait_for()
    box = plot.bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 260, box["y"] + 60, steps=4)
    page.mouse.up()
    page.get_by_text("show all").first.click()
    page.get_by_text("show all").first.wait_for(state="detached")
    reader.close()


def test_all_pages_are_reached_by_keyboard(reader: Reader) -> None:
    page = reader.go("", "heart")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()

    def press_until(text: str) -> None:
        for _ in range(80):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent").strip().startswith(text):
                page.keyboard.press("Enter")
                return
        raise AssertionError(f"{text} was not reached")

    press_until("table")
    page.get_by_role("navigation", name="Pages of this run").wait_for()
    for title in ("Layers", "Predictions", "Data & settings", "Doctor", "Overview"):
        page.locator("#main").focus()
        press_until(title)
        page.locator(".tabs a[aria-current]", has_text=title).wait_for()
    page.get_by_role("button", name="T202").wait_for()
    press_until("T202")
    page.get_by_role("dialog").get_by_text("Why").first.wait_for()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_map_of_layers(reader: Reader) -> None:
    page = reader.go("#/run/table/layers", "Each layer now")
    maps = page.locator(".heat-map")
    expect(maps).to_have_count(2)
    maps.first.focus()
    for key in ("ArrowLeft", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    told = page.locator(".readout").first
    expect(told).to_contain_text("body.2, step 12, epoch 4: 0.008333")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Histograms of body.2").wait_for()
    expect(page.locator(".ridge svg")).to_have_count(2)
    expect(page).to_have_url(re.compile("layer=body.2"))
    cells = page.locator("table tbody tr").nth(1).locator("td")
    expect(cells.last).to_have_text("50.0%")
    expect(cells.nth(-2)).to_have_text("25.0%")
    chart = page.locator(".chart", has_text="Gradient through time")
    expect(chart).to_contain_text("to 1, highest 1 at time step 4")
    reader.go("#/run/images/layers", "No step of this run was observed")


def test_a_comparison_is_coloured_by_a_setting(reader: Reader) -> None:
    page = reader.go("#/compare?run=table&run=regression", "What differs")
    rows = page.get_by_role("region", name="Settings that differ")
    expect(rows).to_contain_text("train.")
    setting = drawn_text(page.locator("select").nth(2).locator("option").nth(1))
    page.get_by_label("Colour by").select_option(setting)
    expect(page.locator(".legend")).to_contain_text(f"{setting} = ")
    expect(page).to_have_url(re.compile(re.escape(f"colour={setting}")))


def test_the_theme_can_be_chosen(reader: Reader) -> None:
    page = reader.go("#/run/table/overview", "Values as a table")
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(paper)
    page.get_by_label("Colours").select_option("dark")
    page.wait_for_function(f"light => {paper} !== light", arg=light)
    page.reload()
    page.get_by_text("Values as a table").first.wait_for()
    page.wait_for_function(f"light => {paper} !== light", arg=light)


def test_a_training_is_followed(browser: Any, served: Served, runs: Path) -> None:
    """From its first epoch to the day on which it is deleted, without a look at the page."""
    folder = RunFolder.create(runs, "heart", "mlp")
    facts = json.loads((runs / "table" / "run.json").read_text())
    own = {key: facts[key] for key in ("settings", "task", "classes", "data", "split", "model")}
    folder.update(status="running", started="2026-11-29T12:00:00+00:00", **own, findings=[])
    assert folder.path is not None
    reader = Reader(browser, served)
    page = reader.go(f"#/run/{folder.name}/overview", "The first epoch is not over yet")
    page.locator(".status", has_text="running").wait_for()
    for epoch in range(1, 4):
        folder.metrics({"epoch": epoch, "seconds": epoch / 2, "loss": 1 / epoch, "lr": 0.1})
        page.get_by_text(f"epoch {epoch} of 6").wait_for()
    folder.event("note", message="T103 half of `body.1` is dead (chainrule explain T103)")
    page.get_by_role("button", name="T103").wait_for()
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("asked for").wait_for()
    (request,) = (folder.path / "control").iterdir()
    assert json.loads(request.read_text()) == {"action": "pause"}
    folder.event("control", action="pause", message="paused", epoch=3)
    page.locator(".status", has_text="paused").wait_for()
    folder.update(status="failed", error="the loss became nan")
    folder.close()
    page.locator(".status", has_text="failed").wait_for()
    shutil.rmtree(folder.path)
    page.locator(".status", has_text="deleted").wait_for()
    page.get_by_text("the folder of this run was deleted").wait_for()
    reader.close()


def test_markup_in_names_and_files_is_text(browser: Any, served: Served, runs: Path) -> None:
    evil = "<img src=x onerror=document.title='hit'>"
    run = runs / f"20261129-120000-{evil}"
    (runs / "table").rename(run)
    facts = json.loads((run / "run.json").read_text())
    facts["data"]["name"] = facts["data"]["target"] = evil
    facts["classes"] = [evil, "no"]
    (run / "run.json").write_text(json.dumps(facts))
    with (run / "events.jsonl").open("a") as out:
        out.write(json.dumps({"time": evil, "event": "note", "message": evil}) + "\n")
    reader = Reader(browser, served)
    reader.go("", evil)
    for page in ("overview", "layers", "data", "doctor", "predictions"):
        reader.go(f"#/run/{quote(run.name)}/{page}", evil)
    reader.awaits_title(" · Predictions · Chainrule")
    expect(reader.page.locator("img")).to_have_count(0)
    reader.close()


def test_a_server_that_ends_is_told(browser: Any, served: Served) -> None:
    """And what could not be read meanwhile is read when it is back."""
    reader = Reader(browser, served)
    page = reader.go("#/run/table/overview", "Values as a table")
    page.route("**/*", lambda route: route.abort())
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.locator(".offline").wait_for()
    page.evaluate("location.hash = '#/run/table/doctor'")
    page.locator(".refused").wait_for()
    page.unroute("**/*")
    page.locator(".offline").wait_for(state="detached")
    page.locator(".refused").wait_for(state="detached")
    reader.wrong.clear()  # the browser reports each request that failed
    reader.close()
