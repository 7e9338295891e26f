"""Writing predictions: numbers read back exactly, names survive, failures leave nothing."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from chainrule.errors import ConfigError, StateError
from chainrule.runs.predictions import file_format, write_file, write_text

COLUMNS = [
    ("prediction", np.array(["a,b", 'say "x"', None], dtype=object)),
    ('p "odd"', np.array([0.1, 1e-300, 1 / 3])),
    ("n", np.array([1, -(2**60), 3])),
    ("t", np.array([True, False, True])),
]


def test_csv() -> None:
    out = io.StringIO()
    write_text(COLUMNS, "csv", out)
    assert out.getvalue() == (
        'prediction,"p ""odd""",n,t\n'
        '"a,b",0.1,1,true\n'
        f'"say ""x""",1e-300,{-(2**60)},false\n'
        ",0.3333333333333333,3,true\n"
    )


def test_tsv_and_jsonl() -> None:
    out = io.StringIO()
    write_text(COLUMNS[1:], "tsv", out)
    assert out.getvalue().splitlines()[1] == "0.1\t1\ttrue"
    out = io.StringIO()
    write_text(COLUMNS, "jsonl", out)
    rows = [json.loads(line) for line in out.getvalue().splitlines()]
    assert rows[2] == {"prediction": None, 'p "odd"': 1 / 3, "n": 3, "t": True}


def test_parquet(tmp_path: Path) -> None:
    write_file(COLUMNS, tmp_path / "it's.parquet")
    table = pq.read_table(tmp_path / "it's.parquet").to_pydict()
    assert table == {name: values.tolist() for name, values in COLUMNS}


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("before")
    write_file(COLUMNS, path)
    assert path.read_text().startswith("prediction,")
    path.write_text("before")
    broken = [("x", np.array([1.0, float("nan")]))]
    with pytest.raises(ValueError, match="JSON"):
        write_file(broken, tmp_path / "out.jsonl")
    assert [p.name for p in tmp_path.iterdir()] == ["out.csv"]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_folder_that_does_not_exist(ending: str, tmp_path: Path) -> None:
    with pytest.raises(StateError, match="cannot be written"):
        write_file(COLUMNS, tmp_path / "none" / f"out.{ending}")


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet"])
def test_what_a_killed_process_left_is_removed_and_what_is_written_is_not(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, left = tmp_path / f"out.{ending}", tmp_path / f".0123abcd-out.{ending}"
    other = tmp_path / f".0123abcd-other.{ending}"
    left.write_text("half")
    other.write_text("what another command writes")
    replace = os.replace

    def interrupted(source: Path, target: Path) -> None:
        monkeypatch.setattr(os, "replace", replace)
        write_file(COLUMNS[2:], path)  # another one, which must not take what is ready here
        assert Path(source).exists()
        replace(source, target)

    monkeypatch.setattr(os, "replace", interrupted)
    write_file(COLUMNS, path)
    assert {p.name for p in tmp_path.iterdir()} == {path.name, other.name}


def test_formats() -> None:
    assert file_format(Path("a.b.CSV")) == ("csv", False)
    assert file_format(Path("a.ndjson.gz")) == ("jsonl", True)
    for name in ("out", "out.xlsx", "out.parquet.gz"):
        with pytest.raises(ConfigError):
            file_format(Path(name))
