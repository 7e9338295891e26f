"""What notebooks show: self-contained, escaped, and the same numbers."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.doctor.diagnosing import Diagnoses
from chainrule.doctor.rule import Diagnosis, Sign
from chainrule.doctor.rules import RULES
from chainrule.microscope.lessons import lesson_names, open_lesson
from chainrule.train import History
from chainrule.train.diagnosis.lrfinder import RateSearch

VOID = {"br", "hr", "img", "meta", "wbr"}


class Checked(HTMLParser):
    """Every element is closed, and nothing is loaded or run."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "link", "iframe", "object", "img")
        assert not any(name.startswith("on") or name in ("src", "href") for name, _ in attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def check_html(html: str) -> str:
    parser = Checked()
    parser.feed(html)
    parser.close()
    assert not parser.open
    assert "url(" not in html
    assert "prefers-color-scheme" in html
    return html


def test_models() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    model[2].weight.requires_grad = False
    html = check_html(model._repr_html_())
    assert "weight 4x3" in html
    assert "21 parameters, 4 of them frozen" in html
    tied = nn.Sequential(model[0], model[0])
    assert "16 parameters" in check_html(tied._repr_html_())


class Named(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.add_module("<script>alert(1)</script>", nn.Linear(2, 2))

    def forward(self, x: cr.Tensor) -> cr.Tensor:
        return next(self.children())(x)


def test_names_are_escaped() -> None:
    check_html(Named()._repr_html_())
    x, y = np.ones((2, 2), np.float32), np.zeros((2, 2), np.float32)
    html = check_html(cr.scope(Named(), x, y, "mse")._repr_html_())
    assert "&lt;script&gt;" in html


def test_histories_and_searches() -> None:
    history = History()
    for epoch in range(4):
        history.append(epoch, {"loss": 1 / (epoch + 1), "val_loss": 2 / (epoch + 1)})
    html = check_html(history._repr_html_())
    assert len(re.findall("<polyline", html)) == 2
    check_html(History()._repr_html_())
    rates = np.geomspace(1e-5, 1, 20)
    search = RateSearch(rates, rates, 1 - rates, 1e-2, 1e-1, 1e-2, "it fell fastest at 0.01")
    assert "<circle" in check_html(search._repr_html_())
    empty = np.zeros(0)
    check_html(RateSearch(empty, empty, empty, None, None, None, "nothing")._repr_html_())


def test_diagnoses() -> None:
    rule = RULES["T103"]
    numbers = {name: 1 for name in re.findall(r"{(\w+)", rule.says) if name != "layer"}
    found = Diagnosis(rule, Sign(numbers, "<b>fc1</b>"), True)
    assert "&lt;b&gt;" in check_html(found._repr_html_())
    assert rule.title in check_html(Diagnoses([found])._repr_html_())
    assert "nothing found" in check_html(Diagnoses()._repr_html_())


@pytest.mark.parametrize("name", lesson_names())
def test_every_view_of_the_lessons(name: str) -> None:
    """All kinds of parts, with the totals that the text shows."""
    for _, views in open_lesson(name).pages():
        for view in views:
            html = check_html(view._repr_html_())
            for part in view.to_dict()["parts"]:
                if part["type"] == "sum":
                    assert f">{part['shown']}<" in html
