"""A table of which each worker of a command reads its own rows: the run folder is that of one
process, and a worker reads and holds its share."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from chainrule.distributed.launching import find_mpiexec
from launched import command, run

from .folders import contents

#: four workers get one chunk of 16,384 rows each, the last one some more
ROWS = 68_000
TRAIN = ("train", "--target", "y", "--preset", "fast", "--batch-size", 512)
SMALL = "model.layers=[6]"
TABLE = f"""SELECT
    CASE WHEN i % 97 = 5 THEN NULL ELSE (hash(i) % 100000) / 317.0 END AS a,
    (hash(i, 1) % 1000)::DOUBLE AS b,
    CASE WHEN i % 31 = 7 THEN NULL ELSE ['Ulm', 'Köln, Rh.', 'a "b" c'][1 + i * 7 % 3] END AS city,
    'n' || (hash(i, 2) % 40) AS name,
    DATE '2020-01-01' + (hash(i, 3) % 900)::INTEGER AS day,
    i % 5 = 0 AS flag,
    if((hash(i) % 100000) / 100000 + (hash(i, 4) % 100) / 200.0 > 0.7, 'yes', 'no') AS y
FROM range({ROWS}) AS t(i)"""


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tables")
    options = {"parquet": "FORMAT parquet, ROW_GROUP_SIZE 4096", "csv": "FORMAT csv, HEADER"}
    paths = {kind: folder / f"points.{kind}" for kind in options}
    for kind, path in paths.items():
        duckdb.execute(f"COPY ({TABLE}) TO '{path}' ({options[kind]})")
    return paths


@pytest.fixture(scope="module")
def alone(
    tables: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """What one process finds and trains."""
    results = {}
    for kind, path in tables.items():
        runs = tmp_path_factory.mktemp("alone")
        words = [*TRAIN, path, SMALL, "--epochs", 3, "train.parts=auto", "--runs-dir", runs]
        done = run(command(*words))
        assert done.returncode == 0, done.stderr
        results[kind] = contents(runs)
    return results


TOLD = """
import sys
import chainrule.data.tables.source as source
from chainrule.cli.app import main

read = source.read_share

def told(*arguments):
    share = read(*arguments)
    print("a share" if share else "the whole", file=sys.stderr, flush=True)
    return share

source.read_share = told
main()
"""


def shared(workers: int, *words: object) -> None:
    """A command that so many workers run, each of which reads a share."""
    start = [find_mpiexec(), "-n", str(workers), sys.executable, "-c", TOLD]
    done = run([*start, *map(str, words)])
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("a share") == workers


@pytest.mark.parametrize(("kind", "workers"), [("parquet", 2), ("parquet", 4), ("csv", 4)])
def test_a_run_of_rows_that_workers_read_is_that_of_one_process(
    kind: str, workers: int, tables: dict[str, Path], alone: dict[str, Any], tmp_path: Path
) -> None:
    shared(workers, *TRAIN, tables[kind], SMALL, "--epochs", 3, "--runs-dir", tmp_path)
    assert contents(tmp_path) == alone[kind]


def test_workers_of_another_number_go_on(
    tables: dict[str, Path], alone: dict[str, Any], tmp_path: Path
) -> None:
    shared(2, *TRAIN, tables["csv"], SMALL, "--epochs", 1, "--runs-dir", tmp_path, "-q")
    (folder,) = tmp_path.iterdir()
    shared(3, "resume", folder, "--epochs", 3, "-q")
    resumed = contents(tmp_path)
    for name in ("weights", "preprocessor", "evaluation", "history", "metrics"):
        assert resumed[name] == alone["csv"][name], name


READING = """
import json, os, sys
from pathlib import Path
from chainrule.data import prepare, read_table
from chainrule.distributed import environment, mpi

def bytes_read():
    return int(Path("/proc/self/io").read_text().split()[1])

read_table({"a": [1]})  # loads what reading needs
workers = mpi() if environment()[1] > 1 else None
before = bytes_read()
table = read_table(sys.argv[1], peers=workers)
read = bytes_read() - before
prepared = prepare(table, "y")
numbers = prepared.train.features
said = [read, len(table.own), numbers.numeric.nbytes + numbers.codes.nbytes]
if workers is None or workers.rank == 0:
    print(json.dumps(workers.gather(said) if workers else [said]))
else:
    workers.gather(said)
"""


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_worker_reads_and_holds_its_share(kind: str, tables: dict[str, Path]) -> None:
    """Of four, each less than half of all, also of the bytes that are read to find its rows."""
    start = [find_mpiexec(), "-n", "4"]
    (whole,), every = (
        json.loads(run([*words, sys.executable, "-c", READING, str(tables[kind])]).stdout)
        for words in ([], start)
    )
    assert len(every) == 4
    assert sum(rows for _, rows, _ in every) == whole[1] == ROWS
    for own in every:
        assert [2 * mine < all_of_it for mine, all_of_it in zip(own, whole, strict=True)] == [
            True
        ] * 3
    assert sum(size for *_, size in every) == whole[2]


def test_what_is_wrong_in_the_rows_of_one_worker_is_said_once_for_all(
    tables: dict[str, Path], tmp_path: Path
) -> None:
    lines = tables["csv"].read_text().splitlines()
    lines[60_000] += ",more"
    broken = tmp_path / "broken.csv"
    broken.write_text("\n".join(lines) + "\n")
    words = [*TRAIN, broken, SMALL, "--runs-dir", tmp_path / "runs"]
    expected = run(command(*words))
    assert "a row has 8 cells, but the header has 7" in expected.stderr
    assert f"{broken}:60001" in expected.stderr
    done = run([find_mpiexec(), "-n", "4", *command(*words)])
    assert (done.returncode, done.stderr) == (expected.returncode, expected.stderr)


def test_it_is_said_once_that_everybody_reads_all(tables: dict[str, Path], tmp_path: Path) -> None:
    words = [*TRAIN, tables["parquet"], SMALL, "--epochs", 1, "--runs-dir", tmp_path]
    done = run([find_mpiexec(), "-n", "2", *command(*words, "--query", "SELECT a, b, y FROM data")])
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("every worker reads all 47600 examples") == 1
