"""Predictions as csv, tsv, jsonl or Parquet; a file appears whole or not at all."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError, StateError
from ..interrupted import interruptible
from ..lazily import Lazy
from ..scratch import hold, remove_abandoned
from ..showing import escaped_json, spreadsheet_text, whole_text

if TYPE_CHECKING:
    import duckdb
else:
    duckdb = Lazy("duckdb")

__all__ = ["FORMATS", "escaped_columns", "file_format", "write_file", "write_text"]

FORMATS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl",
           ".parquet": "parquet"}  # fmt: skip
BLOCK_ROWS = 16384

Column = tuple[str, npt.NDArray[Any]]


def file_format(path: Path) -> tuple[str, bool]:
    """The format that a file name asks for, and whether it is gzipped."""
    gzipped = path.name.endswith(".gz")
    ending = Path(path.name.removesuffix(".gz")).suffix.lower()
    if ending not in FORMATS or (gzipped and FORMATS[ending] == "parquet"):
        raise ConfigError(
            f"{path.name} does not end in a format that can be written",
            help=f"use one of {', '.join(FORMATS)}, all but parquet also with .gz",
        )
    return FORMATS[ending], gzipped


def write_text(columns: Sequence[Column], format: str, out: IO[str]) -> None:
    """Writes rows as csv, tsv or jsonl. Floats have the digits that read back to the same bits.

    In csv and tsv, ``'`` is put in front of a heading or text that a spreadsheet would run.
    """
    names = [name for name, _ in columns]
    if format == "jsonl":
        for row in _rows(columns):
            pairs = dict(zip(names, row, strict=True))
            out.write(escaped_json(json.dumps(pairs, ensure_ascii=False, allow_nan=False)) + "\n")
        return
    writer = csv.writer(out, delimiter="\t" if format == "tsv" else ",", lineterminator="\n")
    writer.writerow(map(spreadsheet_text, names))
    for row in _rows(columns):
        writer.writerow([_cell(value) for value in row])


def _rows(columns: Sequence[Column]) -> Iterator[tuple[Any, ...]]:
    for start in range(0, len(columns[0][1]), BLOCK_ROWS):
        block = [values[start : start + BLOCK_ROWS].tolist() for _, values in columns]
        yield from zip(*block, strict=True)


def _cell(value: object) -> object:
    if isinstance(value, str):
        return spreadsheet_text(value)
    return str(value).lower() if isinstance(value, bool) else value


def escaped_columns(columns: Sequence[Column]) -> list[str]:
    """The columns whose heading or texts csv and tsv would escape, see `write_text`."""
    return [name for name, values in columns if any(map(_is_escaped, _texts(name, values)))]


def _texts(name: str, values: npt.NDArray[Any]) -> list[object]:
    return [name, *(values.tolist() if values.dtype == object else ())]


def _is_escaped(value: object) -> bool:
    return isinstance(value, str) and spreadsheet_text(value) != value


def write_file(columns: Sequence[Column], path: Path) -> None:
    """Writes a temporary file beside ``path``, then renames it. StateError if it cannot be written.

    What a killed process left of the same file is removed.
    """
    format, gzipped = file_format(path)
    remove_abandoned(path.parent, re.compile(rf"\.[0-9a-f]{{8}}-{re.escape(path.name)}"))
    # With the same ending: DuckDB and people go by it.
    temporary = path.with_name(f".{secrets.token_hex(4)}-{path.name}")
    try:
        with temporary.open("xb") as file:
            hold(file.fileno())
            if format == "parquet":
                _write_parquet(columns, temporary)
            else:
                with _open_text(temporary, gzipped) as out:
                    write_text(columns, format, out)
            os.replace(temporary, path)
    except OSError as error:
        raise _unwritable(path, error.strerror or str(error)) from None
    except duckdb.Error as error:
        raise _unwritable(path, str(error).split("\n")[0]) from None
    finally:
        with contextlib.suppress(OSError):  # the folder itself may be what is wrong
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _open_text(path: Path, gzipped: bool) -> Iterator[IO[str]]:
    """A text file to write; gzipped without name and time, so that equal rows give equal files."""
    with contextlib.ExitStack() as stack:
        raw: IO[bytes] = stack.enter_context(path.open("wb"))
        if gzipped:
            compressed = gzip.GzipFile("", "wb", mtime=0, fileobj=raw)
            raw = cast("IO[bytes]", stack.enter_context(compressed))
        yield stack.enter_context(io.TextIOWrapper(raw, encoding="utf-8", newline=""))


def _write_parquet(columns: Sequence[Column], path: Path) -> None:
    arrays = {f"c{i}": _encodable(values) for i, (_, values) in enumerate(columns)}
    quoted = [
        f'c{i} AS "{whole_text(name).replace(chr(34), chr(34) * 2)}"'
        for i, (name, _) in enumerate(columns)
    ]
    connection = duckdb.connect(":memory:")
    try:
        connection.register("source", arrays)
        target = str(path.absolute()).replace("'", "''")
        with interruptible():
            connection.execute(
                f"COPY (SELECT {', '.join(quoted)} FROM source) TO '{target}' "
                "(FORMAT parquet, USE_TMP_FILE false)"  # the file that this process holds
            )
    finally:
        connection.close()


def _encodable(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if values.dtype == object:
        texts = [whole_text(v) if isinstance(v, str) else v for v in values.tolist()]
        values = np.array(texts, object)
    return np.ascontiguousarray(values)


def _unwritable(path: Path, reason: str) -> StateError:
    return StateError(
        f"{path} cannot be written: {reason}",
        help="check that the folder exists, may be written to, and has room",
    )
