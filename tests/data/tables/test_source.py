"""Reading: each awkward file works or says what is wrong and where."""

from __future__ import annotations

import datetime
import gzip
import os
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chainrule.data import Table, read_table
from chainrule.errors import DataError


def write(folder: Path, content: bytes | str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def texts(table: Table) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {c: [] for c in table.columns}
    for _, chunk in table.read(dict.fromkeys(table.columns, "text")):
        for column, values in chunk.items():
            found[column] += values.tolist()
    return found


AB = {"a": ["1", "3"], "b": ["2", "4"]}


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("lf.csv", b"a,b\n1,2\n3,4\n", AB),
        ("no_end.csv", b"a,b\n1,2\n3,4", AB),
        ("crlf.csv", b"a,b\r\n1,2\r\n3,4\r\n", AB),
        ("cr.csv", b"a,b\r1,2\r3,4\r", AB),
        ("cr_no_end.csv", b"a,b\r1,2\r3,4", AB),
        ("mixed.csv", b"a,b\r\n1,2\n3,4\r", AB),
        ("mark.csv", b"\xef\xbb\xbfa,b\n1,2\n3,4\n", AB),
        ("mark_crlf.csv", b"\xef\xbb\xbfa,b\r\n1,2\n3,4\n", AB),
        ("utf16.csv", "a,b\r\n1,2\r\n3,4\r\n".encode("utf-16"), AB),
        ("blank.csv", b"\n\na,b\n1,2\n\n3,4\n\n", AB),
        ("semicolon.csv", b"a;b\n1;2\n3;4\n", AB),
        ("bar.txt", b"a|b\n1|2\n3|4\n", AB),
        ("tab.tsv", b"a\tb\n1\t2\n3\t4\n", AB),
        ("glob[1].csv", b"a,b\n1,2\n3,4\n", AB),
        ("hive=1.csv", b"a,b\n1,2\n3,4\n", AB),
        ("packed.csv.gz", gzip.compress(b"a,b\n1,2\n3,4\n", mtime=0), AB),
        ("packed_crlf.csv.gz", gzip.compress(b"a,b\r\n1,2\r\n3,4\r\n", mtime=0), AB),
        ("lines.jsonl", b'{"a": 1, "b": 2}\n{"b": 4, "a": 3}\n', AB),
        ("mark.jsonl", b'\xef\xbb\xbf{"a": 1, "b": 2}\n{"a": 3, "b": 4}', AB),
        ("lines.jsonl.gz", gzip.compress(b'{"a": 1, "b": 2}\n{"a": 3, "b": 4}\n', mtime=0), AB),
        ("array.json", b'[{"a": 1, "b": 2}, {"a": 3, "b": 4}]', AB),
        (
            "quoted.csv",
            b'a,b\n"x, ""q""",1\n"y\nz",\n',
            {"a": ['x, "q"', "y\nz"], "b": ["1", None]},
        ),
        ("crlf_quoted.csv", b'a,b\r\n"y\nz",1\r\n', {"a": ["y\nz"], "b": ["1"]}),
        ("spaces.csv", b"a , b\n x , 1\n  ,2\n", {"a": ["x", None], "b": ["1", "2"]}),
        ("latin.csv", "a,b\nné,1\n".encode("latin-1"), {"a": ["né"], "b": ["1"]}),
        ("euro.csv", "a,b\n5 €,1\n".encode("cp1252"), {"a": ["5 €"], "b": ["1"]}),
        ("utf8.csv", "größe,b\nœ,1\n", {"größe": ["œ"], "b": ["1"]}),
        ("one_column.csv", b"a\n1\n2\n", {"a": ["1", "2"]}),
        ("decimal_comma.csv", b"a;b\n1,5;2\n", {"a": ["1,5"], "b": ["2"]}),
    ],
)
def test_files_that_work(
    name: str, content: bytes | str, expected: dict[str, list[Any]], tmp_path: Path
) -> None:
    assert texts(read_table(write(tmp_path, content, name))) == expected


@pytest.mark.parametrize(
    ("name", "content", "what", "where"),
    [
        ("t.csv", b"", "is empty", "t.csv"),
        ("t.csv", b"\xef\xbb\xbf\n\n", "is empty", "t.csv"),
        ("t.csv", b"a,b\n", "no rows", "t.csv"),
        ("t.csv", b"a,b", "no rows", "t.csv"),
        ("t.csv", b"a,b\n1,2\n3\n", "a row has 1 cell, but the header has 2", "t.csv:3"),
        ("t.csv", b"a,b\n1,2\n3,4,5\n", "a row has 3 cells, but the header has 2", "t.csv:3"),
        ("t.csv", b'a,b\n1,2\n"3,4\n', "quote is opened and never closed", "t.csv:3"),
        ("t.csv", b"a,a\n1,2\n", "two columns are named `a`", "t.csv"),
        ("t.csv", b"1,2\n3,4\n", "only numbers", "t.csv:1"),
        ("t.csv", b"a,b\n1,\x002\n", "null byte", "t.csv:2"),
        ("t.csv", b"a,b\n\xc3\xa9,1\n\xe9,2\n", "starts as UTF-8", "t.csv:3"),
        ("t.csv", b"PK\x03\x04....", "zip or Excel", "t.csv"),
        ("t.csv", b"PAR1......PAR1", "is a Parquet file, despite its name", "t.csv"),
        ("t.parquet", b"a,b\n1,2\n", "is not a Parquet file", "t.parquet"),
        ("t.parquet", b"", "is empty", "t.parquet"),
        ("t.parquet", b"PAR1\x00\x00\x00\x00", "damaged Parquet", "t.parquet"),
        ("t.csv.gz", gzip.compress(b"a,b\n1,2\n" * 999, mtime=0)[:-20], "decompress", "t.csv.gz"),
        ("t.jsonl", b'{"a": 1}\n{"a": 2\n{"a": 3}\n', "not JSON", "t.jsonl:3"),
        ("t.jsonl", b'{"a": 1, "a": 2}\n', "not JSON", "t.jsonl:1"),
        ("t.jsonl", b"1\n2\n", "does not hold objects", "t.jsonl:1"),
    ],
)
def test_files_that_cannot_be_read(
    name: str, content: bytes, what: str, where: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError) as caught:
        read_table(write(tmp_path, content, name))
    assert what in caught.value.what
    assert caught.value.where.endswith(where)
    assert caught.value.help


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    write(tmp_path, "a,b\n1,2\n", "heart.csv")
    with pytest.raises(DataError, match=r"file not found: .*hart.csv\n .*heart.csv"):
        read_table(tmp_path / "hart.csv")
    with pytest.raises(DataError, match="did you mean `breast_cancer`"):
        read_table("brest_cancer")
    with pytest.raises(DataError, match="is a folder"):
        read_table(tmp_path)


def test_the_encoding_is_said(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "a,b\nx,1\nné,2\n".encode("latin-1")))
    assert [(f.code, f.evidence) for f in table.findings] == [
        ("D113", "the first such character is in line 3")
    ]


def test_a_column_without_a_name_gets_one(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, ",b\n0,5\n1,6\n"))
    assert table.columns == ("column1", "b")
    assert [f.code for f in table.findings] == ["D117"]


def test_parquet_keeps_types(tmp_path: Path) -> None:
    when = [datetime.datetime(2020, 5, 1, 12), None]
    frame = pa.table({"n": [1.5, None], "t": ["x", None], "when": when, "b": [True, None]})
    pq.write_table(frame, tmp_path / "t.parquet")
    gzip_path = tmp_path / "u.parquet.gz"
    gzip_path.write_bytes(gzip.compress((tmp_path / "t.parquet").read_bytes()))
    for path in (tmp_path / "t.parquet", gzip_path):
        table = read_table(path)
        kinds = [table.stats(c).storage for c in table.columns]
        assert kinds == ["number", "text", "datetime", "boolean"]
        assert texts(table)["n"] == ["1.5", None]


class TestQuery:
    CSV = (
        "age,name,joined,ok\n30,ann,2020-01-01,true\n41,bob,2021-06-01,false\n55,cy,2022-01-01,NA\n"
    )

    def test_columns_have_their_types(self, tmp_path: Path) -> None:
        query = "SELECT age // 2 AS half, name, year(joined) AS y, NOT ok AS bad FROM data "
        query += "WHERE age > 35 -- the older ones"
        table = read_table(write(tmp_path, self.CSV), query=query)
        assert texts(table) == {
            "half": ["20", "27"],
            "name": ["bob", "cy"],
            "y": ["2021", "2022"],
            "bad": ["true", None],
        }

    def test_groups_come_in_the_same_order_every_time(self, tmp_path: Path) -> None:
        rows = "".join(f"{i % 97},{i * 0.1}\n" for i in range(5000))
        path = write(tmp_path, "k,x\n" + rows)
        query = "SELECT k, avg(x) AS m, random() AS r FROM data GROUP BY k;"
        assert len({str(texts(read_table(path, query=query))) for _ in range(4)}) == 1

    @pytest.mark.parametrize(
        ("query", "what"),
        [
            ("SELECT agee FROM data", "agee"),
            ("SELEC age", "syntax error"),
            ("DROP TABLE raw", "must be one SELECT"),
            ("SELECT 1; SELECT 2", "must be one SELECT"),
            ("SET threads = 4", "must be one SELECT"),
            ("SELECT age, age FROM data", "two columns are named"),
            ("SELECT * FROM data WHERE age > 99", "selects no rows"),
            ("SELECT * FROM read_text('/etc/hostname')", "disabled"),
            ("SELECT * FROM '/etc/hostname'", ""),
            ("SELECT * FROM read_csv('https://example.org/a.csv')", ""),
            ("COPY data TO 'out.csv'", "must be one SELECT"),
        ],
    )
    def test_what_a_query_cannot_do(self, query: str, what: str, tmp_path: Path) -> None:
        with pytest.raises(DataError) as caught:
            read_table(write(tmp_path, self.CSV), query=query)
        assert what in caught.value.what
        assert caught.value.where == "query"

    def test_a_query_sees_no_python_variable(self, tmp_path: Path) -> None:
        secret = pd.DataFrame({"x": [1]})
        assert len(secret) == 1
        with pytest.raises(DataError, match="secret"):
            read_table(write(tmp_path, self.CSV), query="SELECT * FROM secret")

    def test_names_that_differ_in_case_only(self, tmp_path: Path) -> None:
        path = write(tmp_path, "A,a\n1,2\n")
        assert texts(read_table(path)) == {"A": ["1"], "a": ["2"]}
        with pytest.raises(DataError, match="differ only in case"):
            read_table(path, query="SELECT * FROM data")


FRAME: dict[str, list[Any]] = {
    "n": [1, 2, None],
    "x": [0.5, None, float("inf")],
    "s": ["u", None, "v"],
    "b": [True, None, False],
    "d": [datetime.date(2020, 1, 1), None, datetime.date(2021, 1, 1)],
}


class TestPython:
    @pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table, dict])
    def test_frames_agree(self, make: Any) -> None:
        table = read_table(make(FRAME))
        assert table.n_rows == 3
        kinds = [table.stats(c).storage for c in table.columns]
        assert kinds == ["number", "number", "text", "boolean", "datetime"]
        (_, chunk), *_ = table.read(
            {"n": "number", "x": "number", "s": "text", "b": "truth", "d": "time"}
        )
        np.testing.assert_array_equal(chunk["n"], [1, 2, np.nan])
        np.testing.assert_array_equal(chunk["x"], [0.5, np.nan, np.inf])
        assert chunk["s"].tolist() == ["u", None, "v"]
        np.testing.assert_array_equal(chunk["b"], [1, np.nan, 0])
        np.testing.assert_array_equal(
            chunk["d"], np.array(["2020-01-01", "NaT", "2021-01-01"], dtype="M8[us]")
        )

    def test_pandas_extension_types(self) -> None:
        frame = pd.DataFrame(
            {
                "i": pd.array([1, None], dtype="Int64"),
                "c": pd.Categorical(["p", None]),
                "z": pd.to_datetime(["2020-01-01T02:00", None]).tz_localize("Asia/Tokyo"),
                "s": pd.array(["q", None], dtype="string"),
            }
        )
        table = read_table(frame)
        (_, chunk), *_ = table.read({"i": "number", "c": "text", "z": "time", "s": "text"})
        np.testing.assert_array_equal(chunk["i"], [1, np.nan])
        assert chunk["c"].tolist() == ["p", None]
        assert chunk["z"][0] == np.datetime64("2019-12-31T17:00")
        assert chunk["s"].tolist() == ["q", None]

    def test_arrays(self) -> None:
        plain = read_table(np.array([[1.0, 2.0], [3.0, np.nan]]))
        assert texts(plain) == {"x0": ["1", "3"], "x1": ["2", None]}
        named = read_table(np.eye(2), columns=["u", "v"])
        assert named.columns == ("u", "v")
        records = np.array([(1, "a"), (2, "b")], dtype=[("n", "i4"), ("s", "U1")])
        assert texts(read_table(records)) == {"n": ["1", "2"], "s": ["a", "b"]}
        masked = {"m": np.ma.array([1.0, 2.0], mask=[False, True])}
        assert texts(read_table(masked)) == {"m": ["1", None]}

    @pytest.mark.parametrize(
        ("source", "what"),
        [
            ({"a": [1, "x"]}, "mixes types: it starts with a number and then has text"),
            ({"a": [1], "b": [1, 2]}, "different lengths"),
            ({"a": [[1], [2]]}, "holds a list in each cell"),
            ({"a": np.zeros((2, 2))}, "has shape"),
            ({"a": "text"}, "a single value"),
            ({"a": np.array([1j])}, "complex"),
            ({}, "no columns"),
            ({"a": []}, "no rows"),
            (pd.DataFrame([[1, 2]], columns=["a", "a"]), "two columns are named"),
            (np.zeros(3), "is not a table"),
            (np.zeros((2, 2, 2)), "is not a table"),
            (7, "a int is not a table"),
        ],
    )
    def test_what_is_no_table(self, source: object, what: str) -> None:
        with pytest.raises(DataError, match=what):
            read_table(source)


def test_a_large_table_goes_to_a_file_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chainrule.data.tables.source.MEMORY_BYTES", 1000)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    rows = "".join(f"{i},{i % 7}\n" for i in range(40_000))
    table = read_table(write(tmp_path, "a,b\n" + rows))
    named = [p for p in (tmp_path / "temporary").rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in named) < 10_000  # the rows are in a file without a name
    values = np.concatenate([chunk["a"] for _, chunk in table.read({"a": "number"})])
    np.testing.assert_array_equal(values, np.arange(40_000))
    table.close()
    assert not list((tmp_path / "temporary").iterdir())


#: a query that takes days
PAIRS = "range(30000000) a, range(30000000) b WHERE (a.range * b.range) % 7 = 3"
ENDLESS = f"SELECT * FROM data WHERE (SELECT count(*) FROM {PAIRS}) > 0"


class Stopped(BaseException):
    pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_query_ends_with_what_the_handler_of_a_signal_raises(number: signal.Signals) -> None:
    def stop(*_: object) -> None:
        signal.signal(number, second)
        raise Stopped

    def second(*_: object) -> None:
        pass

    before, others = signal.signal(number, stop), signal.getsignal(signal.SIGHUP)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), number))
    try:
        timer.start()
        with pytest.raises(Stopped):
            read_table({"a": [1]}, query=ENDLESS)
        assert signal.getsignal(number) is second, "what a handler sets is kept"
        assert signal.getsignal(signal.SIGHUP) == others
    finally:
        signal.signal(number, before)
        timer.join()
    assert texts(read_table({"a": [1]})) == {"a": ["1"]}


def test_what_a_query_raises_otherwise_is_as_it_was() -> None:
    handlers = [signal.getsignal(n) for n in signal.valid_signals()]
    with pytest.raises(DataError, match="nothing"):
        read_table({"a": [1]}, query="SELECT nothing FROM data")
    assert [signal.getsignal(n) for n in signal.valid_signals()] == handlers
