"""Numbers with marks and units, dates as people write them, and a few cells that are neither."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.data import Finding, Preprocessor, Setting, Table, infer_schema, read_table
from chainrule.data.tables.number_form import NumberForm
from chainrule.data.tables.schema import Column
from chainrule.errors import ConfigError, DataError

N = 60


def csv(path: Path, **columns: list[Any]) -> Table:
    rows = zip(*columns.values(), strict=True)
    quoted = [",".join('"' + str(cell) + '"' for cell in row) for row in rows]
    path.write_text("\n".join([",".join(columns), *quoted]), encoding="utf-8")
    return read_table(path)


def infer(tmp_path: Path, cells: list[Any], **options: Any) -> tuple[Table, Column, list[Finding]]:
    table = csv(tmp_path / "t.csv", x=cells, z=list(range(1, len(cells) + 1)))
    schema, findings = infer_schema(table, **options)
    return table.with_formats(options.get("formats", {})), schema.columns[0], findings


def values(table: Table, column: Column) -> list[Any]:
    how = "time" if column.kind == "datetime" else "number"
    return list(next(table.read({"x": how}, {"x": column.format}))[1]["x"])


#: how 1234.5 * i is written, and what the column then says of itself
WRITTEN = {
    "decimal commas": (lambda i: f"{i},{i % 7}5", "1.234,56", lambda i: i + (i % 7) / 10 + 0.05),
    "points for thousands": (
        lambda i: f"{1000 + 37 * i:,}".replace(",", ".") + f",{i % 10}",
        "1.234,56",
        lambda i: 1000 + 37 * i + (i % 10) / 10,
    ),
    "thousands": (lambda i: f"{117 * i:,}", "1,234.56", lambda i: 117 * i),
    "millions": (lambda i: f"{1170000 * i:,}", "1,234.56", lambda i: 1170000 * i),
    "dollars": (lambda i: f"${1170 * i:,}.50", "$1,234.56", lambda i: 1170 * i + 0.5),
    "euros": (lambda i: f"{i},50 €", "1.234,56€", lambda i: i + 0.5),
    "a currency's letters": (lambda i: f"USD {i}.5", "USD1234.56", lambda i: i + 0.5),
    "percent": (lambda i: f"{i / 8}%", "1234.56%", lambda i: i / 8),
    "a unit": (lambda i: f"{1.5 * i} kg", "1234.56 kg", lambda i: 1.5 * i),
    "a unit that is counted": (
        lambda i: f"{i} year" + "s" * (i != 1), "1234.56 years", lambda i: i
    ),
    "blanks": (lambda i: f"{1000 + i:,}".replace(",", "\u202f"), "1 234.56", lambda i: 1000 + i),
    "apostrophes": (lambda i: f"{1000 + i:,}".replace(",", "'"), "1'234.56", lambda i: 1000 + i),
    "brackets": (
        lambda i: f"(${i})" if i % 2 else f"${i}", "$1234.56", lambda i: -i if i % 2 else i
    ),
    "a true minus": (lambda i: f"−{i}.5", "1234.56", lambda i: -i - 0.5),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITTEN)
def test_numbers_are_numbers_however_they_are_written(tmp_path: Path, name: str) -> None:
    write, form, mean = WRITTEN[name]
    table, column, findings = infer(tmp_path, [write(i) for i in range(N)])
    assert (column.kind, column.number_format) == ("number", form)
    np.testing.assert_allclose(values(table, column), [mean(i) for i in range(N)], rtol=1e-12)
    said = [f for f in findings if f.code == "D114"]
    assert len(said) == 1
    assert "was read as" in said[0].evidence


@pytest.mark.parametrize(
    "write",
    [
        lambda i: f"A{i}",
        lambda i: f"1.{i}.3",
        lambda i: f"555-{1000 + i}",
        lambda i: f"{i} kg" if i % 2 else f"{i} g",  # nothing may mix the two
        lambda i: f"{i}.5" if i % 2 else f"{i},5",
        lambda i: f"00{i} kg",
        lambda i: f"{i}-{i + 1}",
    ],
)
def test_what_only_resembles_numbers_stays_text(tmp_path: Path, write: Any) -> None:
    _, column, _ = infer(tmp_path, [write(i) for i in range(N)])
    assert column.kind in ("ignored", "category")


def test_all_cells_decide_what_a_mark_means(tmp_path: Path) -> None:
    cells = [f"{1 + i % 9},{100 + i}" for i in range(N)]
    table, column, findings = infer(tmp_path, cells)
    assert values(table, column)[0] == 1100
    (said,) = (f for f in findings if f.code == "D114")
    assert said.severity == "warning"
    assert said.setting == Setting(("data", "formats", "x"), "1.234,56")
    table, column, findings = infer(tmp_path, cells, formats={"x": "1.234,56"})
    assert values(table, column)[0] == 1.1
    _, column, findings = infer(tmp_path, [*cells, "0,125"])  # no thousand begins with 0
    assert column.number_format == "1.234,56"
    assert next(f for f in findings if f.code == "D114").severity == "info"


@pytest.mark.parametrize("write", [lambda i: i * 3, lambda i: f"${i * 3}", lambda i: f"{i},5"])
def test_two_odd_cells_are_missing_and_said(tmp_path: Path, write: Any) -> None:
    cells = ["n.b." if i in (3, 7) else write(i) for i in range(N)]
    table, column, findings = infer(tmp_path, cells)
    assert column.kind == "number"
    assert column.junk
    assert [i for i, x in enumerate(values(table, column)) if np.isnan(x)] == [3, 7]
    (said,) = (f for f in findings if f.code == "D120")
    assert "2 of 60 cells" in said.message
    assert "'n.b.'" in said.evidence


def test_a_word_among_few_different_numbers_is_a_category(tmp_path: Path) -> None:
    _, column, findings = infer(tmp_path, ["other" if i == 4 else i % 5 for i in range(N)])
    assert column.kind == "category"
    assert [f.code for f in findings if f.code == "D120"] == ["D120"]


@pytest.mark.parametrize(
    ("write", "form"),
    [
        (lambda m, d: f"{m}/{d}/2024", "%m/%d/%Y"),
        (lambda m, d: f"{m}/{d}/24", "%m/%d/%y"),
        (lambda m, d: f"{d}.{m}.2024 17:05", "%d.%m.%Y %H:%M"),
        (lambda m, d: f"{m}/{d}/2024 5:05 pm", "%m/%d/%Y %I:%M %p"),
        (lambda m, d: f"{m}/{d}/2024 5:05PM", "%m/%d/%Y %I:%M%p"),
        (lambda m, d: f"2024-{m}-{d} 05:05 PM", "%Y-%m-%d %I:%M %p"),
        (lambda m, d: f"{d} {MONTHS[m - 1][:3]} 2024", "%d %b %Y"),
        (lambda m, d: f"{MONTHS[m - 1]} {d}, 2024", "%B %d, %Y"),
        (lambda m, d: f"{d}-{MONTHS[m - 1][:3]}-24", "%d-%b-%y"),
        (lambda m, d: f"2024{m:02}{d:02}", "%Y%m%d"),
        (lambda m, d: f"2024-{m:02}-{d:02}" if m % 2 else f"{d}.{m}.2024", "iso|%d.%m.%Y"),
    ],
)
def test_dates_in_common_forms(tmp_path: Path, write: Any, form: str) -> None:
    days = [(1 + i % 12, 13 + i % 15) for i in range(N)]
    table, column, findings = infer(tmp_path, [write(m, d) for m, d in days])
    assert (column.kind, column.date_format) == ("datetime", form)
    read = [str(v)[:10] for v in values(table, column)]
    assert read == [f"2024-{m:02}-{d:02}" for m, d in days]
    if "p" in form:
        assert str(values(table, column)[0])[11:16] == "17:05"
    assert not [f for f in findings if f.code == "D115"]
    assert bool([f for f in findings if f.code == "D121"]) == ("|" in form)


MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September",
          "October", "November", "December")  # fmt: skip


def test_dates_that_are_days_first_or_months_first_stay_text(tmp_path: Path) -> None:
    days = [(13 + i % 9, 1 + i % 9) for i in range(N)]
    cells = [f"{a}/{b}/2024" if i % 2 else f"{b}/{a}/2024" for i, (a, b) in enumerate(days)]
    _, column, _ = infer(tmp_path, cells)
    assert column.kind != "datetime"


def test_ambiguous_dates_are_read_the_other_way_by_the_setting_that_is_given(
    tmp_path: Path,
) -> None:
    cells = [f"{1 + i % 12}/{1 + i % 11}/2020" for i in range(N)]
    _, column, findings = infer(tmp_path, cells)
    (said,) = (f for f in findings if f.code == "D115")
    assert said.setting == Setting(("data", "formats", "x"), "%d/%m/%Y")
    table, column, findings = infer(tmp_path, cells, formats={"x": "%d/%m/%Y"})
    assert str(values(table, column)[1])[:10] == "2020-02-02"
    assert str(values(table, column)[12])[:10] == "2020-02-01"
    assert not [f for f in findings if f.code == "D115"]


@pytest.mark.parametrize("form", ["1234", "%Q", "two", "1.234.56", ""])
def test_a_format_that_is_none_is_refused(tmp_path: Path, form: str) -> None:
    with pytest.raises(ConfigError, match="the format of column `x`"):
        infer(tmp_path, ["1,5"] * N, formats={"x": form})


def test_a_form_is_spelled_by_an_example() -> None:
    for text in ("1234.56", "$1,234.56", "1.234,56 kg", "1 234,56€", "1'234.56%"):
        form = NumberForm.parse(text)
        assert form is not None
        assert str(form) == text
    assert NumberForm.parse("1,234,56") is None


def test_new_rows_are_read_in_the_form_of_the_training_rows(tmp_path: Path) -> None:
    prices = [f"${1000 + 10 * i:,}" for i in range(N)]
    prices[5] = "ask"
    table = csv(tmp_path / "t.csv", price=prices, y=[f"{i},5 €" for i in range(N)])
    schema, _ = infer_schema(table, "y", task="regression")
    fitted = Preprocessor.fit(table, schema)
    again = Preprocessor.from_json(fitted.to_json())
    assert again == fitted
    new = csv(tmp_path / "new.csv", price=["1,010", "$990", "-$1,000.5"])
    plain = read_table({"price": [1010.0, 990.0, -1000.5]})
    expected = fitted.transform(plain).numeric
    np.testing.assert_array_equal(again.transform(new).numeric, expected)
    odd = again.transform(csv(tmp_path / "odd.csv", price=["1,010", "on request"])).numeric
    assert odd[:, 1].tolist() == [0.0, 1.0]  # marked as missing
    more = csv(tmp_path / "y.csv", price=prices[:3], y=["1,5 €", "2,5", "7"])
    _, target = again.target(more)
    np.testing.assert_allclose(again.decode_target(target), [1.5, 2.5, 7.0], rtol=1e-6)


def test_a_cell_in_another_form_is_no_silent_number(tmp_path: Path) -> None:
    table = csv(tmp_path / "t.csv", x=[f"{i},5" for i in range(N)], y=[i % 2 for i in range(N)])
    schema, _ = infer_schema(table, "y")
    fitted = Preprocessor.fit(table, schema)
    with pytest.raises(DataError, match=r"`1\.5` in column `x` is not a number"):
        fitted.transform(csv(tmp_path / "new.csv", x=["3,5", "1.5"]))


def test_missing_values_may_be_given_as_plain_numbers(tmp_path: Path) -> None:
    cells = ["€0,00" if i % 4 == 0 else f"€{500 + i},50" for i in range(N)]
    table, column, findings = infer(tmp_path, cells)
    (spike,) = (f for f in findings if f.code == "D106")
    assert spike.setting == Setting(("data", "missing", "x"), (0,))
    table = table.with_missing({"x": (0,)})
    assert table.stats("x").present == N - N // 4
    assert np.isnan(values(table, column)[0])


def test_documents_of_version_1_mean_plain_numbers(tmp_path: Path) -> None:
    table = csv(tmp_path / "t.csv", x=list(range(N)), y=[i % 2 for i in range(N)])
    fitted = Preprocessor.fit(table, infer_schema(table, "y")[0])
    document = json.loads(fitted.to_json())
    assert document["version"] == 1
    assert "number_format" not in document["columns"][0]
    assert Preprocessor.from_json(json.dumps(document)) == fitted
    document["version"] = 2
    for record in (*document["columns"], document["target"]):
        record |= {"number_format": "", "junk": False}
    assert Preprocessor.from_json(json.dumps(document)) == fitted


def test_text_from_python_is_read_alike() -> None:
    table = read_table({"x": [f"${i},000" for i in range(1, N)], "d": ["5 Jan 2024"] * (N - 1)})
    schema, _ = infer_schema(table)
    assert schema.columns[0].number_format == "$1,234.56"
    plain = read_table({"x": [str(i) for i in range(N)]})
    assert plain.stats("x").storage == "text"  # whoever stores numbers as text has a reason
