"""A statistical method beside the network, if its library is there: here a stand-in for it."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from chainrule.modalities.series import fit_series
from chainrule.modalities.series.statistical import STATISTICAL

from .conftest import PLAIN, columns_of


class LastValue:
    """As the library's classes are used: fitted once, then carried on from what is known."""

    fitted: list[int]

    def __init__(self, season_length: int) -> None:
        assert season_length == 12

    def fit(self, y: Any) -> LastValue:
        type(self).fitted.append(len(y))
        return self

    def forward(self, y: Any, h: int) -> dict[str, Any]:
        return {"mean": np.full(h, y[-1])}


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    models: Any = ModuleType("statsforecast.models")
    LastValue.fitted = []
    setattr(models, STATISTICAL, LastValue)
    monkeypatch.setitem(sys.modules, "statsforecast.models", models)
    known = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: object() if name == "statsforecast" else known(name),
    )


def test_it_stands_beside_the_naive_forecasts(library: None) -> None:
    model = fit_series(columns_of(), "sales", horizon=4, settings=list(PLAIN), runs_dir=None,
                       verbose=False)  # fmt: skip
    naive, method = (dict(model.baselines[name]) for name in ("naive", STATISTICAL))
    assert np.isnan(method.pop("coverage"))
    naive.pop("coverage")
    assert method == naive
    assert LastValue.fitted == [82, 82]


def test_without_the_library_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    model = fit_series(columns_of(), "sales", horizon=4, settings=list(PLAIN), runs_dir=None,
                       verbose=False)  # fmt: skip
    assert set(model.baselines) == {"naive"}
