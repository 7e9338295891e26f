"""Tiny runs of each kind that the tests of this folder share, and a page taken apart."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import chainrule.driver  # noqa: F401 - compiled functions run natively
from chainrule.modalities.doors import fit

EVIL = "<script>alert('x')</script>"
VOID = {"meta", "br", "hr", "img", "wbr"}


class Page(HTMLParser):
    """Elements in order, their attributes and all text; every end tag must fit."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self._goes_on = False
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        self._goes_on = tag == "wbr"  # a place where a word may be divided, not its end

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._goes_on:
            data = self.texts.pop()[1] + data
        self.texts.append((self.open[-1] if self.open else "", data))
        self._goes_on = False

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]

    def text(self) -> str:
        return "".join(data for tag, data in self.texts if tag != "style")


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("report")


@pytest.fixture(scope="session")
def classes(runs: Path) -> Path:
    """Three classes from columns whose names and values are HTML."""
    rng = np.random.default_rng(1)
    size = rng.normal(size=150)
    kind = rng.integers(0, 3, 150)
    label = np.array(["low", EVIL, "a & b"])[np.digitize(size + kind, [0.5, 2.0])]
    size[::10] = np.nan
    table = {EVIL: size, "kind": [f"</td>{k}" for k in kind], "flag": kind == 1, "a<b>": label}
    return _run(fit(table, "a<b>", epochs=12, layers=[8], runs_dir=runs, name="x", verbose=False))


@pytest.fixture(scope="session")
def numbers(runs: Path) -> Path:
    """A regression."""
    rng = np.random.default_rng(2)
    x = rng.uniform(-2, 2, (200, 2))
    y = 3 * x[:, 0] - x[:, 1] + 10 + 0.1 * rng.normal(size=200)
    table = {"first": x[:, 0], "second": x[:, 1], "y": y}
    return _run(
        fit(table, "y", epochs=30, layers=[8], lr=0.02, schedule="cosine", runs_dir=runs,
            verbose=False)
    )  # fmt: skip


def _run(predictor: object) -> Path:
    run = predictor.run  # type: ignore[attr-defined]
    assert isinstance(run, Path)
    return run


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[Path], Path]:
    """A copy of a run that a test may damage."""
    return lambda run: Path(shutil.copytree(run, tmp_path / run.name))
