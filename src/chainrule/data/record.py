"""A preprocessor as JSON and back. Reading is strict: every key, every type, nothing more.

The text holds data only, no code, so a preprocessor from a stranger is as safe as a table.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, get_args

from chainrule.data.encode import PERIODS, CategoryEncoder, DateEncoder, Encoder, NumberEncoder
from chainrule.data.schema import Column, Kind, Schema
from chainrule.data.table import Cell
from chainrule.data.target import Label, Target, Task
from chainrule.errors import StateError
from chainrule.records import parsed

__all__ = ["dump", "load"]

FORMAT = "chainrule.pipeline"
VERSION = 1


def dump(
    schema: Schema, encoders: Sequence[Encoder], mean: float, std: float, fitted_rows: int
) -> str:
    target = schema.target
    document = {
        "format": FORMAT,
        "version": VERSION,
        "fitted_rows": fitted_rows,
        "columns": [vars(c) for c in schema.columns],
        "missing": {c: list(v) for c, v in schema.missing.items()},
        "target": target and {**vars(target), "mean": mean, "std": std},
        "encoders": [{"type": e.type, **vars(e)} for e in encoders],
    }
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def load(text: str, where: str) -> tuple[Schema, tuple[Encoder, ...], float, float, int]:
    reader = _Reader(where)
    document = parsed(text, "the saved preprocessing", where)
    top = reader.record(document, "", "format", "version", "fitted_rows", "columns", "missing",
                        "target", "encoders")  # fmt: skip
    if top["format"] != FORMAT or top["version"] != VERSION:
        reader.fail("format", f"{top['format']!r} version {top['version']!r} is unknown")
    columns = tuple(
        reader.column(c, f"columns[{i}]") for i, c in enumerate(reader.list(top, "columns"))
    )
    encoders = tuple(
        reader.encoder(e, f"encoders[{i}]") for i, e in enumerate(reader.list(top, "encoders"))
    )
    target, mean, std = reader.target(top["target"])
    schema = Schema(columns, target, reader.missing(top["missing"]))
    reader.check_agreement(schema, encoders)
    return schema, encoders, mean, std, reader.whole(top, "fitted_rows", "")


class _Reader:
    """Takes a document apart; every complaint names the place in it."""

    def __init__(self, where: str) -> None:
        self.where = where

    def fail(self, place: str, problem: str) -> NoReturn:
        raise StateError(
            f"cannot read the saved preprocessing: {problem}",
            where=f"{self.where}: {place}" if place else self.where,
            help="it was edited by hand or written by a different version; train again",
        )

    def record(self, value: object, place: str, *keys: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            self.fail(place, "an object is expected")
        if set(value) != set(keys):
            odd = sorted(set(value) ^ set(keys))
            self.fail(place, f"missing or unknown keys: {', '.join(odd)}")
        return value

    def list(self, value: Mapping[str, Any], key: str, place: str = "") -> Sequence[Any]:
        if not isinstance(value[key], list):
            self.fail(f"{place}{key}", "a list is expected")
        items: Sequence[Any] = value[key]
        return items

    def text(self, value: Mapping[str, Any], key: str, place: str) -> str:
        text = value[key]
        if not isinstance(text, str):
            self.fail(f"{place}.{key}", "text is expected")
        return text

    def flag(self, value: Mapping[str, Any], key: str, place: str) -> bool:
        flag = value[key]
        if not isinstance(flag, bool):
            self.fail(f"{place}.{key}", "true or false is expected")
        return flag

    def whole(self, value: Mapping[str, Any], key: str, place: str) -> int:
        count = value[key]
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            self.fail(f"{place}.{key}", "a whole number is expected")
        return count

    def number(self, value: Mapping[str, Any], key: str, place: str) -> float:
        number = value[key]
        if isinstance(number, bool) or not isinstance(number, int | float):
            self.fail(f"{place}.{key}", "a number is expected")
        if not math.isfinite(number):
            self.fail(f"{place}.{key}", "a finite number is expected")
        return float(number)

    def positive(self, value: Mapping[str, Any], key: str, place: str) -> float:
        number = self.number(value, key, place)
        if number <= 0:
            self.fail(f"{place}.{key}", "a number above zero is expected")
        return number

    def one_of(self, value: Mapping[str, Any], key: str, place: str, options: object) -> Any:
        choice = self.text(value, key, place)
        if choice not in get_args(options):
            self.fail(f"{place}.{key}", f"{choice!r} is not known")
        return choice

    def cells(self, value: object, place: str) -> tuple[Cell, ...]:
        if not isinstance(value, list) or not all(isinstance(v, str | int | float) for v in value):
            self.fail(place, "a list of text, numbers or truth values is expected")
        return tuple(value)

    def missing(self, value: object) -> dict[str, tuple[Cell, ...]]:
        if not isinstance(value, dict):
            self.fail("missing", "an object is expected")
        return {c: self.cells(v, f"missing.{c}") for c, v in value.items()}

    def column(self, value: object, place: str) -> Column:
        fields = self.record(value, place, "name", "kind", "as_number", "date_format")
        return Column(
            self.text(fields, "name", place),
            self.one_of(fields, "kind", place, Kind),
            self.flag(fields, "as_number", place),
            self.text(fields, "date_format", place),
        )

    def target(self, value: object) -> tuple[Target | None, float, float]:
        if value is None:
            return None, 0.0, 1.0
        fields = self.record(value, "target", "name", "task", "classes", "mean", "std")
        task: Task = self.one_of(fields, "task", "target", Task)
        classes: tuple[Label, ...] = self.cells(fields["classes"], "target.classes")
        kinds = {bool if isinstance(c, bool) else str if isinstance(c, str) else float
                 for c in classes}  # fmt: skip
        count = {"binary": len(classes) == 2, "multiclass": len(classes) >= 2,
                 "regression": not classes}[task]  # fmt: skip
        if not count or len(kinds) > 1 or len(set(classes)) < len(classes):
            self.fail("target.classes", f"they do not fit a {task} task")
        target = Target(self.text(fields, "name", "target"), task, classes)
        mean = self.number(fields, "mean", "target")
        return target, mean, self.positive(fields, "std", "target")

    def encoder(self, value: object, place: str) -> Encoder:
        kind = value.get("type") if isinstance(value, dict) else None
        if kind == "number":
            return self.number_encoder(value, place)
        if kind == "datetime":
            return self.date_encoder(value, place)
        if kind == "category":
            return self.category_encoder(value, place)
        self.fail(place, f"the type {kind!r} is not known")

    def number_encoder(self, value: object, place: str) -> NumberEncoder:
        fields = self.record(value, place, "type", "column", "read_as", "mean", "std", "fill",
                            "indicator")  # fmt: skip
        how = self.text(fields, "read_as", place)
        if how not in ("number", "truth"):
            self.fail(f"{place}.read_as", f"{how!r} is not known")
        return NumberEncoder(
            self.text(fields, "column", place),
            "truth" if how == "truth" else "number",
            self.number(fields, "mean", place),
            self.positive(fields, "std", place),
            self.number(fields, "fill", place),
            self.flag(fields, "indicator", place),
        )

    def date_encoder(self, value: object, place: str) -> DateEncoder:
        fields = self.record(value, place, "type", "column", "date_format", "parts", "mean", "std",
                            "indicator")  # fmt: skip
        parts = self.list(fields, "parts", f"{place}.")
        known = ("year", *PERIODS)
        if not parts or any(p not in known for p in parts) or len(set(parts)) < len(parts):
            self.fail(f"{place}.parts", "year, month, weekday or hour is expected")
        return DateEncoder(
            self.text(fields, "column", place),
            self.text(fields, "date_format", place),
            tuple(parts),
            self.number(fields, "mean", place),
            self.positive(fields, "std", place),
            self.flag(fields, "indicator", place),
        )

    def category_encoder(self, value: object, place: str) -> CategoryEncoder:
        fields = self.record(value, place, "type", "column", "as_number", "categories",
                            "known_rare", "one_hot")  # fmt: skip
        lists = [self.list(fields, key, f"{place}.") for key in ("categories", "known_rare")]
        joined = [c for values in lists for c in values]
        if not lists[0] or not all(c is None or isinstance(c, str) for c in joined):
            self.fail(f"{place}.categories", "a list of text is expected")
        if len(set(joined)) < len(joined):
            self.fail(f"{place}.categories", "a category occurs twice")
        return CategoryEncoder(
            self.text(fields, "column", place),
            self.flag(fields, "as_number", place),
            tuple(lists[0]),
            tuple(lists[1]),
            self.flag(fields, "one_hot", place),
        )

    def check_agreement(self, schema: Schema, encoders: Sequence[Encoder]) -> None:
        """Names are unique and every encoder has an input column of its kind."""
        names = [c.name for c in schema.columns] + ([schema.target.name] if schema.target else [])
        if len(set(names)) < len(names):
            self.fail("columns", "a name occurs twice")
        if not set(schema.missing) <= set(names):
            self.fail("missing", "it names a column that does not exist")
        kinds = {c.name: c.kind for c in schema.inputs}
        seen: set[str] = set()
        for i, encoder in enumerate(encoders):
            kind = kinds.get(encoder.column)
            expected = "number" if kind == "boolean" else kind
            if encoder.type != expected or encoder.column in seen:
                self.fail(f"encoders[{i}]", f"it does not fit column {encoder.column!r}")
            seen.add(encoder.column)
        if not encoders:
            self.fail("encoders", "there are none")
