"""A preprocessor as JSON and back. Reading is strict: every key, every type, nothing more.

The text holds data only, no code, so a preprocessor from a stranger is as safe as a table.
"""

from __future__ import annotations

import json
import math
from collections.abc import Container, Mapping, Sequence
from itertools import pairwise
from typing import Any, NoReturn, get_args

from chainrule.data.tables.encode import (
    PERIODS,
    CategoryEncoder,
    DateEncoder,
    Encoder,
    NumberEncoder,
    TextEncoder,
)
from chainrule.data.tables.number_form import NumberForm
from chainrule.data.tables.schema import Column, Kind, Schema
from chainrule.data.tables.table import Cell
from chainrule.data.tables.target import Label, Target, Task
from chainrule.data.tables.transforms import TRANSFORMS
from chainrule.errors import StateError
from chainrule.records import parsed

__all__ = ["dump", "load"]

FORMAT = "chainrule.pipeline"
VERSION = 4
#: what documents of version 1 do not say of columns and targets
ADDED = {"number_format": "", "junk": False}
#: and those of version 2 of targets
ADDED_TO_TARGETS: Mapping[str, Any] = {"quantiles": [], "transform": ""}


def dump(
    schema: Schema, encoders: Sequence[Encoder], mean: float, std: float, fitted_rows: int
) -> str:
    target = schema.target
    described = [*schema.columns, *([target] if target else [])]
    plain = all(getattr(d, key) == value for d in described for key, value in ADDED.items())
    simple = target is None or all(not getattr(target, key) for key in ADDED_TO_TARGETS)
    of_text = any(column.kind == "text" for column in schema.columns)
    plain = plain and simple and not of_text
    simple = simple and not of_text
    left_out = ADDED if plain else {}
    of_target = {**left_out, **(ADDED_TO_TARGETS if simple else {})}
    document = {
        "format": FORMAT,
        # Earlier releases read what they could have written.
        "version": VERSION if of_text else 1 if plain else 2 if simple else 3,
        "fitted_rows": fitted_rows,
        "columns": [_without(vars(c), left_out) for c in schema.columns],
        "missing": {c: list(v) for c, v in schema.missing.items()},
        "target": target and {**_without(vars(target), of_target), "mean": mean, "std": std},
        "encoders": [{"type": e.type, **vars(e)} for e in encoders],
    }
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _without(record: Mapping[str, Any], keys: Container[str]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in keys}


def load(
    text: str, where: str, alone: bool = True
) -> tuple[Schema, tuple[Encoder, ...], float, float, int]:
    """``alone``: nothing else is learned from, so that there have to be encoders."""
    reader = _Reader(where, alone)
    document = parsed(text, "the saved preprocessing", where)
    top = reader.record(document, "", "format", "version", "fitted_rows", "columns", "missing",
                        "target", "encoders")  # fmt: skip
    if top["format"] != FORMAT or top["version"] not in range(1, VERSION + 1):
        reader.fail("format", f"{top['format']!r} version {top['version']!r} is unknown")
    reader.added = ADDED if top["version"] == 1 else {}
    reader.of_targets = ADDED_TO_TARGETS if top["version"] < 3 else {}
    columns = tuple(
        reader.column(c, f"columns[{i}]") for i, c in enumerate(reader.list(top, "columns"))
    )
    encoders = tuple(
        reader.encoder(e, f"encoders[{i}]") for i, e in enumerate(reader.list(top, "encoders"))
    )
    target, mean, std = reader.target(top["target"])
    schema = Schema(columns, target, reader.missing(top["missing"]))
    reader.check_agreement(schema, encoders)
    return schema, encoders, mean, std, reader.count(top, "fitted_rows", "")


class _Reader:
    """Takes a document apart; every complaint says where in it."""

    def __init__(self, where: str, alone: bool) -> None:
        self.where, self.alone = where, alone
        self.added: Mapping[str, Any] = {}
        self.of_targets: Mapping[str, Any] = {}

    def fail(self, key_path: str, problem: str) -> NoReturn:
        raise StateError(
            f"cannot read the saved preprocessing: {problem}",
            where=f"{self.where}: {key_path}" if key_path else self.where,
            help="it was edited by hand or written by a different version; train again",
        )

    def record(self, value: object, key_path: str, *keys: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            self.fail(key_path, "expected an object")
        if set(value) != set(keys):
            unexpected = sorted(set(value) ^ set(keys))
            self.fail(key_path, f"missing or unknown keys: {', '.join(unexpected)}")
        return value

    def list(self, value: Mapping[str, Any], key: str, key_path: str = "") -> Sequence[Any]:
        if not isinstance(value[key], list):
            self.fail(f"{key_path}{key}", "expected a list")
        items: Sequence[Any] = value[key]
        return items

    def text(self, value: Mapping[str, Any], key: str, key_path: str) -> str:
        text = value[key]
        if not isinstance(text, str):
            self.fail(f"{key_path}.{key}", "expected text")
        return text

    def flag(self, value: Mapping[str, Any], key: str, key_path: str) -> bool:
        flag = value[key]
        if not isinstance(flag, bool):
            self.fail(f"{key_path}.{key}", "expected true or false")
        return flag

    def count(self, value: Mapping[str, Any], key: str, key_path: str) -> int:
        count = value[key]
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            self.fail(f"{key_path}.{key}", "expected a whole number")
        return count

    def number(self, value: Mapping[str, Any], key: str, key_path: str) -> float:
        number = value[key]
        if isinstance(number, bool) or not isinstance(number, int | float):
            self.fail(f"{key_path}.{key}", "expected a number")
        if not math.isfinite(number):
            self.fail(f"{key_path}.{key}", "expected a finite number")
        return float(number)

    def positive(self, value: Mapping[str, Any], key: str, key_path: str) -> float:
        number = self.number(value, key, key_path)
        if number <= 0:
            self.fail(f"{key_path}.{key}", "expected a number above zero")
        return number

    def one_of(self, value: Mapping[str, Any], key: str, key_path: str, options: object) -> Any:
        choice = self.text(value, key, key_path)
        if choice not in get_args(options):
            self.fail(f"{key_path}.{key}", f"{choice!r} is not known")
        return choice

    def cells(self, value: object, key_path: str) -> tuple[Cell, ...]:
        if not isinstance(value, list) or not all(isinstance(v, str | int | float) for v in value):
            self.fail(key_path, "expected a list of text, numbers or booleans")
        return tuple(value)

    def missing(self, value: object) -> dict[str, tuple[Cell, ...]]:
        if not isinstance(value, dict):
            self.fail("missing", "expected an object")
        return {c: self.cells(v, f"missing.{c}") for c, v in value.items()}

    def column(self, value: object, key_path: str) -> Column:
        fields = self.completed(value, key_path, "name", "kind", "as_number", "date_format")
        return Column(
            self.text(fields, "name", key_path),
            self.one_of(fields, "kind", key_path, Kind),
            self.flag(fields, "as_number", key_path),
            self.text(fields, "date_format", key_path),
            self.number_form(fields, key_path),
            self.flag(fields, "junk", key_path),
        )

    def completed(self, value: object, key_path: str, *keys: str) -> dict[str, Any]:
        """A record with ``keys`` and those that earlier versions do not have."""
        own = [*keys, *(() if self.added else ADDED)]
        return {**self.added, **self.record(value, key_path, *own)}

    def number_form(self, value: Mapping[str, Any], key_path: str) -> str:
        form = self.text(value, "number_format", key_path)
        if form and NumberForm.parse(form) is None:
            self.fail(f"{key_path}.number_format", f"{form!r} is not known")
        return form

    def target(self, value: object) -> tuple[Target | None, float, float]:
        if value is None:
            return None, 0.0, 1.0
        own = () if self.of_targets else tuple(ADDED_TO_TARGETS)
        fields = {
            **self.of_targets,
            **self.completed(value, "target", "name", "task", "classes", "mean", "std", *own),
        }
        task: Task = self.one_of(fields, "task", "target", Task)
        classes: tuple[Label, ...] = self.cells(fields["classes"], "target.classes")
        kinds = {bool if isinstance(c, bool) else str if isinstance(c, str) else float
                 for c in classes}  # fmt: skip
        count = {"binary": len(classes) == 2, "multiclass": len(classes) >= 2,
                 "regression": not classes}[task]  # fmt: skip
        if not count or len(kinds) > 1 or len(set(classes)) < len(classes):
            self.fail("target.classes", f"they do not fit a {task} task")
        target = Target(
            self.text(fields, "name", "target"), task, classes,
            self.number_form(fields, "target"), self.flag(fields, "junk", "target"),
            self.levels(fields["quantiles"]), self.text(fields, "transform", "target"),
        )  # fmt: skip
        if target.transform and target.transform not in TRANSFORMS:
            self.fail("target.transform", f"{target.transform!r} is not known")
        if classes and (target.quantiles or target.transform):
            self.fail("target", "classes have neither quantiles nor a transform")
        mean = self.number(fields, "mean", "target")
        return target, mean, self.positive(fields, "std", "target")

    def levels(self, value: object) -> tuple[float, ...]:
        levels = self.cells(value, "target.quantiles")
        numbers = tuple(v for v in levels if isinstance(v, float) and 0 < v < 1)
        if len(numbers) < len(levels) or any(a >= b for a, b in pairwise(numbers)):
            self.fail("target.quantiles", "expected ascending numbers between 0 and 1")
        return numbers

    def encoder(self, value: object, key_path: str) -> Encoder:
        kind = value.get("type") if isinstance(value, dict) else None
        if kind == "number":
            return self.number_encoder(value, key_path)
        if kind == "datetime":
            return self.date_encoder(value, key_path)
        if kind == "category":
            return self.category_encoder(value, key_path)
        if kind == "text":
            return self.text_encoder(value, key_path)
        self.fail(key_path, f"the type {kind!r} is not known")

    def number_encoder(self, value: object, key_path: str) -> NumberEncoder:
        fields = self.record(value, key_path, "type", "column", "read_as", "mean", "std", "fill",
                            "indicator")  # fmt: skip
        how = self.text(fields, "read_as", key_path)
        if how not in ("number", "truth"):
            self.fail(f"{key_path}.read_as", f"{how!r} is not known")
        return NumberEncoder(
            self.text(fields, "column", key_path),
            "truth" if how == "truth" else "number",
            self.number(fields, "mean", key_path),
            self.positive(fields, "std", key_path),
            self.number(fields, "fill", key_path),
            self.flag(fields, "indicator", key_path),
        )

    def date_encoder(self, value: object, key_path: str) -> DateEncoder:
        fields = self.record(value, key_path, "type", "column", "date_format", "parts", "mean",
                            "std", "indicator")  # fmt: skip
        parts = self.list(fields, "parts", f"{key_path}.")
        known = ("year", *PERIODS)
        if not parts or any(p not in known for p in parts) or len(set(parts)) < len(parts):
            self.fail(f"{key_path}.parts", "expected year, month, weekday or hour")
        return DateEncoder(
            self.text(fields, "column", key_path),
            self.text(fields, "date_format", key_path),
            tuple(parts),
            self.number(fields, "mean", key_path),
            self.positive(fields, "std", key_path),
            self.flag(fields, "indicator", key_path),
        )

    def category_encoder(self, value: object, key_path: str) -> CategoryEncoder:
        fields = self.record(value, key_path, "type", "column", "as_number", "categories",
                            "known_rare", "one_hot")  # fmt: skip
        kept = self.list(fields, "categories", f"{key_path}.")
        rare = self.list(fields, "known_rare", f"{key_path}.")
        categories = [*kept, *rare]
        if not kept or not all(c is None or isinstance(c, str) for c in categories):
            self.fail(f"{key_path}.categories", "expected a list of text")
        if len(set(categories)) < len(categories):
            self.fail(f"{key_path}.categories", "a category occurs twice")
        return CategoryEncoder(
            self.text(fields, "column", key_path),
            self.flag(fields, "as_number", key_path),
            tuple(kept),
            tuple(rare),
            self.flag(fields, "one_hot", key_path),
        )

    def text_encoder(self, value: object, key_path: str) -> TextEncoder:
        fields = self.record(value, key_path, "type", "column", "words", "weights", "indicator")
        words = self.list(fields, "words", f"{key_path}.")
        weights = self.list(fields, "weights", f"{key_path}.")
        if not words or not all(isinstance(word, str) for word in words):
            self.fail(f"{key_path}.words", "expected a list of text")
        if len(set(words)) < len(words) or len(weights) != len(words):
            self.fail(f"{key_path}.weights", "expected a number for each word")
        numbers = {str(i): weight for i, weight in enumerate(weights)}
        return TextEncoder(
            self.text(fields, "column", key_path),
            tuple(words),
            tuple(self.positive(numbers, i, f"{key_path}.weights") for i in numbers),
            self.flag(fields, "indicator", key_path),
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
        if not encoders and (self.alone or schema.inputs):
            self.fail("encoders", "there are none")
