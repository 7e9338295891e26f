"""Small series, and settings under which a training takes no time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from chainrule.cli.app import app

FAST: tuple[str, ...] = ("train.epochs=3", "train.batch_size=32")
#: the quickest network to compile, where it is not about networks
PLAIN: tuple[str, ...] = (*FAST, "model.name=dlinear", "model.kernel=5")
#: of each network, small enough for a test
SMALL: dict[str, tuple[str, ...]] = {
    "dlinear": ("model.kernel=5",),
    "nhits": ("model.width=8", "model.stacks=2"),
    "tsmixer": ("model.width=4", "model.blocks=1"),
    "tcn": ("model.width=4",),
    "lstm": ("model.width=4",),
}


def months(count: int, start: str = "2000-01") -> list[str]:
    return (np.datetime64(start, "M") + np.arange(count)).astype(str).tolist()


def columns_of(count: int = 96, names: str = "ab", seed: int = 0) -> dict[str, list[Any]]:
    """Monthly series that grow, repeat themselves, and follow a price that is known."""
    rng = np.random.default_rng(seed)
    columns: dict[str, list[Any]] = {"shop": [], "month": [], "sales": [], "price": [], "size": []}
    for i, name in enumerate(names):
        steps = np.arange(count)
        price = rng.choice([1.0, 1.2, 1.5], count)
        level = 50 + 10 * i + 0.4 * steps + 8 * np.sin(steps * np.pi / 6) - 10 * price
        columns["shop"] += [name] * count
        columns["month"] += months(count)
        columns["sales"] += (level + rng.normal(0, 1, count)).round(3).tolist()
        columns["price"] += price.tolist()
        columns["size"] += [float(3 + i)] * count
    return columns


def write(columns: dict[str, list[Any]], path: Path) -> Path:
    """As csv; None and NaN are empty cells."""
    rows = zip(*columns.values(), strict=True)
    lines = [",".join("" if c is None or c != c else str(c) for c in row) for row in rows]
    path.write_text("\n".join([",".join(columns), *lines]) + "\n")
    return path


@pytest.fixture
def shops(tmp_path: Path) -> Path:
    return write(columns_of(), tmp_path / "shops.csv")


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
