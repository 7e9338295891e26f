"""Preprocessing: the numbers it makes, that it sees training rows only, and its JSON."""

from __future__ import annotations

import datetime
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.data import (
    FitOptions,
    Preprocessor,
    TablePlan,
    bundled,
    infer_schema,
    prepare,
    read_table,
)
from chainrule.errors import ConfigError, DataError, StateError


def fit(
    columns: dict[str, Any], target: str | None = None, rows: Any = None, **options: Any
) -> tuple[Preprocessor, Any]:
    fitting = FitOptions(**{k: options.pop(k) for k in list(options) if k in vars(FitOptions)})
    table = read_table(columns)
    schema, _ = infer_schema(table, target, **options)
    return Preprocessor.fit(table, schema, rows, fitting), table


def codes(pipeline: Preprocessor, columns: dict[str, Any]) -> list[str]:
    return [f.code for f in pipeline.transform(read_table(columns)).findings]


class TestNumbers:
    def test_standardised_with_the_training_rows_alone(self) -> None:
        pipeline, table = fit({"x": [1.0, 3.0, 100.0, 5.0]}, rows=np.array([0, 1, 3]))
        std = math.sqrt(8 / 3)
        expected = np.array([[-2 / std], [0], [97 / std], [2 / std]], dtype=np.float32)
        np.testing.assert_array_equal(pipeline.transform(table).numeric, expected)
        chosen = pipeline.transform(table, np.array([1, 2])).numeric
        np.testing.assert_array_equal(chosen, expected[1:3])

    def test_missing_is_filled_and_marked(self) -> None:
        pipeline, table = fit({"x": [1.0, 3.0, None, float("inf"), 11.0]})
        features = pipeline.transform(table)
        assert features.names == ("x", "x?")
        assert features.numeric[:, 1].tolist() == [0, 0, 1, 1, 0]
        assert features.numeric[2:4, 0].tolist() == [0, 0]  # the mean
        assert [f.code for f in features.findings] == ["D108"]

    def test_median(self) -> None:
        pipeline, table = fit({"x": [1.0, 3.0, None, 11.0]}, impute="median")
        features = pipeline.transform(table)
        assert features.numeric[2, 0] == features.numeric[1, 0]

    def test_listed_values_are_missing(self) -> None:
        pipeline, table = fit({"chol": [0, 200, 300, 0]}, missing={"chol": [0]})
        np.testing.assert_array_equal(
            pipeline.transform(table).numeric, np.array([[0, 1], [-1, 0], [1, 0], [0, 1]])
        )

    def test_truth_values(self) -> None:
        pipeline, table = fit({"b": [True, False, True, False]})
        assert pipeline.transform(table).numeric[:, 0].tolist() == [1, -1, 1, -1]
        for same in (["true", "FALSE"], [1, 0], ["1", "0"]):
            other = pipeline.transform(read_table({"b": same}))
            assert other.numeric[:, 0].tolist() == [1, -1]
        with pytest.raises(DataError, match=r"`2` in column `b` is not true or false"):
            pipeline.transform(read_table({"b": [0, 2]}))

    def test_far_values_are_cut_and_said(self) -> None:
        pipeline, _ = fit({"x": [-1.0, 1.0]})
        features = pipeline.transform(read_table({"x": [1e300, -2.0]}))
        assert features.numeric[:, 0].tolist() == [1e4, -2.0]
        assert [f.code for f in features.findings] == ["D203"]

    def test_a_column_that_rounding_alone_varies_is_constant(self) -> None:
        pipeline, _ = fit({"x": [0.1] * 10 + [7.0], "y": range_list(11)}, rows=np.arange(10))
        assert pipeline.names == ("y",)
        assert [f.code for f in pipeline.findings] == ["D101"]

    def test_numbers_too_large_to_add(self) -> None:
        with pytest.raises(DataError, match="too large to sum"):
            fit({"x": [1e308, 1.7e308, 1.0]})


def range_list(n: int) -> list[int]:
    return list(range(n))


class TestCategories:
    def test_one_hot(self) -> None:
        pipeline, table = fit({"c": ["b", "a", "b", "a", None, None]})
        features = pipeline.transform(table)
        assert features.names == ("c=a", "c=b", "c?")
        assert features.numeric.tolist() == [
            [0, 1, 0], [1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 1],
        ]  # fmt: skip

    def test_rare_and_unseen_are_the_same_code(self) -> None:
        values = ["a", "a", "b", "b", "rare", None]
        pipeline, _ = fit({"c": values}, one_hot_limit=0)
        assert pipeline.cardinalities == (3,)
        features = pipeline.transform(read_table({"c": ["b", "a", "rare", "new", None]}))
        assert features.codes[:, 0].tolist() == [2, 1, 0, 0, 0]
        assert [(f.code, f.evidence) for f in features.findings] == [
            ("D201", "1 of 5 rows, for example `new`")
        ]

    def test_ten_thousand_categories(self) -> None:
        values = [f"v{i % 10_000:05}" for i in range(30_000)]
        pipeline, table = fit({"c": values})
        assert pipeline.cardinalities == (10_001,)
        found = pipeline.transform(table).codes[:, 0]
        np.testing.assert_array_equal(found, np.arange(30_000) % 10_000 + 1)
        fewer, table = fit({"c": values}, max_categories=100)
        assert fewer.cardinalities == (101,)
        assert [f.code for f in fewer.findings] == ["D204"]

    def test_codes_that_are_numbers(self) -> None:
        pipeline, _ = fit({"zip": [7, 8, 7, 8]}, kinds={"zip": "category"})
        same = [{"zip": [8, 7]}, {"zip": [8.0, 7.0]}, {"zip": ["8", "7"]}, {"zip": ["8.0", " 7"]}]
        for columns in same:
            assert pipeline.transform(read_table(columns)).numeric.tolist() == [[0, 1], [1, 0]]


class TestDates:
    def test_parts(self) -> None:
        days = [datetime.datetime(2020, 1, 1), datetime.datetime(2021, 7, 2, 12)]
        pipeline, table = fit({"d": days})
        features = pipeline.transform(table)
        assert features.names == (
            "d.year", "d.month.sin", "d.month.cos", "d.weekday.sin", "d.weekday.cos",
            "d.hour.sin", "d.hour.cos",
        )  # fmt: skip
        first, second = features.numeric
        assert (first[0], second[0]) == (-1, 1)
        assert first[1:3] == pytest.approx([0, 1])  # January
        assert second[1:3] == pytest.approx([0, -1], abs=1e-7)  # July
        wednesday, friday = 2 * 2 * math.pi / 7, 4 * 2 * math.pi / 7
        assert first[3:5] == pytest.approx([math.sin(wednesday), math.cos(wednesday)])
        assert second[3:5] == pytest.approx([math.sin(friday), math.cos(friday)])
        assert first[5:7] == pytest.approx([0, 1])
        assert second[5:7] == pytest.approx([0, -1], abs=1e-7)

    def test_before_1970_and_missing(self) -> None:
        days = [datetime.date(1969, 12, 31), datetime.date(1971, 1, 1), None]
        pipeline, table = fit({"d": days})
        features = pipeline.transform(table)
        assert features.names[-1] == "d?"
        assert features.numeric[2].tolist() == [0, 0, 0, 0, 0, 1]
        wednesday = 2 * 2 * math.pi / 7
        assert features.numeric[0, 3] == pytest.approx(math.sin(wednesday))

    def test_the_format_of_training_is_kept(self, tmp_path: Path) -> None:
        path = tmp_path / "t.csv"
        path.write_text("d\n31.12.2020\n05.01.2021\n")
        table = read_table(path)
        pipeline = Preprocessor.fit(table, infer_schema(table)[0])
        path.write_text("d\n01.02.2020\n")
        assert pipeline.transform(read_table(path)).numeric.shape == (1, 5)
        path.write_text("d\n01.02.2020\n2020-02-01\n")
        with pytest.raises(DataError, match=r"`2020-02-01` in column `d` is not a date\n.*row 2"):
            pipeline.transform(read_table(path))


class TestNewTables:
    COLUMNS = ("age", "city")

    def fitted(self) -> Preprocessor:
        return fit({"age": [20, 40, 60, 80], "city": ["Rome", "Oslo", "Rome", "Oslo"]})[0]

    def test_order_and_extra_columns(self) -> None:
        pipeline = self.fitted()
        plain = pipeline.transform(read_table({"age": [50], "city": ["Rome"]}))
        other = pipeline.transform(read_table({"x": [1], "city": ["Rome"], "age": [50]}))
        np.testing.assert_array_equal(plain.numeric, other.numeric)

    def test_a_missing_column(self) -> None:
        with pytest.raises(DataError, match=r"has no column `age`[^$]*did you mean `Age`"):
            self.fitted().transform(read_table({"Age": [50], "city": ["Rome"]}))

    def test_wrong_types(self) -> None:
        with pytest.raises(DataError, match=r"`old` in column `age` is not a number\n.*row 2"):
            self.fitted().transform(read_table({"age": ["50", "old"], "city": ["Rome", "Oslo"]}))
        numbers = {"age": ["50", "NA"], "city": ["Rome", "Oslo"]}
        assert codes(self.fitted(), numbers) == ["D202"]

    def test_all_missing(self) -> None:
        assert codes(self.fitted(), {"age": [None], "city": [None]}) == ["D202", "D202"]


class TestTarget:
    def test_labels_come_back_with_their_types(self) -> None:
        for values in (["no", "yes"] * 5, [3, 7] * 5, [True, False] * 5, [0.5, 1.5] * 5):
            pipeline, table = fit({"x": range_list(10), "y": values}, "y")
            rows, encoded = pipeline.target(table)
            assert encoded.dtype == np.int32
            assert rows.tolist() == range_list(10)
            again = Preprocessor.from_json(pipeline.to_json())
            assert again.decode_target(encoded).tolist() == values
            assert type(again.decode_target([0]).tolist()[0]) is type(values[0])

    def test_regression_is_scaled_with_the_training_rows(self) -> None:
        columns = {"x": range_list(30), "y": [10.0 * i + 0.5 for i in range(30)]}
        pipeline, table = fit(columns, "y", rows=np.arange(3))
        _, encoded = pipeline.target(table)
        assert encoded.dtype == np.float32
        assert encoded[:3].tolist() == pytest.approx([-math.sqrt(1.5), 0, math.sqrt(1.5)])
        assert pipeline.decode_target(encoded) == pytest.approx(columns["y"], rel=1e-6)

    def test_a_target_beyond_float32(self) -> None:
        pipeline, table = fit({"x": range_list(30), "y": [*range(29), 1e300]}, "y", np.arange(20))
        with pytest.raises(DataError, match=r"1e\+300 is too far"):
            pipeline.target(table)

    def test_missing_targets_are_passed_over(self) -> None:
        pipeline, table = fit({"x": range_list(6), "y": ["a", None, "b", "a", None, "b"]}, "y")
        rows, encoded = pipeline.target(table)
        assert rows.tolist() == [0, 2, 3, 5]
        assert encoded.tolist() == [0, 1, 0, 1]

    def test_an_unknown_label(self) -> None:
        pipeline, _ = fit({"x": range_list(6), "y": ["no", "yes"] * 3}, "y")
        with pytest.raises(DataError, match=r"`yess` is not a class.*\n.*row 2\n.*`yes`"):
            pipeline.target(read_table({"y": ["no", "yess"]}))
        with pytest.raises(DataError, match="has no target column `y`"):
            pipeline.target(read_table({"x": [1]}))


class TestPrepare:
    def test_the_same_bits_every_time(self) -> None:
        spec = bundled("heart")
        found = set()
        for _ in range(5):
            data = prepare(
                read_table(spec.path), spec.target, TablePlan(missing=spec.missing, seed=4)
            )
            arrays = [part.features.numeric for part in (data.train, data.val, data.test)]
            text = data.pipeline.to_json()
            found.add((text, *(a.tobytes() for a in arrays), data.train.target.tobytes()))
        assert len(found) == 1

    def test_many_chunks_give_the_same_as_one_pass_over_numpy(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        x = np.random.Generator(np.random.Philox(0)).normal(3.0, 2.0, size=40_000)
        table = read_table({"x": x, "y": x > 3})
        data = prepare(table, "y", TablePlan(fractions=(1.0, 0.0, 0.0)))
        expected = ((x - x.mean()) / x.std()).astype(np.float32)
        np.testing.assert_allclose(
            data.train.features.numeric[:, 0], expected, rtol=1e-5, atol=1e-6
        )

    def test_large_features_go_to_files(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        spec = bundled("breast_cancer")
        plain = prepare(read_table(spec.path), spec.target)
        monkeypatch.setattr("chainrule.data.tables.features.MEMORY_BYTES", 1000)
        mapped = prepare(read_table(spec.path), spec.target, folder=tmp_path)
        assert isinstance(mapped.train.features.numeric, np.memmap)
        np.testing.assert_array_equal(mapped.train.features.numeric, plain.train.features.numeric)

    def test_few_rows_and_rare_classes_are_said(self) -> None:
        columns = {"x": range_list(30), "y": ["a", "b"] * 14 + ["c", "c"]}
        data = prepare(read_table(columns), "y")
        assert {"D111", "D112"} <= {f.code for f in data.findings}
        with pytest.raises(DataError, match="cannot be split"):
            prepare(read_table({"x": [1, 2], "y": ["a", "b"]}), "y")

    def test_options_are_checked(self) -> None:
        with pytest.raises(ConfigError, match="impute is 'mode'"):
            FitOptions(impute="mode")  # type: ignore[arg-type]


class TestJson:
    def text(self) -> str:
        columns = {
            "n": [1.0, None, 3.5],
            "c": ["a", "a", None],
            "d": [datetime.date(2020, 1, 1), datetime.date(2021, 2, 3), None],
            "b": [True, False, True],
            "y": [0.1, 0.2, 0.3],
        }
        pipeline, table = fit(columns, "y", one_hot_limit=0, missing={"n": [9]}, rare=1)
        again = Preprocessor.from_json(pipeline.to_json())
        assert again.encoders == pipeline.encoders
        assert again.schema == pipeline.schema
        for name in ("numeric", "codes"):
            first, second = (getattr(p.transform(table), name) for p in (pipeline, again))
            np.testing.assert_array_equal(first, second)
        assert again.to_json() == pipeline.to_json()
        return pipeline.to_json()

    def test_round_trip(self) -> None:
        document = json.loads(self.text())
        assert document["missing"] == {"n": [9]}
        assert [e["type"] for e in document["encoders"]] == [
            "number", "category", "datetime", "number",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            (("version",), 3),
            (("extra",), 1),
            (("columns",), {}),
            (("columns", 0, "kind"), "numbr"),
            (("columns", 0, "name"), "b"),
            (("columns", 0, "as_number"), 1),
            (("target", "std"), 0.0),
            (("target", "task"), "binary"),
            (("target", "mean"), None),
            (("missing",), {"zz": [1]}),
            (("missing",), {"n": [None]}),
            (("encoders",), []),
            (("encoders", 0, "mean"), "1"),
            (("encoders", 0, "std"), -1.0),
            (("encoders", 0, "read_as"), "text"),
            (("encoders", 0, "type"), "pickle"),
            (("encoders", 0, "column"), "c"),
            (("encoders", 1, "categories"), ["a", "a"]),
            (("encoders", 1, "categories"), [1]),
            (("encoders", 2, "parts"), ["day"]),
            (("fitted_rows",), -1),
        ],
    )
    def test_a_changed_document_is_refused(self, path: tuple[Any, ...], value: object) -> None:
        document = json.loads(self.text())
        inner = document
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        with pytest.raises(StateError, match="cannot read the saved preprocessing"):
            Preprocessor.from_json(json.dumps(document))

    @pytest.mark.parametrize("text", ["", "[]", "{}", "{", '{"format": NaN}'])
    def test_no_pipeline_at_all(self, text: str) -> None:
        with pytest.raises(StateError):
            Preprocessor.from_json(text)
