"""Rows are predicted part by part, whoever predicts: the same bits, and few rows held at once."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.data.tables import preprocessor
from chainrule.data.tables.features import Features, FeatureWriter
from chainrule.modalities.tables import predictor
from interpreting import interpreting

RNG = np.random.default_rng(6)
PART, REST = 50, 30
N = 4 * PART + REST
X = RNG.normal(size=(N, 2))
COLUMNS: dict[str, Any] = {
    "a": X[:, 0],
    "b": X[:, 1],
    "town": [f"t{i % 3}" for i in range(N)],
    "price": np.where(RNG.random(N) < 0.1, np.nan, X[:, 0] - X[:, 1]),
    "ill": np.where(X[:, 0] + RNG.normal(size=N) > 0, "yes", "no").tolist(),
}
NEW = {**COLUMNS, "town": ["t1", "new"] * (N // 2)}
QUICK: dict[str, Any] = {"epochs": 1, "layers": (8,), "preset": "fast", "verbose": False}


def without(name: str) -> dict[str, Any]:
    return {column: values for column, values in COLUMNS.items() if column != name}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder of each kind of predictor."""
    options = {**QUICK, "runs_dir": tmp_path_factory.mktemp("runs")}
    bagging = ["ensemble.folds=2", 'ensemble.recipes=["fast"]']
    with interpreting():
        trained = {
            "alone": cr.fit(without("price"), "ill", **options),
            "folds": cr.cross_validate(without("price"), "ill", folds=2, **options),
            "seeds": cr.cross_validate(without("ill"), "price", folds=None, seeds=2, **options),
            "ensemble": cr.fit(
                without("price"), "ill", settings=bagging, **{**options, "preset": "best"}
            ),
            "targets": cr.fit(COLUMNS, "price", also=["ill"], **options),
        }
    return {name: each.run for name, each in trained.items() if each.run is not None}


class Held:
    """How many encoded rows there are at the moment, and were at most."""

    def __init__(self) -> None:
        self.now = self.most = 0

    def add(self, features: Features) -> None:
        rows = len(features)
        self.now += rows
        self.most = max(self.most, self.now)
        weakref.finalize(features.numeric, self.remove, rows)

    def remove(self, rows: int) -> None:
        self.now -= rows


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Held:
    """The rows that are encoded from now on."""
    counted, plain = Held(), FeatureWriter.features

    def features(self: FeatureWriter, tallied: int | None = None) -> Features:
        made = plain(self, tallied)
        counted.add(made)
        return made

    monkeypatch.setattr(FeatureWriter, "features", features)
    return counted


def said(model: Any, rows: dict[str, Any]) -> list[Any]:
    """All that a predictor says of some rows."""
    columns = model.columns(rows, bool(model.classes))
    return [(name, np.asarray(values).tolist()) for name, values in columns]


@pytest.mark.parametrize("name", ["alone", "folds", "seeds", "ensemble", "targets"])
def test_parts_have_the_bits_of_the_whole(
    runs: dict[str, Path], name: str, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = cr.load_run(runs[name])
    assert (len(model.members) > 1) == (name in ("folds", "seeds", "ensemble"))
    whole, findings, judged = said(model, NEW), model.last_findings, model.evaluate(COLUMNS)
    assert any(f"{N // 2} of {N} rows" in finding.evidence for finding in findings)
    assert held.most >= N
    for module in (predictor, preprocessor):
        monkeypatch.setattr(module, "CHUNK_ROWS", PART)
    held.most = held.now
    assert held.now == 0, "nothing is kept"
    assert said(model, NEW) == whole
    assert model.last_findings == findings
    assert model.evaluate(COLUMNS) == judged
    assert PART <= held.most <= PART + REST
    for row in (0, PART, N - 1):
        [alone] = zip(*(values for _, values in said(model, one(row))), strict=True)
        assert alone == tuple(values[row] for _, values in whole)


def one(row: int) -> dict[str, Any]:
    """A row of `NEW` as a table."""
    return {column: values[row : row + 1] for column, values in NEW.items()}
