"""Inferring what columns are and what the target asks for."""

from __future__ import annotations

from typing import Any

import pytest

from chainrule.data import Finding, Schema, Setting, bundled, infer_schema, read_table
from chainrule.errors import ConfigError, DataError

N = 60


def infer(columns: dict[str, list[Any]], target: str | None = None, **options: Any) -> Any:
    return infer_schema(read_table(columns), target, **options)


def from_csv(tmp_path: Any, columns: dict[str, list[Any]]) -> tuple[Schema, list[Finding]]:
    lines = [
        ",".join(columns),
        *(",".join(map(str, r)) for r in zip(*columns.values(), strict=True)),
    ]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(lines))
    return infer_schema(read_table(path))


def kinds(schema: Schema) -> dict[str, str]:
    return {c.name: c.kind for c in schema.columns}


def test_kinds_of_columns(tmp_path: Any) -> None:
    schema, findings = from_csv(
        tmp_path,
        {
            "age": [20 + i % 40 for i in range(N)],
            "rooms": [i % 3 for i in range(N)],
            "city": ["Rome" if i % 2 else "Oslo" for i in range(N)],
            "smoker": ["True" if i % 3 else "false" for i in range(N)],
            "joined": [f"2020-{1 + i % 12:02}-{1 + i % 28:02}" for i in range(N)],
            "us_date": [f"{1 + i % 12}/{1 + i % 28}/2020" for i in range(N)],
            "eu_date": [f"{1 + i % 28}.{1 + i % 12}.2020" for i in range(N)],
            "padded": [f"00{i % 5}" for i in range(N)],
            "zip": [10115 + i % 9 for i in range(N)],
            "patient_id": list(range(1000, 1000 + N)),
            "name": [f"n{i}" for i in range(N)],
            "one": ["same"] * N,
            "empty": [""] * N,
            "words": ["NA" if i % 5 == 0 else i % 7 for i in range(N)],
        },
    )
    assert kinds(schema) == {
        "age": "number",
        "rooms": "number",
        "city": "category",
        "smoker": "boolean",
        "joined": "datetime",
        "us_date": "datetime",
        "eu_date": "datetime",
        "padded": "category",
        "zip": "category",
        "patient_id": "ignored",
        "name": "ignored",
        "one": "ignored",
        "empty": "ignored",
        "words": "number",
    }
    said = {(f.code, f.message.split("`")[1]) for f in findings}
    assert said == {
        ("D119", "zip"),
        ("D103", "patient_id"),
        ("D103", "name"),
        ("D101", "one"),
        ("D102", "empty"),
        ("D107", "words"),
    }
    formats = {c.name: c.date_format for c in schema.columns if c.kind == "datetime"}
    assert formats == {"joined": "", "us_date": "%m/%d/%Y", "eu_date": "%d.%m.%Y"}


def test_uncertain_dates_are_said(tmp_path: Any) -> None:
    schema, findings = from_csv(
        tmp_path, {"d": [f"{1 + i % 12}/{1 + i % 11}/2020" for i in range(N)]}
    )
    assert schema.columns[0].date_format == "%m/%d/%Y"
    assert [f.code for f in findings if f.code == "D115"] == ["D115"]


def test_numbers_with_commas_and_strays_are_said(tmp_path: Any) -> None:
    _, findings = from_csv(
        tmp_path,
        {
            "price": [f'"{i % 9},{i % 10}"' for i in range(N)],
            "dose": ["low" if i == 3 else i % 10 for i in range(N)],
        },
    )
    assert [f.code for f in findings if f.code in ("D114", "D120")] == ["D114", "D120"]
    stray = next(f for f in findings if f.code == "D120")
    assert "1 of 60 cells are not, such as 'low'" in stray.evidence
    assert stray.setting == Setting(("data", "missing", "dose"), ("low",))


def test_missing_values_change_what_a_column_is() -> None:
    table = read_table({"x": ["?" if i % 4 == 0 else "b" for i in range(N)], "y": list(range(N))})
    assert kinds(infer_schema(table)[0])["x"] == "category"
    schema, _ = infer_schema(table, missing={"y": [7, 8]})
    assert schema.missing == {"y": (7, 8)}
    assert table.with_missing({"y": [7, 8]}).stats("y").present == N - 2


def test_the_chol_of_the_heart_table_is_suggested() -> None:
    spec = bundled("heart")
    table = read_table(spec.path)
    _, findings = infer_schema(table, spec.target)
    spikes = [f for f in findings if f.code == "D106"]
    assert [f.setting for f in spikes] == [Setting(("data", "missing", "chol"), (0,))]
    assert "172 of 918 rows are 0; all others lie between 85 and 603" in spikes[0].evidence
    _, findings = infer_schema(table, spec.target, missing={"chol": [0]})
    assert not [f for f in findings if f.code == "D106"]


@pytest.mark.parametrize(
    "values",
    [
        [0 if i % 3 == 0 else i for i in range(N)],  # zero among small numbers: a count
        [0.0 if i % 2 else i / N for i in range(N)],  # a share
        [-i for i in range(N)],
        [0] + [500 + i for i in range(N - 1)],  # one zero proves nothing
    ],
)
def test_ordinary_zeros_are_not_suspected(values: list[float]) -> None:
    _, findings = infer({"x": values})
    assert not [f for f in findings if f.code == "D106"]


def test_other_marks_for_missing_are_suspected() -> None:
    _, findings = infer({"x": [-999 if i % 6 == 0 else i % 30 for i in range(N)]})
    (spike,) = (f for f in findings if f.code == "D106")
    assert spike.setting == Setting(("data", "missing", "x"), (-999,))


def test_copies_and_infinities_are_said() -> None:
    _, findings = infer({"x": [1.0, 2.0, float("inf"), 4.0] * 2, "y": [1, 2, 3, 4] * 2})
    found = {f.code: f for f in findings}
    assert "4 of 8 rows are exact copies" in found["D118"].message
    assert found["D108"].evidence == "2 of 8 cells, the first in row 3"


def test_overruling() -> None:
    columns = {"a": [1, 2, 3] * 20, "b": ["1", "2", "3"] * 20, "c": list(range(N))}
    schema, _ = infer(columns, kinds={"a": "category", "b": "number"}, ignore=["c"])
    assert kinds(schema) == {"a": "category", "b": "number", "c": "ignored"}
    assert schema.columns[0].as_number
    with pytest.raises(DataError, match="no column named `d`"):
        infer(columns, kinds={"d": "number"})
    with pytest.raises(ConfigError, match="cannot be `numbr`"):
        infer(columns, kinds={"a": "numbr"})
    with pytest.raises(DataError, match=r"`x` in column `b` is not a number\n.*row 2"):
        infer({"b": ["1", "x"]}, kinds={"b": "number"})


class TestTarget:
    def task(self, values: list[Any], **options: Any) -> tuple[str, tuple[Any, ...], list[str]]:
        schema, findings = infer({"f": list(range(N)), "y": values}, "y", **options)
        assert schema.target is not None
        codes = [f.code for f in findings]
        return schema.target.task, schema.target.classes, codes

    def test_tasks(self) -> None:
        assert self.task(["no", "yes"] * 30) == ("binary", ("no", "yes"), [])
        assert self.task([True, False] * 30) == ("binary", (False, True), [])
        assert self.task([2, 1] * 30) == ("binary", (1, 2), [])
        assert self.task([0.5, 1.5] * 30) == ("binary", (0.5, 1.5), [])
        assert self.task(["a", "b", "c"] * 20) == ("multiclass", ("a", "b", "c"), [])
        assert self.task([0, 1, 2] * 20) == ("multiclass", (0, 1, 2), ["D110"])
        assert self.task([i / 7 for i in range(N)]) == ("regression", (), [])
        assert self.task([i % 30 for i in range(N)]) == ("regression", (), [])

    def test_task_overruled(self) -> None:
        assert self.task([0, 1, 2] * 20, task="regression") == ("regression", (), [])
        assert self.task([i % 30 for i in range(N)], task="multiclass")[1] == tuple(range(30))
        with pytest.raises(DataError, match="has 3 classes, but a binary task needs 2"):
            self.task([0, 1, 2] * 20, task="binary")
        with pytest.raises(DataError, match="not numeric"):
            self.task(["a", "b"] * 30, task="regression")
        with pytest.raises(ConfigError, match="unknown task `regresion`"):
            self.task([0, 1] * 30, task="regresion")

    def test_the_kind_of_the_target_decides(self) -> None:
        def learned(values: list[Any], kind: str, **options: Any) -> tuple[Any, ...]:
            return self.task(values, kinds={"y": kind}, **options)[:2]

        assert learned([0, 1] * 30, "number") == ("regression", ())
        assert learned([0, 1, 2] * 20, "number") == ("regression", ())
        assert learned([f"{i}.5" for i in range(N)], "number") == ("regression", ())
        assert learned([0, 1, 2] * 20, "category") == ("multiclass", (0, 1, 2))
        assert learned([i % 30 for i in range(N)], "category")[0] == "multiclass"
        assert learned([0.5, 1.5] * 30, "category", task="binary") == ("binary", (0.5, 1.5))
        assert learned([0, 1] * 30, "boolean") == ("binary", (False, True))
        assert self.task([0, 1, 2] * 20, kinds={"y": "category"})[2] == []

    @pytest.mark.parametrize(
        ("options", "error", "what"),
        [
            ({"kinds": {"y": "number"}}, DataError, "`no` in column `y` is not a number"),
            ({"kinds": {"y": "boolean"}}, DataError, "`no` in column `y` is not"),
            ({"kinds": {"y": "datetime"}}, ConfigError, "target `y` cannot be `datetime`"),
            ({"ignore": ["y"]}, ConfigError, "target `y` cannot be `ignored`"),
            (
                {"kinds": {"y": "category"}, "task": "regression"},
                ConfigError,
                "cannot be a category in a regression task",
            ),
            (
                {"kinds": {"y": "number"}, "task": "binary"},
                ConfigError,
                "cannot be a number in a binary task",
            ),
        ],
    )
    def test_a_kind_that_no_target_has(
        self, options: dict[str, Any], error: type[Exception], what: str
    ) -> None:
        with pytest.raises(error, match=what):
            self.task(["no", "yes"] * 30, **options)

    def test_rows_without_target_are_counted(self) -> None:
        values = [None, float("inf")] + [i / 7 for i in range(N - 2)]
        schema, findings = infer({"f": list(range(N)), "y": values}, "y")
        assert schema.task == "regression"
        assert [(f.code, f.message) for f in findings] == [
            ("D109", "2 of 60 rows have no target `y` and are left out")
        ]

    @pytest.mark.parametrize(
        ("values", "what"),
        [
            ([None] * N, "missing in every row"),
            ([float("nan")] * N, "missing in every row"),
            ([5] * N, "only one value"),
            ([None] + ["x"] * (N - 1), "only one value"),
            ([f"n{i}" for i in range(N)], "different in every row"),
        ],
    )
    def test_targets_that_cannot_be_learned(self, values: list[Any], what: str) -> None:
        with pytest.raises(DataError, match=what):
            self.task(values)

    def test_an_unknown_target_gets_the_nearest_name(self) -> None:
        with pytest.raises(
            DataError, match=r"no column named `diseas`\n.*\n.*did you mean `disease`"
        ):
            infer({"disease": [0, 1], "age": [1, 2]}, "diseas")
        with pytest.raises(DataError, match=r"did you mean `Disease`"):
            infer({"Disease": [0, 1], "age": [1, 2]}, "disease")

    def test_nothing_to_learn_from(self) -> None:
        with pytest.raises(DataError, match="no columns are left"):
            infer({"y": [0, 1] * 30}, "y")
        with pytest.raises(DataError, match="no columns are left"):
            infer({"one": [1] * N, "y": [0, 1] * 30}, "y")


def test_equal_rows_of_few_values_are_no_copies() -> None:
    few = {"a": [i % 3 for i in range(N)], "b": [i % 4 for i in range(N)], "y": [0, 1] * (N // 2)}
    (said,) = (f for f in infer(few, "y")[1] if f.code == "D118")
    assert (said.severity, said.setting) == ("info", None)
    assert "equal by chance" in said.evidence
    told = {**few, "x": [i * 0.25 for i in range(N - 6)] + [0.0] * 6}
    told["a"][-6:], told["b"][-6:], told["y"][-6:] = [0] * 6, [0] * 6, [0] * 6
    (said,) = (f for f in infer(told, "y")[1] if f.code == "D118")
    assert said.setting == Setting(("data", "query"), "SELECT DISTINCT * FROM data")
