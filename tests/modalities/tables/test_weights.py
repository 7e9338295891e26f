"""Weights of the rows of a table: a column, or numbers in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.modalities.tables.kind import TABLES
from interpreting import interpreting

RNG = np.random.default_rng(0)
ROWS = 60
TABLE: dict[str, Any] = {
    "a": RNG.normal(size=ROWS),
    "b": RNG.normal(size=ROWS),
    "y": np.where(np.arange(ROWS) % 2 == 0, "no", "yes"),
}
WEIGHTS = RNG.integers(1, 5, ROWS).astype(float)
HOW: dict[str, Any] = {"runs_dir": None, "verbose": False, "epochs": 2, "layers": [4]}


def test_a_column_and_numbers_in_memory_say_the_same() -> None:
    with interpreting():
        named = cr.fit_table({**TABLE, "w": WEIGHTS}, "y", weights="w", **HOW)
        given = cr.fit_table(TABLE, "y", weights=WEIGHTS, **HOW)
        even = cr.fit_table(TABLE, "y", **HOW)
    np.testing.assert_array_equal(named.predict_proba(TABLE), given.predict_proba(TABLE))
    assert named.history["val_loss"] == given.history["val_loss"]
    assert even.history["val_loss"] != given.history["val_loss"]


def test_equal_weights_change_nothing_of_note() -> None:
    with interpreting():
        weighted = cr.fit_table(TABLE, "y", weights=np.full(ROWS, 7.0), **HOW)
        even = cr.fit_table(TABLE, "y", **HOW)
    np.testing.assert_allclose(weighted.predict_proba(TABLE), even.predict_proba(TABLE), rtol=1e-4)


def test_weights_are_no_input_and_are_kept_in_the_run(tmp_path: Path) -> None:
    table = {**TABLE, "w": WEIGHTS}
    with interpreting():
        fitted = cr.fit_table(table, "y", weights="w", **{**HOW, "runs_dir": tmp_path})
    loaded = cr.load_run(fitted.run)
    np.testing.assert_array_equal(loaded.predict_proba(TABLE), fitted.predict_proba(table))
    assert "w" not in [column.name for column in fitted.preprocessor.schema.inputs]
    assert 'weight = "w"' in (fitted.run / "run.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (np.zeros(ROWS), "all sample weights are zero"),
        (-WEIGHTS, "negative"),
        (np.where(np.arange(ROWS) == 3, np.nan, WEIGHTS), "a sample weight is nan"),
    ],
)
def test_numbers_that_are_no_weights_are_refused(weights: Any, said: str) -> None:
    with pytest.raises(cr.DataError, match=said):
        cr.fit_table(TABLE, "y", weights=weights, **HOW)


def test_a_column_that_does_not_exist_is_refused() -> None:
    with pytest.raises(cr.DataError, match="no column named `wight`"):
        cr.fit_table({**TABLE, "w": WEIGHTS}, "y", weights="wight", **HOW)


def test_mixed_rows_have_no_weights() -> None:
    mixup = "train.regularization.mixup=0.2"
    with pytest.raises(cr.ConfigError, match="no weight of their own"):
        cr.fit_table(TABLE, "y", weights=WEIGHTS, settings=[mixup], **HOW)


def test_numbers_in_memory_do_not_go_with_a_path() -> None:
    with pytest.raises(cr.ConfigError, match="name of a column"):
        cr.fit_table("heart", weights=WEIGHTS, **HOW)


def test_weights_go_along_when_all_rows_are_trained_on() -> None:
    """``train.refit``: the model is that of all rows with their weights, and not without."""
    own = {**HOW, "settings": ["train.refit=true"]}
    with interpreting():
        first, again = (cr.fit_table(TABLE, "y", weights=WEIGHTS, **own) for _ in range(2))
        plain = cr.fit_table(TABLE, "y", **own)
    np.testing.assert_array_equal(first.predict_proba(TABLE), again.predict_proba(TABLE))
    assert not np.array_equal(first.predict_proba(TABLE), plain.predict_proba(TABLE))


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (np.where(np.arange(ROWS) == 4, -1.0, 1.0), "row 5"),
        (np.zeros(ROWS), "all sample weights are zero"),
    ],
)
def test_weights_are_refused_before_there_is_a_run(weights: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(cr.DataError) as told:
        cr.fit_table({**TABLE, "w": weights}, "y", weights="w", **{**HOW, "runs_dir": tmp_path})
    assert said in str(told.value)
    assert not list(tmp_path.iterdir())


def test_weights_of_the_training_rows_alone_count() -> None:
    how = {**HOW, "split": (0.5, 0.5, 0.0)}
    with interpreting():
        seen = cr.fit_table(TABLE, "y", **how)
    trained = TABLES.open(seen.settings, TABLE, None).prepare(seen.settings, None).parts.train.rows
    weights = np.ones(ROWS)
    weights[trained] = 0
    with pytest.raises(cr.DataError, match="all training rows have a weight of zero"):
        cr.fit_table({**TABLE, "w": weights}, "y", weights="w", **how)


@pytest.mark.parametrize("also", [None, ["w"]])
def test_a_target_is_no_weight(also: Any) -> None:
    name = "w" if also else "y"
    with pytest.raises(cr.ConfigError, match=f"`{name}` cannot say how much rows count"):
        cr.fit_table({**TABLE, "w": WEIGHTS}, "y", also=also, weights=name, **HOW)
