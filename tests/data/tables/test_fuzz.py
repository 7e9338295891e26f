"""Random small tables: each is read exactly, or refused with a DataError; never anything else."""

from __future__ import annotations

import contextlib
import csv
import io
import math
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainrule.data import Preprocessor, infer_schema, prepare, read_table
from chainrule.errors import DataError

CELLS = st.one_of(
    st.integers(-1000, 1000).map(str),
    st.floats(allow_nan=True, allow_infinity=True).map(repr),
    st.sampled_from(["", "NA", "?", "true", "False", "2020-01-01", "1/2/2020", "a", "b", "007"]),
    st.text(
        st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), include_characters="\n\t"),
        max_size=6,
    ),
)
SETTINGS = settings(
    max_examples=35, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    width, height = draw(st.integers(1, 4)), draw(st.integers(1, 12))
    column = st.one_of(
        st.lists(CELLS, min_size=height, max_size=height),
        st.lists(st.sampled_from(["x", "y", "z"]), min_size=height, max_size=height),
        st.lists(st.integers(0, 5).map(str), min_size=height, max_size=height),
    )
    columns = [draw(column) for _ in range(width)]
    return [[f"c{i}" for i in range(width)], *map(list, zip(*columns, strict=True))]


def save(path: Path, rows: list[list[str]], end: str) -> Path:
    text = io.StringIO()
    # Every cell is quoted, because a row of one empty cell would be a blank line.
    csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(rows)
    path.write_bytes(text.getvalue().encode())
    return path


@SETTINGS
@given(rows=tables(), end=st.sampled_from(["\n", "\r\n", "\r"]))
def test_cells_come_back_as_they_were_written(
    rows: list[list[str]], end: str, tmp_path: Path
) -> None:
    table = read_table(save(tmp_path / "t.csv", rows, end))
    assert table.columns == tuple(rows[0])
    (_, chunk), *_ = table.read(dict.fromkeys(table.columns, "text"))
    for i, name in enumerate(table.columns):
        written = [row[i].strip(" \t\n\r") or None for row in rows[1:]]
        assert chunk[name].tolist() == written


@SETTINGS
@given(rows=tables())
def test_the_whole_way_is_a_number_or_a_data_error(rows: list[list[str]], tmp_path: Path) -> None:
    path = save(tmp_path / "t.csv", rows, "\n")
    try:
        data = prepare(read_table(path), rows[0][-1])
    except DataError:
        return
    for part in (data.train, data.val, data.test):
        assert np.isfinite(part.features.numeric).all()
        assert np.isfinite(part.target).all()
        for j, cardinality in enumerate(part.features.cardinalities):
            assert (part.features.codes[:, j] >= 0).all()
            assert (part.features.codes[:, j] < cardinality).all()
    again = Preprocessor.from_json(data.pipeline.to_json())
    inputs = again.transform(read_table(path), data.test.rows)
    np.testing.assert_array_equal(inputs.numeric, data.test.features.numeric)


@SETTINGS
@given(content=st.binary(max_size=60))
def test_any_bytes(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with contextlib.suppress(DataError):
        infer_schema(read_table(path))


@SETTINGS
@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=40), st.integers(0, 3))
def test_standardised_columns_have_mean_0_and_spread_1(values: list[float], gaps: int) -> None:
    columns = {"x": [*values, *[math.nan] * gaps], "k": list(range(len(values) + gaps))}
    table = read_table(columns)
    numeric = Preprocessor.fit(table, infer_schema(table)[0]).transform(table)
    if "x" in numeric.names and len(set(values)) > 1:
        x = numeric.numeric[: len(values), 0].astype(np.float64)
        assert abs(x.mean()) < 1e-3
        assert abs(x.std() - 1) < 1e-3
