"""Tables that are too small, too wide or new, and limits that cannot be met."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import read_table
from chainrule.data.tables.database import Database
from chainrule.data.tables.sql import CHUNK_ROWS
from chainrule.errors import DataError
from chainrule.modalities.tables.kind import TABLES
from chainrule.runs.fitting import settings_from_arguments
from interpreting import interpreting

RNG = np.random.default_rng(0)
N = 90
X = RNG.normal(size=(N, 3))
Y = (X[:, 0] > 0).astype(int)
FEW: dict[str, Any] = {"epochs": 2, "batch_size": 64, "runs_dir": None, "verbose": False}


def prepare(path: Path, *overrides: str, **arguments: Any) -> Any:
    settings = settings_from_arguments(TABLES, path, {"target": "y", **arguments}, overrides)
    opened = TABLES.open(settings, None, None)
    return opened.prepare(opened.settings, None)


def write(path: Path, rows: int, columns: int) -> Path:
    cells = RNG.normal(size=(rows, columns)).round(3)
    names = ",".join([*(f"c{i}" for i in range(columns)), "y"])
    lines = [",".join([*map(str, row), str(i % 2)]) for i, row in enumerate(cells)]
    path.write_text("\n".join([names, *lines]))
    return path


@pytest.mark.parametrize("rows", [1, 2])
def test_tables_of_few_rows(tmp_path: Path, rows: int) -> None:
    with pytest.raises(DataError):
        prepare(write(tmp_path / "t.csv", rows, 3))


def test_a_class_that_is_one_group(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    labels = ["rare" if i < 10 else "ab"[i % 2] for i in range(N)]
    groups = ["first" if i < 10 else f"g{i % 20}" for i in range(N)]
    rows = [f"{x:.4f},{g},{y}" for x, g, y in zip(X[:, 0], groups, labels, strict=True)]
    path.write_text("\n".join(["x,g,y", *rows]))
    seen = set()
    for seed in range(8):
        prepared = prepare(path, f"seed={seed}", split_group="g")
        trained = set(prepared.parts.train.target.tolist())
        absent = [f for f in prepared.findings if "never predicted" in f.message]
        assert (2 in trained) != bool(absent)
        seen.add(2 in trained)
    assert True in seen


def test_statements_do_not_grow_with_the_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts, plain = [], Database.execute

    def counted(self: Database, sql: str, parameters: Any = ()) -> Any:
        counts[-1] += 1
        return plain(self, sql, parameters)

    monkeypatch.setattr(Database, "execute", counted)
    for columns in (450, 2000):
        counts.append(0)
        prepared = prepare(write(tmp_path / "t.csv", 40, columns))
        assert len(prepared.preprocessor.names) == columns
    assert counts[1] == counts[0]


def test_columns_that_are_new_at_prediction_time() -> None:
    model = cr.fit({"a": X[:, 0], "b": X[:, 1]}, Y, **FEW)
    more = {"new": ["?"] * N, "b": X[:, 1], "a": X[:, 0], "target": Y}
    expected = model.predict_proba({"a": X[:, 0], "b": X[:, 1]})
    np.testing.assert_array_equal(model.predict_proba(more), expected)
    with pytest.raises(DataError, match="no column `b`"):
        model.predict({"a": X[:, 0], "new": X[:, 1]})


def test_a_time_limit_shorter_than_an_epoch() -> None:
    model = cr.fit(X, Y, **{**FEW, "epochs": 50}, time_limit=1e-9)
    assert model.facts["status"] == "done"
    assert model.facts["epochs"] == 1


def test_many_rows_and_one_row_have_the_same_bits() -> None:
    model = cr.fit(X, Y, **FEW)
    many = RNG.normal(size=(40_000, 3))
    together = model.predict_proba(many)
    for row in (0, 16_383, 16_384, 39_999):
        np.testing.assert_array_equal(model.predict_proba(many[row : row + 1])[0], together[row])


def test_many_rows_are_predicted_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    town = [f"t{i % 3}" for i in range(N)]
    with interpreting():
        model = cr.fit({"a": X[:, 0], "town": town, "y": Y}, "y", **{**FEW, "layers": [4]})
    rows = 2 * CHUNK_ROWS + 700
    many = {"a": rng.normal(size=rows), "town": ["t1", "new"] * (rows // 2)}
    table, sizes, answer = read_table(many), [], type(model).scores_of

    def counted(self: Any, inputs: Any) -> Any:
        sizes.append(len(inputs[0]))
        return answer(self, inputs)

    with interpreting():
        whole = model.scores_of(model.inputs(table))
        monkeypatch.setattr(type(model), "scores_of", counted)
        fresh = read_table(many)
        parts = model.scores(fresh)
    np.testing.assert_array_equal(parts.outputs, whole.outputs)
    assert sizes == [CHUNK_ROWS, CHUNK_ROWS + 700]
    assert fresh._database._cast == {}, "numbers of a table that is read once are not kept"
    [finding] = model.last_findings
    assert f"{rows // 2} of {rows} rows" in finding.evidence
