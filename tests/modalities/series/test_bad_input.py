"""Input that is wrong is refused with the row and what to do, or works and says how."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

from chainrule.errors import ChainruleError, ConfigError, DataError
from chainrule.modalities.series import SERIES, fit_series
from chainrule.modalities.series.prepare import PreparedSeries
from chainrule.runs.preparation import open_data, prepare_data
from chainrule.runs.settings.arguments import from_arguments
from chainrule.runs.settings.sources import from_overrides, gather
from interpreting import interpreting

from .conftest import PLAIN, columns_of, months, write

Columns = dict[str, list[Any]]
Spoil = Callable[[Columns], None]


@pytest.fixture(scope="module", autouse=True)
def _interpreted() -> Iterator[None]:
    """It is about what networks are given, not about their code."""
    with interpreting():
        yield


def prepared(source: Any, *overrides: str, **arguments: Any) -> PreparedSeries:
    values = {"horizon": 4, **arguments}
    sources = [from_arguments(values, SERIES.arguments), from_overrides(overrides, "test")]
    settings = gather(sources, SERIES.settings).settings
    result = prepare_data(open_data(SERIES, settings, source, None), None, None)
    assert isinstance(result, PreparedSeries)
    return result


def single(count: int = 80) -> Columns:
    rng = np.random.default_rng(0)
    return {"month": months(count), "value": rng.normal(10, 1, count).round(3).tolist()}


def double(columns: Columns) -> None:
    columns["month"][7] = columns["month"][5]


def forget(columns: Columns) -> None:
    columns["month"][7] = None


def mix_zones(columns: Columns) -> None:
    hours = np.datetime64("2020-01-01T00", "h") + np.arange(80)
    texts = [str(h).replace("T", " ") + ":00:00" for h in hours]
    columns["month"] = [f"{t}+01:00" if i > 40 else t for i, t in enumerate(texts)]


def mix_frequencies(columns: Columns) -> None:
    hours = (np.datetime64("2020-01-01T00:00", "m") + 60 * np.arange(80)).astype(str).tolist()
    hours[50] = "2020-01-03T02:25"
    columns["month"] = hours


def word(columns: Columns) -> None:
    columns["value"] = [str(v) for v in columns["value"]]
    columns["value"][11] = "many"


def infinity(columns: Columns) -> None:
    columns["value"] = [str(v) for v in columns["value"]]
    columns["value"][11] = "inf"


def empty(columns: Columns) -> None:
    columns["value"] = [None] * 80


@pytest.mark.parametrize(
    ("spoil", "message", "where"),
    [
        (double, "2000-06-01 occurs twice", "row 6 and spoiled.csv, row 8"),
        (forget, "1 row has no time stamp", "row 8"),
        (mix_zones, "has a time zone and", "row 42"),
        (mix_frequencies, "hourly, but 2020-01-03T02:25 lies between two steps", "row 51"),
        (word, "`many` in column `value` is not a number", "row 12"),
        (infinity, "`value` is infinite", "row 12"),
        (empty, "the target has no number", "row 1"),
    ],
)
def test_rows_that_cannot_be_used(spoil: Spoil, message: str, where: str, tmp_path: Path) -> None:
    columns = single()
    spoil(columns)
    path = write(columns, tmp_path / "spoiled.csv")
    with pytest.raises(DataError, match=message) as caught:
        prepared(path, target="value", time="month")
    assert where in caught.value.where
    assert caught.value.help


def test_stamps_in_any_order_are_the_same_data() -> None:
    columns, rng = single(), np.random.default_rng(1)
    order = rng.permutation(80)
    shuffled = {name: [values[i] for i in order] for name, values in columns.items()}
    one, two = prepared(columns), prepared(shuffled)
    assert one.encoded.values.tobytes() == two.encoded.values.tobytes()


def test_gaps_and_unknown_values_count_in_nothing() -> None:
    columns = single()
    columns["value"][30] = float("nan")
    for name in columns:
        del columns[name][40:43]
    data = prepared(columns)
    [finding] = [f for f in data.findings if f.code == "D403"]
    assert "4 of 80 steps (monthly); the first at 2002-07-01" in finding.evidence
    values = data.encoded.values[data.preprocessor.window :, :]
    assert values[[30, 40, 41, 42], -1].tolist() == [0, 0, 0, 0]
    assert values[30, 0] == values[29, 0]
    target = data.target("train")["value"]
    assert np.isnan(target).sum() > 0


def test_series_that_are_too_short_or_constant_are_said() -> None:
    columns = columns_of(80)
    columns["sales"][80:] = [7.0] * 80
    columns = {name: values[:92] for name, values in columns.items()}
    data = prepared(columns, target="sales")
    codes = {f.code: f for f in data.findings}
    assert "b" in codes["D404"].evidence
    assert "b" in codes["D405"].evidence
    assert "b" in codes["D406"].evidence
    model = fit_series(columns, "sales", horizon=4, settings=list(PLAIN), runs_dir=None,
                       verbose=False)  # fmt: skip
    assert np.isfinite(model.predict(columns)).all()
    assert np.isfinite(model.metrics["mase"])


def test_a_constant_series_alone() -> None:
    columns = {"month": months(80), "value": [3.0] * 80}
    model = fit_series(columns, horizon=4, settings=list(PLAIN), runs_dir=None, verbose=False)
    np.testing.assert_allclose(model.predict(columns), 3.0, atol=1e-3)
    assert np.isnan(model.metrics["mase"])


@pytest.mark.parametrize(
    ("arguments", "message", "help"),
    [
        ({"horizon": 30}, "80 steps are too few for forecasts of 30 steps", "shorter --horizon"),
        ({"horizon": 4, "fold": (1, 19)}, "too few for forecasts of 4 steps and 19 folds",
         "fewer --folds"),
        ({"target": "valeu"}, "no column named `valeu`", "did you mean `value`?"),
        ({"time": "value", "target": "value"}, "two roles", ""),
        ({"frequency": "mothly"}, "`data.frequency` is 'mothly'", "monthly"),
        ({"quantiles": (0.9, 0.1)}, "`data.quantiles`", "ascending"),
        ({"network": "dlinaer"}, "no network 'dlinaer'", "dlinear"),
        ({"known": ("price",)}, "no column named `price`", ""),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit(arguments: dict[str, Any], message: str, help: str) -> None:
    with pytest.raises(ChainruleError, match=message) as caught:
        prepared(single(), **arguments)
    assert help in caught.value.help


@pytest.mark.parametrize(
    ("drop", "message", "help"),
    [
        (("month",), "no column holds time stamps", "--time COLUMN"),
        (("shop",), "occurs twice", "--group"),
        ((), "3 columns hold numbers", "--target COLUMN"),
    ],
)
def test_roles_that_cannot_be_told(drop: tuple[str, ...], message: str, help: str) -> None:
    columns = {n: v for n, v in columns_of(40).items() if n not in drop}
    columns["demand_"] = columns.pop("sales")
    with pytest.raises(DataError, match=message) as caught:
        prepared(columns, **({"target": "demand_"} if drop else {}))
    assert help in caught.value.help


def test_static_columns_have_one_value() -> None:
    columns = columns_of(40)
    columns["size"][45] = 9.0
    with pytest.raises(DataError, match="`size` changes from 4 to 9 in series `b`") as caught:
        prepared(columns, target="sales", static=("size",))
    assert "row 46" in caught.value.where


@pytest.mark.parametrize("missing", ["row", "cell"])
def test_a_future_that_is_not_known(missing: str) -> None:
    later = columns_of(84)
    later["sales"] = [None if i % 84 >= 80 else v for i, v in enumerate(later["sales"])]
    data = {n: [v for i, v in enumerate(vs) if i % 84 < 80] for n, vs in later.items()}
    model = fit_series(data, "sales", horizon=4, known=("price",), settings=list(PLAIN),
                       runs_dir=None, verbose=False)  # fmt: skip
    assert model.forecast(later).values.shape == (2, 4, 5)
    if missing == "row":
        for values in later.values():
            del values[-2:]
    else:
        later["price"][-2] = None
    with pytest.raises(DataError, match="`price` of series `b` is not known at 2006-11-01"):
        model.forecast(later)


def test_a_horizon_that_is_longer_than_the_training_is_said() -> None:
    model = fit_series(single(), horizon=4, settings=list(PLAIN), runs_dir=None, verbose=False)
    made = model.forecast(single(), horizon=10)
    assert made.values.shape == (1, 10, 5)
    assert [f.code for f in model.last_findings] == ["D408"]
    np.testing.assert_array_equal(made.values[:, :4], model.forecast(single()).values)
    assert not model.last_findings
    for wrong in (0, -1, 2.5, "x"):
        with pytest.raises(ConfigError):
            model.forecast(single(), horizon=wrong)  # type: ignore[arg-type]


def test_a_forecast_worse_than_naive_says_so_first(run: Callable[..., Result]) -> None:
    rng = np.random.default_rng(3)
    walk = np.cumsum(rng.choice([-1.0, 1.0], 200)).tolist()
    path = write({"month": months(200), "value": walk}, Path("walk.csv"))
    spoiled = ("--lr", 0.5, "--patience", 1, "--epochs", 1, "model=dlinear",
               "train.early_stopping.restore_best=false")  # fmt: skip
    result = run("train", path, "--horizon", 3, *spoiled)
    assert result.exit_code == 0, result.output
    lines = result.stderr.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("Worse than the naive forecast"))
    assert lines[at + 1].startswith("done after")
    told = run("report", "last", "--json").stdout
    assert '"result": "Worse than the naive forecast' in told
    assert "D409" in run("eval", "last", path).output


def test_later_data_is_needed_to_evaluate() -> None:
    model = fit_series(single(), horizon=4, settings=list(PLAIN), runs_dir=None, verbose=False)
    early = {name: values[:60] for name, values in single().items()}
    with pytest.raises(DataError, match="no series has 4 steps from 2005-09-01 on"):
        model.evaluate(early)
    assert model.evaluate(single()) == pytest.approx(model.metrics)


def test_a_pipeline_that_was_changed(shops: Path) -> None:
    model = fit_series(shops, "sales", horizon=3, settings=list(PLAIN), verbose=False,
                       runs_dir=shops.parent / "runs")  # fmt: skip
    text = model.preprocessor.to_json()
    read = SERIES.read_preprocessor(text, "here")
    assert read.to_json() == text
    for old, new in (('"month"', '"fortnight"'), ('"horizon": 3', '"horizon": 0'),
                     ('"version": 1', '"version": 2')):  # fmt: skip
        assert old in text
        with pytest.raises(ChainruleError):
            SERIES.read_preprocessor(text.replace(old, new), "here")
