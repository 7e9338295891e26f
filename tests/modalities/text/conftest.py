"""Small texts, and settings under which a training takes no time."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from chainrule.cli.app import app
from chainrule.modalities.text import settings
from hasty import filling

#: of each network, small enough for a test
SMALL: dict[str, tuple[str, ...]] = {
    "bag": ("model.width=8", "train.lr=0.02"),
    "nbsvm": ("train.lr=0.1",),
    "conv": ("model.width=8", "model.filters=4"),
    "gru": ("model.width=8", "model.hidden=8"),
    "transformer": ("model.width=8", "model.heads=2", "model.layers=1"),
}
GOOD, BAD = ("great", "lovely", "fine", "superb"), ("awful", "dull", "poor", "boring")
NEUTRAL = ("the film", "this plot", "its music", "an actor", "the story", "a scene")
SMALL_LANGUAGE = (
    "model.width=16", "tokenizer.length=16", "data.windows=480",
    "train.epochs=4", "train.lr=0.02", "train.batch_size=16",
)  # fmt: skip


#: of each network that continues a text
LANGUAGE: dict[str, tuple[str, ...]] = {
    "gpt": ("model.layers=1", "model.heads=2"), "gru": ("model.hidden=16",),
}  # fmt: skip


def reviews(count: int = 120, seed: int = 0) -> dict[str, list[Any]]:
    """Texts whose label is what their words say, unless "not" turns them around."""
    rng = np.random.default_rng(seed)
    columns: dict[str, list[Any]] = {"review": [], "label": [], "stars": [], "place": []}
    for _ in range(count):
        good, turned = bool(rng.integers(2)), bool(rng.integers(4) == 0)
        word = str(rng.choice(GOOD if good != turned else BAD))
        words = f"{'not ' if turned else ''}{word}"
        subject, other = rng.choice(NEUTRAL, 2, replace=False)
        columns["review"].append(f"{subject} is {words} , and {other} is there")
        columns["label"].append("pos" if good else "neg")
        columns["stars"].append(float(rng.normal(4 if good else 2, 0.5)))
        columns["place"].append(str(rng.choice(["home", "cinema"])))
    return columns


def write(columns: dict[str, list[Any]], path: Path) -> Path:
    """As tsv, or jsonl by the ending."""
    rows = list(zip(*columns.values(), strict=True))
    if path.suffix == ".jsonl":
        lines = [json.dumps(dict(zip(columns, row, strict=True))) for row in rows]
        path.write_text("\n".join(lines) + "\n")
        return path
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter="\t")
        writer.writerows([list(columns), *rows])
    return path


def story(sentences: int = 300, seed: int = 0) -> str:
    """A text in which much can be foreseen."""
    rng = np.random.default_rng(seed)
    who, what = ("the cat", "the dog", "my aunt"), ("sat on", "looked at", "ran from")
    lines = [
        f"{rng.choice(who)} {rng.choice(what)} {rng.choice(who)}." for _ in range(sentences)
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def pairs(count: int = 200, seed: int = 0) -> dict[str, list[str]]:
    """A language of three words for each sentence, and the same in another order."""
    rng = np.random.default_rng(seed)
    words = {"rot": "red", "blau": "blue", "gross": "big", "haus": "house", "hund": "dog",
             "laeuft": "runs", "steht": "stands"}  # fmt: skip
    made: dict[str, list[str]] = {"de": [], "en": []}
    for _ in range(count):
        a, b, c = (str(rng.choice(list(words)[k])) for k in (slice(0, 3), slice(3, 5), slice(5, 7)))
        number = int(rng.integers(100))
        made["de"].append(f"{a} {b} {c} {number}")
        made["en"].append(f"{number} {words[c]} {words[a]} {words[b]}")
    return made


@pytest.fixture(autouse=True)
def _batches_fill_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """See `tests/hasty.py`; texts have sizes of their own."""
    usual = settings.batch_size_for
    monkeypatch.setattr(
        settings, "batch_size_for", lambda family, rows: filling(usual(family, rows), rows)
    )


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write({k: v for k, v in reviews().items() if k in ("review", "label")},
                 tmp_path / "reviews.tsv")  # fmt: skip


@pytest.fixture
def novel(tmp_path: Path) -> Path:
    path = tmp_path / "novel.txt"
    path.write_text(story())
    return path


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """A command in an empty folder: no traceback ever."""
    monkeypatch.chdir(tmp_path)

    def invoke(*words: object) -> Result:
        result = CliRunner().invoke(app, list(map(str, words)))
        assert "Traceback" not in result.output
        assert "bug" not in result.output
        return result

    return invoke


def done(result: Result) -> Result:
    assert result.exit_code == 0, result.output
    return result


def columns_of(path: Path) -> Sequence[dict[str, str]]:
    """The rows of a csv."""
    return list(csv.DictReader(path.read_text().splitlines()))
