"""The JSON Schema of run.toml: it accepts what we write and refuses what we refuse."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest

from chainrule.errors import ConfigError
from chainrule.modalities.tables.settings import Settings, TableTrainSettings
from chainrule.optim import OPTIMIZERS
from chainrule.runs.settings.describing import markdown, section_schema
from chainrule.runs.settings.training import OptimizerSettings

from .test_settings import FULL, read

SCHEMA = Settings.json_schema()
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "boolean": (bool,), "integer": (int,),
    "number": (int, float),
}  # fmt: skip


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """Whether ``value`` is valid, for the keywords of JSON Schema that we use; others raise."""
    known = {
        "$schema", "title", "description", "default", "type", "enum", "const", "anyOf", "allOf",
        "if", "then", "properties", "additionalProperties", "required", "items", "prefixItems",
        "minItems", "maxItems", "minimum", "maximum", "pattern",
    }  # fmt: skip
    assert set(schema) <= known, set(schema) - known
    return all(check(value, schema) for check in (of_type, of_number, of_list, of_table, of_parts))


def of_type(value: Any, schema: dict[str, Any]) -> bool:
    names = schema.get("type", [])
    names = [names] if isinstance(names, str) else names
    kinds = [
        isinstance(value, TYPES[n]) and (n == "boolean") == isinstance(value, bool) for n in names
    ]
    listed = value in schema.get("enum", [value]) and value == schema.get("const", value)
    return (not kinds or any(kinds)) and listed


def of_number(value: Any, schema: dict[str, Any]) -> bool:
    if isinstance(value, str):
        return bool(re.search(schema.get("pattern", ""), value))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return True
    low, high = schema.get("minimum", float("-inf")), schema.get("maximum", float("inf"))
    return bool(low <= value <= high)


def of_list(value: Any, schema: dict[str, Any]) -> bool:
    if not isinstance(value, list):
        return True
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        return False
    heads = schema.get("prefixItems", [])
    return all(fits(v, s) for v, s in zip(value, heads, strict=False)) and all(
        fits(v, schema.get("items", {})) for v in value[len(heads) :]
    )


def of_table(value: Any, schema: dict[str, Any]) -> bool:
    if not isinstance(value, dict):
        return True
    own, other = schema.get("properties", {}), schema.get("additionalProperties", {})
    if not set(schema.get("required", [])) <= set(value):
        return False
    for key, inner in value.items():
        rule = own.get(key, other)
        if rule is False or not fits(inner, rule):
            return False
    return True


def of_parts(value: Any, schema: dict[str, Any]) -> bool:
    if "if" in schema and fits(value, schema["if"]) and not fits(value, schema["then"]):
        return False
    every = all(fits(value, s) for s in schema.get("allOf", []))
    return every and ("anyOf" not in schema or any(fits(value, s) for s in schema["anyOf"]))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_is_written_is_accepted(name: str) -> None:
    settings = Settings(train=TableTrainSettings(optimizer=OptimizerSettings(name)))
    assert fits(tomllib.loads(settings.to_toml()), SCHEMA)


def test_full_and_empty_files_are_accepted() -> None:
    assert fits(tomllib.loads(FULL.to_toml()), SCHEMA)
    assert fits({}, SCHEMA)
    assert fits(tomllib.loads(Settings().resolved(642, "binary").to_toml()), SCHEMA)
    assert fits({"train": {"optimizer": "sgd", "schedule": {"name": "cosine"}}}, SCHEMA)


WRONG: tuple[str, ...] = (
    "extra = 1",
    "seed = -1",
    "version = 3",
    "[model]\ndropout = 1.5",
    "[model]\ndropout = 'much'",
    "[model]\nlayers = [0]",
    "[model]\nactivation = 'rlu'",
    "[train]\nepochs = 2.5",
    "[train]\nepochs = true",
    "[train]\nlr = 0",
    "[train]\nbatch_size = 'some'",
    "[train]\noptimizer = 'sdg'",
    "[train.optimizer]\nname = 'sgd'\nbetas = [0.9, 0.99]",
    "[train.optimizer]\nmomentum = 0.9",
    "[train.optimizer]\nname = 'sgd'\nnesterov = 1",
    "[train.schedule]\nname = 'cosin'",
    "[train.average]\nkind = 'ema'\nstart = 3",
    "[train.guard]\nmost = -1",
    "[data]\nsplit = [0.5, 0.5]",
    "[data.columns]\nage = 'numbr'",
    "[data.missing]\nage = []",
    "[output.checkpoints]\nevery = 'often'",
)


@pytest.mark.parametrize("text", WRONG)
def test_what_is_refused_is_refused_by_both(text: str) -> None:
    assert not fits(tomllib.loads(text), SCHEMA)
    with pytest.raises(ConfigError):
        read(text)


def test_sections() -> None:
    assert section_schema("", Settings) == SCHEMA
    assert section_schema("model", Settings)["properties"]["dropout"]["description"]
    assert section_schema("train.lr", Settings)["anyOf"][0]["minimum"] == 1e-12
    with pytest.raises(ConfigError, match=r"did you mean `train.optimizer`"):
        section_schema("train.optimiser", Settings)


def test_every_setting_says_what_it_does() -> None:
    for path, text in Settings.descriptions().items():
        assert text, path
    assert markdown(Settings).count("| `") > 60
