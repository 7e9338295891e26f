"""Tables and a fitted run that the tests of this folder share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import chainrule.driver  # noqa: F401 - compiled functions run natively
from chainrule.modalities.doors import fit
from chainrule.modalities.tables.predictor import TablePredictor

Columns = dict[str, npt.NDArray[np.generic] | list[object]]


def people(rows: int = 240, seed: int = 5) -> Columns:
    """Numbers with gaps, few and many categories, and a target that follows from them."""
    rng = np.random.default_rng(seed)
    age = rng.integers(20, 80, rows).astype(float)
    income = rng.normal(40.0, 12.0, rows)
    town = rng.integers(0, 15, rows)
    smoker = rng.random(rows) < 0.4
    score = (age - 50) / 15 + (income - 40) / 12 + 1.5 * smoker + (town % 3 - 1)
    income[rng.random(rows) < 0.1] = np.nan
    return {
        "age": age,
        "income": income,
        "town": [f"town {t}" for t in town],
        "smoker": ["yes" if s else "no" for s in smoker],
        "ill": np.where(score + 0.3 * rng.normal(size=rows) > 0.6, "ill", "well"),
    }


@pytest.fixture(scope="session")
def table() -> Columns:
    return people()


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="session")
def fitted(table: Columns, runs: Path) -> TablePredictor:
    """A binary predictor with its run folder."""
    return fit(table, "ill", epochs=40, runs_dir=runs, verbose=False)
