"""Nothing leaks: what comes after a cut-off changes no bit of what is before it.

For each network, and for each fold of one, everything from the test part on is replaced by other
numbers: weights, scaling and preprocessor, choices of the settings, and every forecast that begins
before it stay the same to the last bit. For scaling, the same holds from the validation part on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from chainrule.modalities.series import NETWORKS, SERIES, fit_series
from chainrule.modalities.series.prepare import PreparedSeries
from chainrule.runs.preparation import open_data, prepare_data
from chainrule.runs.settings.arguments import from_arguments
from chainrule.runs.settings.sources import from_overrides, gather
from interpreting import interpreting

from .conftest import FAST, SMALL, columns_of

COUNT = 60
ROLES: dict[str, Any] = {
    "target": "sales", "time": "month", "group": ("shop",), "horizon": 4, "window": 12,
    "past": ("price",), "static": ("size",),
}  # fmt: skip
FOLDS = ((1, 2), (2, 2))


@pytest.fixture(scope="module", autouse=True)
def _interpreted() -> Iterator[None]:
    """It is about what networks are given, not about their code."""
    with interpreting():
        yield


def changed(columns: dict[str, list[Any]], step: int) -> dict[str, list[Any]]:
    """Other targets and covariates from a step of the axis on, some of them missing: but not the
    last, because the cut-offs lie where they do by the number of steps."""
    rng = np.random.default_rng(9)
    result = {name: list(values) for name, values in columns.items()}
    for row in range(len(result["month"])):
        if row % COUNT >= step:
            result["sales"][row] = float("nan") if row % 5 == 3 else -1e4 * float(rng.random())
            result["price"][row] = 1e3 * float(rng.random())
    return result


def prepared(columns: dict[str, list[Any]], network: str, fold: tuple[int, ...]) -> PreparedSeries:
    values = {**ROLES, "network": network, "fold": fold}
    overrides = ("data.calendar=true", *FAST, *SMALL[network])
    sources = [from_arguments(values, SERIES.arguments), from_overrides(overrides, "test")]
    settings = gather(sources, SERIES.settings).settings
    result = prepare_data(open_data(SERIES, settings, columns, None), None, None)
    assert isinstance(result, PreparedSeries)
    return result


def trained(columns: dict[str, list[Any]], network: str, fold: tuple[int, ...]) -> Any:
    settings = ["data.calendar=true", f"data.fold={list(fold)}", *FAST, *SMALL[network]]
    return fit_series(
        columns, network=network, settings=settings, runs_dir=None, verbose=False, **ROLES
    )


def origins_of(data: PreparedSeries) -> list[tuple[int, int]]:
    """Series and step of the forecasts of the test part."""
    chosen = data.parts[2]
    return list(zip(chosen.series.tolist(), chosen.step.tolist(), strict=True))


@pytest.mark.parametrize(
    ("network", "fold"), [*((n, ()) for n in NETWORKS), *(("dlinear", fold) for fold in FOLDS)]
)
def test_what_comes_later_changes_nothing(network: str, fold: tuple[int, ...]) -> None:
    columns = columns_of(COUNT)
    before = prepared(columns, network, fold)
    test, validation = (int(before.parts[i].step.min()) for i in (2, 1))
    after = prepared(changed(columns, test), network, fold)
    earlier = prepared(changed(columns, validation), network, fold)
    assert before.preprocessor.to_json() == after.preprocessor.to_json()
    assert before.preprocessor.to_json() == earlier.preprocessor.to_json()
    assert before.settings == after.settings == earlier.settings
    for part in ("train", "validation"):
        assert before.target(part).tobytes() == after.target(part).tobytes()  # type: ignore[arg-type]
    assert before.target("train").tobytes() == earlier.target("train").tobytes()
    one, two = (trained(c, network, fold) for c in (columns, changed(columns, test)))
    assert one.history.to_dict() == two.history.to_dict()
    for (name, a), b in zip(
        one.model.state_dict().items(), two.model.state_dict().values(), strict=True
    ):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes(), name
    outputs = [p.scores_of(d.validation).values for p, d in ((one, before), (two, after))]
    assert outputs[0].tobytes() == outputs[1].tobytes()


@pytest.mark.parametrize("network", NETWORKS)
def test_a_forecast_sees_its_past_and_nothing_else(network: str) -> None:
    """Of one trained network: values after its first forecast, and before its last one."""
    columns = columns_of(COUNT)
    model = trained(columns, network, ())
    data = prepared(columns, network, ())
    chosen = data.parts[2].step
    outputs = model.scores_of(data.test).values
    for step in (int(chosen.min()), int(chosen.max())):
        other = prepared(changed(columns, step), network, ())
        # Forecasts of which no target is known any more are left out.
        kept = {pair: i for i, pair in enumerate(origins_of(other))}
        values = model.scores_of(other.test).values
        pairs = [
            (i, kept[s, at])
            for i, (s, at) in enumerate(
                zip(data.parts[2].series.tolist(), chosen.tolist(), strict=True)
            )
            if at <= step and (s, at) in kept
        ]
        assert pairs
        for i, j in pairs:
            assert outputs[i].tobytes() == values[j].tobytes()
