"""Tables of which each process reads some rows: all that is found, fitted and encoded has the bits
of one process, and whatever cannot be divided is read whole by all."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chainrule.data import Prepared, Table, TablePlan, prepare, read_table
from chainrule.data.gathering import Gathering
from chainrule.data.tables import row_ranges
from chainrule.data.tables.fingerprint import fingerprint_of
from chainrule.data.tables.plan import Dividing
from chainrule.data.tables.row_ranges import RowRange, row_range, shares_of
from chainrule.errors import ChainruleError
from meeting import Peer, errors_of, meet

ROWS = 700


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 64 rows, and blocks of a few lines, so that small files have many of both."""
    for module in ("table", "row_ranges", "preprocessor"):
        monkeypatch.setattr(f"chainrule.data.tables.{module}.CHUNK_ROWS", 64)
    monkeypatch.setattr(row_ranges, "BLOCK", 1000)


def columns() -> dict[str, list[Any]]:
    """Cells as somebody might have written them, as text; "" is a missing one."""
    rng = np.random.default_rng(5)
    age = [f"{v:.3f}" for v in rng.normal(40, 12, ROWS)]
    age[3], age[650] = "", "NA"
    income = [f"{v:.2f}" for v in rng.lognormal(9, 1, ROWS)]
    income[::20] = ["-999"] * len(income[::20])
    days = np.datetime64("2019-02-27") + rng.integers(0, 900, ROWS)
    moons = [f"{d.astype(object):%d.%m.%Y}" for d in days]
    moons[100] = "soon"
    words = ["red fox jumps", "red dog sleeps", "old dog jumps", "old fox, asleep", 'a "fox" sits']
    said = [f"{words[i % 5]} near {words[(i * 7) % 5]} {i}" for i in range(ROWS)]
    said[11] = "two\nlines of red dog"
    city = [["Ulm", "Bonn", "Köln", "Trier", ""][i] for i in rng.integers(0, 5, ROWS)]
    city[-1] = "Rare"
    return {
        "number": [str(i) for i in range(ROWS)],
        "age": age,
        "income": income,
        "price": [f"{1000 + i % 90}.{i % 100:02d} kg" for i in range(ROWS)],
        "zip": [f"{10000 + 7 * (i % 40)}" for i in range(ROWS)],
        "city": city,
        "when": [str(d) for d in days],
        "moon": moons,
        "paid": [["true", "false"][i] for i in rng.integers(0, 2, ROWS)],
        "said": said,
        "far": ["inf" if i == 555 else f"{i % 13}" for i in range(ROWS)],
        "zero": ["-0.0" if i % 3 else "0.0" for i in range(ROWS)],
        "mixed": ["n.a.x" if i % 50 == 49 else f"{i % 11}" for i in range(ROWS)],
        "label": [["no", "yes", "perhaps"][(i // 3 + i % 5) % 3] for i in range(ROWS)],
        "amount": [
            f"{v:.4f}" if i % 60 else "" for i, v in enumerate(rng.normal(3, 2, ROWS).tolist())
        ],
    }


def write_csv(path: Path, cells: Mapping[str, list[Any]], end: str = "\n") -> Path:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=end)
    writer.writerow(cells)
    writer.writerows(zip(*cells.values(), strict=True))
    path.write_bytes(text.getvalue().encode())
    return path


def write_parquet(path: Path, cells: Mapping[str, list[Any]]) -> Path:
    def typed(name: str, values: list[str]) -> pa.Array:
        if name in ("number", "zip", "age", "amount", "far", "zero"):
            return pa.array([None if v in ("", "NA") else float(v) for v in values])
        times = [np.datetime64(v, "us") for v in values] if name == "when" else None
        return pa.array(times or [v or None for v in values])

    table = pa.table({name: typed(name, values) for name, values in cells.items()})
    pq.write_table(table, path, row_group_size=100)
    return path


def write_jsonl(path: Path, cells: Mapping[str, list[Any]]) -> Path:
    def value(name: str, cell: str) -> Any:
        if name == "paid":
            return cell == "true"
        return float(cell or 0) if name in ("income", "zero", "amount") else cell + "°"

    rows = zip(*cells.values(), strict=True)
    lines = [
        json.dumps({n: value(n, cell) for n, cell in zip(cells, row, strict=True)}) for row in rows
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


WRITERS = {"csv": write_csv, "parquet": write_parquet, "jsonl": write_jsonl}


def found_in(path: Path, target: str, peer: Peer | None = None) -> dict[str, Any]:
    """All that is said of a table, and of the rows made of it."""
    table = read_table(path, peers=peer)
    plan = TablePlan(ignore=[{"label": "amount", "amount": "label"}[target]])
    prepared = prepare(table, target, plan)
    train = prepared.train
    parts = {"val": prepared.val, "test": prepared.test}
    some = np.arange(0, len(train), 7, dtype=np.int32)
    return {
        "own": (table.own.start, table.own.stop),
        "train": (train.features.numeric, train.features.codes, train.target[train.own]),
        "alike": [
            table.n_rows, [table.stats(c) for c in table.columns], prepared.findings,
            prepared.pipeline.to_json(), table.count_repeated_rows(), table.equal_rows_by_chance(),
            table.cells(table.columns[:3], [5, 650, 0, 333]),
            table.column(table.columns[1]).tobytes() if path.suffix != ".jsonl" else b"",
            fingerprint_of(path, table), train.target.tobytes(), train.rows.tobytes(), len(train),
            *(a.tobytes() for a in (train.some(some).numeric, train.some(some).codes)),
            *((p.features.numeric.tobytes(), p.features.codes.tobytes(), p.target.tobytes(),
               p.rows.tobytes(), p.features.findings) for p in parts.values()),
        ],
    }  # fmt: skip


@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("target", ["label", "amount"])
@pytest.mark.parametrize("kind", WRITERS)
def test_shares_have_the_bits_of_one_process(
    kind: str, target: str, size: int, tmp_path: Path
) -> None:
    path = WRITERS[kind](tmp_path / f"t.{kind}", columns())
    alone = found_in(path, target)
    every = meet(size, lambda peer: found_in(path, target, peer))
    assert [found["own"] for found in every] == shares(size)
    for found in every:
        for mine, expected in zip(found["alike"], alone["alike"], strict=True):
            assert mine == expected
    for arrays in zip(*(found["train"] for found in every), strict=True):
        assert all(len(array) for array in arrays)
    for i, whole in enumerate(alone["train"]):
        together = np.concatenate([found["train"][i] for found in every])
        assert together.tobytes() == whole.tobytes()


def shares(size: int) -> list[tuple[int, int]]:
    """The rows of each: ten chunks of 64, and what is left to the last one."""
    edges = shares_of(ROWS, size)
    assert edges is not None
    return list(pairwise(edges))


def test_every_share_has_whole_chunks() -> None:
    assert shares_of(ROWS, 3) == [0, 192, 384, ROWS]
    assert shares_of(640, 10) == [64 * i for i in range(11)]
    assert shares_of(639, 10) is None
    # Of groups that begin with a chunk, and near by.
    begins = [0, 1000, 64 * 30 + 1, 64 * 31, 64 * 80]
    assert shares_of(64 * 120, 4, begins) == [0, 64 * 31, 64 * 60, 64 * 90, 64 * 120]


def test_training_rows_are_shared_evenly_wherever_they_are(tmp_path: Path) -> None:
    """The last ones of four read no row with a label, and after a split by time none to train."""
    cells = columns()
    cells["label"][-200:] = [""] * 200
    cells["when"] = sorted(cells["when"])
    path = write_csv(tmp_path / "t.csv", cells)
    early, groups = Dividing(time="when"), Dividing(group="zip")
    for by, share in ((Dividing(), 0.6), (early, 0.3), (groups, 0.6)):
        plan = TablePlan(by=by, fractions=(share, 0.2, 0.8 - share))
        alone = prepare(read_table(path), "label", plan)
        every = meet(4, partial(prepared_by, path, plan))
        rows = len(alone.train)
        assert [len(p.train.features) for p in every] == [
            (r + 1) * rows // 4 - r * rows // 4 for r in range(4)
        ]
        together = np.concatenate([p.train.features.numeric for p in every])
        assert together.tobytes() == alone.train.features.numeric.tobytes()
        for prepared in every:
            assert prepared.val.features.numeric.tobytes() == alone.val.features.numeric.tobytes()
            assert prepared.findings == alone.findings


def prepared_by(path: Path, plan: TablePlan, peer: Peer) -> Prepared:
    return prepare(read_table(path, peers=peer), "label", plan)


def test_copies_of_rows_are_found_wherever_they_are(tmp_path: Path) -> None:
    cells = {name: values for name, values in columns().items() if name in ("city", "zip", "label")}
    path = write_csv(tmp_path / "t.csv", cells)
    assert read_table(path).count_repeated_rows() > 100
    alone = prepare(read_table(path), "label").findings
    assert "D118" in [finding.code for finding in alone]
    for prepared in meet(3, partial(prepared_by, path, TablePlan())):
        assert prepared.findings == alone


# ------------------------------------------------------------------------------ read by all


def own(table: Table) -> tuple[int, int]:
    return table.own.start, table.own.stop


PLAIN = "a,b\n" + "".join(f"{i},{i % 7}\n" for i in range(ROWS))
WHOLE = {
    "packed.csv.gz": gzip.compress(PLAIN.encode(), mtime=0),
    "returns.csv": PLAIN.replace("\n", "\r").encode(),
    "mixed.csv": PLAIN.replace("\n", "\r\n", 9).encode(),
    "latin.csv": PLAIN.replace("650,6", "650,Köln").encode("latin-1"),
    "wide.csv": PLAIN.encode("utf-16"),
    "blank.csv": PLAIN.replace("600,5\n", "600,5\n\n").encode(),
    "inches.csv": PLAIN.replace("600,5\n", '5" pipe,5\n').replace("610,1", '6" pipe,1').encode(),
    "few.csv": "\n".join(PLAIN.split("\n")[:150]).encode(),
    "array.json": b"[" + b",".join(b'{"a": %d, "b": 1}' % i for i in range(ROWS)) + b"]",
    "types.jsonl": b"".join(
        b'{"a": %s, "b": 1}\n' % (b"%d.5" % i if i > 600 else b"%d" % i) for i in range(ROWS)
    ),
    "dates.jsonl": b"".join(b'{"a": "2020-01-02", "b": %d}\n' % i for i in range(ROWS)),
}


@pytest.mark.parametrize("name", WHOLE)
def test_what_cannot_be_divided_is_read_by_all(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(WHOLE[name])
    alone = read_table(path)
    for table in meet(3, lambda peer: read_table(path, peers=peer)):
        assert own(table) == (0, alone.n_rows)
        assert [table.stats(c) for c in table.columns] == [alone.stats(c) for c in alone.columns]
        assert table.cells(["a", "b"], [0, 5]) == alone.cells(["a", "b"], [0, 5])


BROKEN = {
    "ragged.csv": PLAIN.replace("650,6\n", "650,6,1\n").encode(),
    "open.csv": PLAIN.replace("650,6\n", '650,"6\n').encode(),
    "null.csv": PLAIN.replace("650,6\n", "650,\x00\n").encode(),
    "broken.jsonl": b"".join(b'{"a": %d}\n' % i if i != 650 else b'{"a": \n' for i in range(ROWS)),
    "numbers.csv": PLAIN.removeprefix("a,b\n").encode(),
    "cut.parquet": b"PAR1" + b"x" * 5000,
}


@pytest.mark.parametrize("name", BROKEN)
def test_errors_are_those_of_one_process_for_all(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(BROKEN[name])
    with pytest.raises(ChainruleError) as alone:
        read_table(path)
    expected = f"{type(alone.value).__name__}: {alone.value}"
    assert errors_of(3, lambda peer: read_table(path, peers=peer)) == [expected] * 3


def test_a_cell_that_cannot_be_read_is_told_by_all(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(PLAIN.replace("650,6\n", "650,six\n").replace("660,2\n", "660,two\n"))
    plan = TablePlan(kinds={"b": "number"})

    def tried(peer: Peer | None) -> object:
        return prepare(read_table(path, peers=peer), "a", plan)

    with pytest.raises(ChainruleError, match="`six` in column `b` is not a number") as alone:
        tried(None)
    assert "row 651" in str(alone.value)
    assert errors_of(3, tried) == [f"{type(alone.value).__name__}: {alone.value}"] * 3


def test_files_that_differ_are_read_whole(tmp_path: Path) -> None:
    """What differs is said later, by the fingerprints."""
    paths = [tmp_path / f"{rank}.csv" for rank in range(2)]
    paths[0].write_text(PLAIN)
    paths[1].write_text(PLAIN.replace("699,6", "699,5"))
    tables = meet(2, lambda peer: read_table(paths[peer.rank], peers=peer))
    assert [own(table) for table in tables] == [(0, ROWS)] * 2


# ---------------------------------------------------------------------------- where rows are


@pytest.mark.parametrize("size", [2, 3, 5])
@pytest.mark.parametrize("seed", range(4))
def test_stretches_of_bytes_hold_the_rows_that_a_reader_of_csv_finds(
    seed: int, size: int, tmp_path: Path
) -> None:
    rng = np.random.default_rng(seed)
    letters = ["a", "é", '"', ",", "\n", "long text", ""]
    rows = [
        ["".join(rng.choice(letters, rng.integers(0, 6))) for _ in range(3)]
        for _ in range(64 * size + int(rng.integers(0, 64)))
    ]
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL if seed else csv.QUOTE_MINIMAL)\
        .writerows([["x", "y\nz", ""], *rows])  # fmt: skip
    path = tmp_path / "t.csv"
    path.write_bytes(text.getvalue().encode().removesuffix(b"\n" if seed % 2 else b""))
    ranges = meet(size, lambda peer: row_range(path, Gathering(peer), ",", header=True))
    content, edges = path.read_bytes(), shares_of(len(rows), size)
    assert edges is not None
    for rank, own in enumerate(ranges):
        assert own is not None
        part = content[own.begin : own.end].decode()
        read = list(csv.reader(io.StringIO(part, newline=""), lineterminator="\n"))
        assert read == rows[edges[rank] : edges[rank + 1]]
        assert own.rows == len(read)


def test_lines_of_json_end_at_every_line_feed(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"a": "\\""}\n' * 300)
    ranges = meet(2, lambda peer: row_range(path, Gathering(peer), "", header=False))
    line = len('{"a": "\\""}\n')
    assert ranges == [RowRange(0, 128 * line, 128), RowRange(128 * line, 300 * line, 172)]
