"""The bundled tables are what their notice says."""

from __future__ import annotations

from pathlib import Path

import pytest

from chainrule.data import BUNDLED, TablePlan, bundled, prepare, read_table, resolve_source
from chainrule.errors import DataError


def test_heart() -> None:
    spec = bundled("heart")
    table = read_table(spec.path)
    assert (table.n_rows, len(table.columns)) == (918, 11)
    assert table.count_values("disease") == {"yes": 508, "no": 410}
    assert table.count_values("chol", "number text")["0"] == 172
    data = prepare(table, spec.target, TablePlan(missing=spec.missing))
    assert data.schema.task == spec.task == "binary"
    assert (len(data.train), len(data.val), len(data.test)) == (642, 138, 138)
    assert data.findings == ()


def test_breast_cancer() -> None:
    spec = bundled("breast_cancer")
    table = read_table(spec.path)
    assert (table.n_rows, len(table.columns)) == (569, 31)
    assert table.count_values("diagnosis") == {"benign": 357, "malignant": 212}
    assert prepare(table, spec.target).train.features.numeric.shape == (399, 30)


def test_diabetes() -> None:
    spec = bundled("diabetes")
    table = read_table(spec.path)
    assert (table.n_rows, len(table.columns)) == (442, 11)
    assert table.count_values("sex", "number text") == {"1": 235, "2": 207}
    data = prepare(table, spec.target, TablePlan(missing=spec.missing))
    assert data.schema.task == spec.task == "regression"
    assert data.train.features.numeric.shape == (310, 10)
    assert data.findings == ()


def test_each_is_in_the_notice() -> None:
    notice = (bundled("heart").path.parent / "NOTICE.md").read_text(encoding="utf-8")
    assert all(f"## {name}.csv" in notice for name in BUNDLED)


def test_a_file_of_that_name_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve_source("heart") is bundled("heart")
    (tmp_path / "heart").write_text("a,b\n1,2\n")
    assert resolve_source("heart") == Path("heart")
    assert resolve_source("other.csv") == Path("other.csv")


def test_an_unknown_name() -> None:
    with pytest.raises(DataError, match="did you mean `heart`"):
        bundled("hart")
