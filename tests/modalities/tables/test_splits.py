"""How rows are held out: files of their own, groups, time, no test part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ConfigError, DataError
from chainrule.modalities.tables.kind import TABLES
from chainrule.modalities.tables.prepare import PreparedTable
from chainrule.report import report_facts
from chainrule.runs.fitting import settings_from_arguments
from chainrule.runs.wording import result_lines

N = 120


def write(path: Path, rows: range, price: Any = lambda i: f"${1000 + i:,}") -> Path:
    lines = [f'"{price(i)}",{i % 5},{1 + i % 12}/{13 + i % 15}/2024,p{i % 30},{int(i % 3 > 0)}'
             for i in rows]  # fmt: skip
    path.write_text("\n".join(["price,z,day,patient,y", *lines]))
    return path


def prepare(path: Path, **arguments: Any) -> PreparedTable:
    settings = settings_from_arguments(TABLES, path, {"target": "y", **arguments}, [])
    opened = TABLES.open(settings, None, None)
    opened.divide(opened.settings)
    return opened.prepare(opened.settings, None)


def test_files_of_their_own_for_the_test_and_validation(tmp_path: Path) -> None:
    train = write(tmp_path / "train.csv", range(N))
    test = write(tmp_path / "test.csv", range(N, N + 21))
    valid = write(tmp_path / "valid.csv", range(N, N + 9))
    prepared = prepare(train, test=str(test), valid=str(valid))
    assert prepared.sizes == {"train": N, "validation": 9, "test": 21}
    assert prepared.truth.tolist() == [float(i % 3 > 0) for i in range(N, N + 21)]
    assert prepared.preprocessor.fitted_rows == N
    alone = prepare(train, test=str(test))
    assert alone.sizes == {"train": 99, "validation": 21, "test": 21}
    whole = prepare(write(tmp_path / "all.csv", range(N + 21)))
    assert len({whole.fingerprint, alone.fingerprint, prepared.fingerprint}) == 3


def test_a_test_file_is_read_as_the_training_rows_are(tmp_path: Path) -> None:
    train = write(tmp_path / "train.csv", range(N))
    plain = write(tmp_path / "plain.csv", range(30), price=lambda i: 1000 + i)
    same = write(tmp_path / "same.csv", range(30))
    features = [
        prepare(train, test=str(file)).parts.test.features.numeric for file in (plain, same)
    ]
    np.testing.assert_array_equal(*features)
    odd = write(tmp_path / "odd.csv", range(30), price=lambda i: "1000,5")
    with pytest.raises(DataError, match=r"`1000,5` in column `price` is not a number"):
        prepare(train, test=str(odd))
    (tmp_path / "short.csv").write_text("price,y\n1,0\n")
    with pytest.raises(DataError, match="no column `z`"):
        prepare(train, test=str(tmp_path / "short.csv"))
    with pytest.raises(DataError, match="file not found"):
        prepare(train, valid=str(tmp_path / "none.csv"))


def test_groups_stay_together_and_are_no_input(tmp_path: Path) -> None:
    prepared = prepare(write(tmp_path / "t.csv", range(N)), split_group="patient")
    rows = [
        part.rows % 30 for part in (prepared.parts.train, prepared.parts.val, prepared.parts.test)
    ]
    groups = [set(r.tolist()) for r in rows]
    assert not (groups[0] & groups[1])
    assert not (groups[0] & groups[2])
    assert not (groups[1] & groups[2])
    assert {e.column for e in prepared.preprocessor.encoders} == {"price", "z", "day"}
    (said,) = (f for f in prepared.findings if f.code == "D123")
    assert said.evidence.startswith("30 groups: 2")
    kept = prepare(tmp_path / "t.csv", split_group="patient", columns={"patient": "category"})
    assert "patient" in {e.column for e in kept.preprocessor.encoders}


def test_the_past_is_trained_on(tmp_path: Path) -> None:
    prepared = prepare(write(tmp_path / "t.csv", range(N)), split_time="price")
    parts = prepared.parts
    assert (
        parts.train.rows.max()
        < parts.val.rows.min()
        <= parts.val.rows.max()
        < parts.test.rows.min()
    )
    (said,) = (f for f in prepared.findings if f.code == "D124")
    assert said.evidence == "they begin at 1000, 1084, 1102"
    by_day = prepare(tmp_path / "t.csv", split_time="day")
    assert "2024-" in next(f for f in by_day.findings if f.code == "D124").evidence


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"split_time": "day", "split_group": "patient"}, "by groups and by time at once"),
        ({"split_time": "day", "fold": (1, 5)}, "would train on the future"),
        ({"split_time": "patient"}, "neither dates nor numbers"),
        ({"split_time": "days"}, "no column named `days`"),
        ({"split_group": "y"}, "cannot be split by the target"),
        ({"test": "heart", "fold": (1, 5)}, "folds cannot be combined with files"),
        ({"split": (1.0, 0.0, 0.0)}, "`data.split`"),
    ],
)
def test_splits_that_cannot_be(tmp_path: Path, arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises((ConfigError, DataError), match=problem):
        prepare(write(tmp_path / "t.csv", range(N)), **arguments)


def test_rows_without_a_group_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", range(N))
    path.write_text(path.read_text().replace(",p7,", ",,"))
    with pytest.raises(DataError, match="4 rows have no `patient`, by which the rows are split"):
        prepare(path, split_group="patient")


def test_without_a_test_part_the_result_says_what_it_was_measured_on(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", range(N))
    model = cr.fit(path, "y", split=(0.75, 0.25, 0.0), epochs=2, batch_size=64,
                   runs_dir=tmp_path / "runs", verbose=False)  # fmt: skip
    assert model.facts["split"] == {"train": 90, "validation": 30, "test": 0}
    said = "\n".join(result_lines(model.facts))
    assert "No rows were held out for a test: those that chose the epoch judge it." in said
    assert "30 validation rows" in said
    assert model.metrics["accuracy"] == pytest.approx(
        cr.load_run(model.run).metrics["accuracy"]  # as it was written
    )
    facts = report_facts(model.run)
    assert "none were held out for a test" in facts["summary"]
    assert "On 30 validation rows that chose the epoch" in facts["result"]
    assert all(m["validation"] == m["test"] for m in facts["metrics"])
