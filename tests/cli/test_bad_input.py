"""Tables as they come: each trains, or is refused with a message that says what and where."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from .conftest import Command

RNG = np.random.default_rng(11)
N = 60
X = RNG.normal(size=N).round(3)
ROWS = [f"{v},{'a' if v > 0 else 'b'},{i % 3}" for i, v in enumerate(X)]
HEAD = "x,kind,y"


def table(*columns: list[object], head: str) -> bytes:
    lines = [head, *(",".join(map(str, row)) for row in zip(*columns, strict=True))]
    return ("\n".join(lines) + "\n").encode()


def lines(rows: list[str], end: str = "\n", head: str = HEAD) -> bytes:
    return (end.join([head, *rows]) + end).encode()


REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "blank": (b"\n\n", "is empty"),
    "header only": (b"x,y\n", "no rows"),
    "one row": (b"x,y\n1,2\n", "only one value"),
    "two rows": (b"x,y\n1,0\n2,1\n", "cannot be split into 3 parts"),
    "target missing": (table([1.5] * 9, [""] * 9, head="x,y"), "missing in every row"),
    "target constant": (table(list(range(9)), [1] * 9, head="x,y"), "only one value"),
    "target unique": (
        table(list(range(30)), [f"p{i}" for i in range(30)], head="x,y"),
        "different in every row",
    ),
    "nothing but the target": (table([0, 1] * 9, head="y"), "no columns are left"),
    "nothing varies": (table([3] * 18, [0, 1] * 9, head="x,y"), "no columns are left"),
    "ragged": (lines([*ROWS[:5], "1,a,0,9", *ROWS[5:]]), "a row has 4 cells, but the header has 3"),
    "open quote": (lines([*ROWS[:5], '"1,a,0', *ROWS[5:]]), "quote"),
    "no header": (b"1,2\n3,4\n5,6\n", "not a header"),
    "two columns of one name": (b"x,x,y\n1,2,0\n", "two columns are named `x`"),
    "zero bytes": (b"x,y\n1\x00,2\n", "null byte"),
    "a zip": (b"PK\x03\x04 and so on", "a zip or Excel file"),
    "no column is left in the training rows": (b"x,y\n1,0\n2,1\n3,0\n", "provide more rows"),
    "no such target": (lines(ROWS, head="x,kind,z"), "no column named `y`"),
}

TRAINS: dict[str, bytes] = {
    "plain": lines(ROWS),
    "byte order mark": b"\xef\xbb\xbf" + lines(ROWS),
    "crlf": lines(ROWS, "\r\n"),
    "cr": lines(ROWS, "\r"),
    "mixed line ends": lines(ROWS[:30]) + "\r\n".join(ROWS[30:]).encode(),
    "latin-1": lines([r.replace("a", "é") for r in ROWS]).decode().encode("latin-1"),
    "utf-16": lines(ROWS).decode().encode("utf-16"),
    "semicolons": lines([r.replace(",", ";") for r in ROWS], head="x;kind;y"),
    "quoted": lines([f'{v},"say ""{k}"", or\nnot",{i % 3}' for i, (v, k) in enumerate(
        zip(X, "ab" * 30, strict=True))]),
    "infinities": lines(["inf,a,0", "-inf,b,1", *ROWS]),
    "words for missing": lines(["NA,a,0", "?,b,1", *ROWS]),
    "an empty column": lines([r + "," for r in ROWS], head="x,kind,y,none"),
    "gaps in the target": lines([*ROWS, "1.0,a,", "2.0,b,"]),
    "10,000 categories": table(
        [f"c{i % 10_000}" for i in range(20_000)], [i % 2 for i in range(20_000)], head="c,y"
    ),
    "huge numbers": table([float(v) * 1e30 for v in X], [i % 2 for i in range(N)], head="x,y"),
    "names with odd letters": table(
        list(X), [i % 2 for i in range(N)], head='"a ""b"", \'c\'; DROP TABLE raw --",y'
    ),
    "a wide table": table(*[list(RNG.normal(size=N).round(3)) for _ in range(100)],
                          [i % 2 for i in range(N)],
                          head=",".join([*(f"x{i}" for i in range(100)), "y"])),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, command: Command, folder: Path) -> None:
    content, message = REFUSED[name]
    (folder / "table.csv").write_bytes(content)
    result = command("train", "table.csv", "--target", "y", "--epochs", 1, "--layers", 4)
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert result.stdout == ""
    assert [p.name for p in folder.iterdir()] == ["table.csv"]


@pytest.mark.parametrize("name", TRAINS)
def test_trains_and_predicts_every_row(name: str, command: Command, folder: Path) -> None:
    (folder / "table.csv").write_bytes(TRAINS[name])
    result = command("train", "table.csv", "--target", "y", "--epochs", 1, "--layers", 4)
    assert result.exit_code == 0, result.output
    again = command("predict", "last", "table.csv", "-o", "out.csv")
    assert again.exit_code == 0, again.output
    rows = int(again.stderr.rpartition(" predictions")[0].split()[-1])
    assert len((folder / "out.csv").read_text().splitlines()) == rows + 1
    assert "nan" not in (folder / "out.csv").read_text()


@pytest.mark.parametrize("ending", ["parquet", "jsonl", "csv.gz"])
def test_cut_off_files(ending: str, command: Command, folder: Path) -> None:
    """What a copy that broke off leaves behind."""
    whole = {
        "parquet": b"PAR1" + bytes(200),
        "jsonl": b'{"x": 1, "y": 0}\n{"x": 2, "y":',
        "csv.gz": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + bytes(20),
    }[ending]
    (folder / f"table.{ending}").write_bytes(whole)
    result = command("train", f"table.{ending}", "--target", "y")
    assert result.exit_code == 2
    assert f"table.{ending}" in result.stderr


def test_a_folder_and_a_missing_file(command: Command, folder: Path) -> None:
    assert "is a folder" in command("train", folder, "--target", "y").stderr
    (folder / "sales.csv").write_bytes(lines(ROWS))
    result = command("train", "sale.csv", "--target", "y")
    assert result.exit_code == 2
    assert "sales.csv" in result.stderr


def test_a_table_without_a_named_target(command: Command, folder: Path) -> None:
    (folder / "table.csv").write_bytes(lines(ROWS))
    result = command("train", "table.csv")
    assert result.exit_code == 2
    assert "x, kind, y" in result.stderr


def test_a_column_of_nulls_in_prediction(command: Command, folder: Path) -> None:
    (folder / "table.csv").write_bytes(lines(ROWS))
    assert (
        command("train", "table.csv", "--target", "y", "--epochs", 1, "--layers", 4).exit_code == 0
    )
    (folder / "empty.csv").write_bytes(lines([f",{r.split(',')[1]},0" for r in ROWS]))
    result = command("predict", "last", "empty.csv", "-o", "out.csv")
    assert result.exit_code == 0, result.output
    assert "D202" in result.stderr
