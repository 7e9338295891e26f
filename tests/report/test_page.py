"""One file that needs nothing, lets nothing in, and can be read by everybody."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from chainrule.errors import StateError
from chainrule.report import report_facts, report_html, write_report
from chainrule.report.style import STYLE

from .conftest import EVIL, Page

TAGS = {"html", "head", "meta", "title", "style", "body", "main", "header", "section", "footer",
        "h1", "h2", "h3", "p", "span", "strong", "ul", "li", "dl", "div", "dt", "dd", "pre", "code",
        "figure", "figcaption", "details", "summary", "table", "thead", "tbody", "tr", "th", "td",
        "svg", "desc", "line", "text", "path", "circle", "rect", "wbr"}  # fmt: skip


@pytest.fixture(scope="module")
def pages(classes: Path, numbers: Path) -> list[str]:
    return [report_html(run) for run in (classes, numbers)]


def test_it_is_well_formed(pages: list[str]) -> None:
    for html in pages:
        page = Page(html)
        assert {tag for tag, _ in page.found} <= TAGS
        ids = [a["id"] for _, a in page.found if "id" in a]
        assert len(ids) == len(set(ids))
        assert len(page.all("h1")) == 1


def test_it_needs_nothing_else(pages: list[str]) -> None:
    for html in pages:
        assert not re.search(r"https?:|url\(|@import|@font-face", html)
        attributes = {name for _, found in Page(html).found for name in found}
        assert not {a for a in attributes if a.startswith("on")}
        assert not attributes & {"src", "href", "srcset", "style", "action", "data"}


def test_the_policy_allows_its_own_style_alone(pages: list[str]) -> None:
    for html in pages:
        [policy] = [m["content"] for m in Page(html).all("meta") if "http-equiv" in m]
        [style] = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert policy == (
            f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; "
            "form-action 'none'"
        )
        assert html.index("Content-Security-Policy") < html.index("<style>")


def test_names_from_the_data_are_text(pages: list[str]) -> None:
    html = pages[0]
    assert "<script" not in html.lower()
    assert "</td>0" not in html
    page = Page(html)
    assert ("td", EVIL) in page.texts  # the column
    assert ("th", EVIL) in page.texts  # the class
    assert "</td>0, </td>1 and </td>2" in page.text()
    assert "table: predicting a<b>" in page.text()


def test_fixes_to_paste_are_code_and_advice_is_not(
    classes: Path, copied: Callable[[Path], Path]
) -> None:
    run = copied(classes)
    facts = json.loads((run / "run.json").read_text())
    old = {"code": "D1", "severity": "info", "message": "m", "evidence": "", "fix": "f=1"}
    setting = {"key": "a.b", "value": [0]}
    facts["findings"] = [
        old,
        {**old, "fix": "words", "advice": "words", "setting": None},
        {**old, "fix": "a.b=[0] (if so)", "advice": "if so", "setting": setting},
        {**old, "fix": "", "advice": "", "setting": None},
    ]
    (run / "run.json").write_text(json.dumps(facts))
    html = report_html(run)
    assert re.findall("<p>Fix: .*?</p>", html) == [
        "<p>Fix: <code>f=1</code></p>",
        "<p>Fix: words</p>",
        "<p>Fix: <code>a.b=[0]</code> (if so)</p>",
    ]
    settings = [finding["setting"] for finding in report_facts(run)["findings"]]
    assert settings == [None, None, setting, None]


def test_it_says_the_result(pages: list[str]) -> None:
    first, second = (Page(html).text() for html in pages)
    assert "On 22 test rows that it never saw, it is right" in first
    assert "Confusion matrix" in first
    assert "Precision" in first
    assert "The learning rate is 0.001 in every epoch." in first
    assert "Learning rate." in second
    assert "explains" in second
    assert "Predicted against true y." in second
    assert "Residuals." in second
    for text in (first, second):
        assert "done: training finished" in text
        assert "chainrule predict " in text
        assert "[train.optimizer]" in text
        assert "llvmlite" in text


def test_drawings_lie_within_their_frame(pages: list[str]) -> None:
    """Across in per cent of the width there is, down in pixels."""
    for html in pages:
        heights = [float(svg["height"] or 0) for svg in drawings(html)]
        assert len(heights) >= 2
        for tag, found in Page(html).found:
            for name in ("x", "x1", "x2", "cx"):
                if name in found:
                    assert 0 <= float((found[name] or "").removesuffix("%")) <= 100
                    assert (found[name] or "").endswith("%")
            for name in ("y", "y1", "y2", "cy"):
                # The ticks and the name of the axis stand in the margin below, or above.
                margin = 40 if tag == "text" else 5
                assert -margin <= float(found.get(name) or 0) <= max(heights) + margin


def drawings(html: str) -> list[dict[str, str | None]]:
    """The drawings, without the pieces in them that are stretched."""
    return [svg for svg in Page(html).all("svg") if "preserveaspectratio" not in svg]


def test_it_can_be_read_without_seeing_colours(pages: list[str]) -> None:
    for html in pages:
        page = Page(html)
        for svg in drawings(html):
            assert svg["role"] == "img"
        words = [data for tag, data in page.texts if tag == "desc"]
        assert len(words) == len(drawings(html))
        assert any("The best epoch is" in w for w in words)
        assert "✓ done" in page.text()
        assert all(a["aria-label"] for a in page.all("table"))
        assert all(a["scope"] in ("col", "row") for a in page.all("th"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(scheme: str) -> None:
    """At least 4.5 to 1 (WCAG 2.2) for all text."""
    blocks = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    block = blocks[0 if scheme == "light" else 1]
    colours = dict(re.findall(r"--(\w+): (#\w{6})", block))
    paper = luminance(colours["paper"])
    for name in ("ink", "soft", "accent", "warn"):
        pair = sorted([paper, luminance(colours[name])])
        assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5, name


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_it_is_written_whole(classes: Path, tmp_path: Path) -> None:
    out = write_report(classes, tmp_path / "r.html")
    assert out.read_text(encoding="utf-8") == report_html(classes)
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]
    with pytest.raises(StateError, match="cannot write"):
        write_report(classes, tmp_path / "missing" / "r.html")
