"""Targets beside the rows, and several of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from click.testing import CliRunner

import chainrule as cr
from chainrule.cli.app import app
from chainrule.errors import DataError
from chainrule.modalities.tables import open_table

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 2))
Y = (X[:, 0] > 0).astype(int)
FRAME = pd.DataFrame(X, columns=["a", "b"])


@pytest.mark.parametrize(
    ("rows", "target", "name"),
    [
        (X, Y, "target"),
        (X, Y[:, None], "target"),
        (X, list(Y), "target"),
        (FRAME, pd.Series(Y, name="sick"), "sick"),
        (FRAME, pd.Series(Y, index=range(100, 160)), "target"),
        (FRAME, pd.DataFrame({"sick": Y}), "sick"),
        (pl.DataFrame(X, schema=["a", "b"]), pl.Series("sick", Y), "sick"),
        ({"a": X[:, 0], "b": X[:, 1]}, tuple(Y), "target"),
    ],
)
def test_rows_and_targets_of_any_library(rows: Any, target: Any, name: str) -> None:
    table, _ = open_table((rows, target))
    assert table.columns[-1] == name
    assert next(table.read({name: "number"}))[1][name].tolist() == Y.tolist()


@pytest.mark.parametrize(
    ("rows", "target", "problem"),
    [
        (FRAME, ["a", "b"], "2 targets were given: a, b"),
        (FRAME, FRAME, "2 targets were given: a, b"),
        (X, np.stack([Y, Y, Y], axis=1), "3 targets were given: 0, 1, 2"),
        (X, Y[:20], "there are 60 rows, but 20 values of the target"),
    ],
)
def test_several_targets_are_refused_in_words(rows: Any, target: Any, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        cr.fit(rows, target, runs_dir=None, verbose=False)


def test_a_list_of_one_name_is_a_name() -> None:
    model = cr.fit({"a": X[:, 0], "y": Y}, ["y"], epochs=1, runs_dir=None, verbose=False)
    assert (model.target, model.task) == ("y", "binary")


def test_several_targets_of_a_file_leave_columns_to_learn_from(tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match="no columns are left"):
        cr.fit(tmp_path / "t.csv", ["a", "b"], runs_dir=None, verbose=False)


@pytest.mark.parametrize("command", ["train", "init", "check", "find-lr"])
def test_a_second_target_is_no_input(command: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    FRAME.to_csv(path, index=False)
    words = [command, str(path), "--target", "a", "--target", "b"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert "--target was given 2 times: a and b" in result.stderr
    assert "--also COLUMN" in result.stderr


@pytest.mark.parametrize(
    "rows", [pd.DataFrame(), pd.DataFrame({"a": [], "y": []}), np.empty((0, 2))]
)
def test_empty_frames_are_refused_in_words(rows: Any) -> None:
    with pytest.raises(DataError, match=r"has no columns|has column names but no rows"):
        open_table(rows)
