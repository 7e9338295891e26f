"""Files read back: what bounds them, what vouches for them, and what their values must be."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from chainrule.errors import StateError
from chainrule.records import (
    Kind,
    OtherVersionError,
    file_text,
    mismatch,
    parsed,
    parsed_toml,
    read_sealed,
    sealed,
)

KIND = Kind("x.json", "chainrule.x", version=2, sealed=2)
FACTS = {"format": "chainrule.x", "version": 2, "a": {"b": [1, 2.5, None, True, "é"]}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "too deeply"),
        ("[" * 61 + "]" * 61, "too deeply"),
        ("9" * 5000, "5000 digits"),
        ("1e999", "too large"),
        ("NaN", "NaN is not a number"),
        ('"\\ud800"', "half a character"),
        ("{", "not JSON"),
    ],
)
def test_json_that_is_refused(text: str, message: str) -> None:
    with pytest.raises(StateError, match=message):
        parsed(text, "x.json", "here")


def test_whole_numbers_fit_into_floats() -> None:
    assert float(parsed("9" * 308, "x", "x")) < float("inf")
    assert parsed("[18446744073709551616, 1e308]", "x", "x") == [2**64, 1e308]


def test_toml_has_bounds_too() -> None:
    for text in ("a = " + "[" * 5000, "a = " + "9" * 400, ".".join("a" * 100) + " = 1"):
        with pytest.raises(ValueError, match=r"."):
            parsed_toml(text)
    assert parsed_toml("a = [1, 2.5]") == {"a": [1, 2.5]}


@pytest.mark.parametrize("indent", [None, 1, 2])
def test_every_flipped_bit_of_a_sealed_file_is_told(indent: int | None, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(sealed(json.dumps(FACTS, indent=indent) + "\n"))
    content = path.read_bytes()
    assert read_sealed(path, KIND) == FACTS
    for bit in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(StateError):
            read_sealed(path, KIND)


def test_versions(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(FACTS | {"version": 1}))
    assert read_sealed(path, KIND)["version"] == 1
    path.write_text(json.dumps(FACTS))
    with pytest.raises(StateError, match="modified after it was written"):
        read_sealed(path, KIND)
    path.write_text(sealed(json.dumps(FACTS | {"version": 3})))
    with pytest.raises(OtherVersionError, match="version 3"):
        read_sealed(path, KIND)
    path.write_text(sealed(json.dumps(FACTS)).replace('"version": 2', '"version": 1'))
    with pytest.raises(StateError, match="modified after it was written"):
        read_sealed(path, KIND)


def test_only_plain_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # would be waited for
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder").mkdir()
    (tmp_path / "latin").write_bytes(b"\xe9")
    for name in ("pipe", "loop", "folder", "latin"):
        with pytest.raises(StateError, match=f"cannot read {name}"):
            file_text(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        file_text(tmp_path / "none")


@pytest.mark.parametrize(
    ("value", "shape", "place"),
    [
        (1, int, None),
        (True, int, ""),
        (1, float, None),
        (False, float, ""),
        (None, (str, None), None),
        ([1, "a"], [int], "1"),
        ({"a": 1, "b": None}, {...: (int, None)}, None),
        ({"a": "x"}, {...: int}, "a"),
        ({"a": {"b": 1}, "more": 0}, {"a": {"b": int}, "c?": str}, None),
        ({"a": {}}, {"a": {"b": int}}, "a.b"),
        ({"c": 1}, {"c?": str}, "c"),
        ([], {"a": int}, ""),
    ],
)
def test_shapes(value: Any, shape: Any, place: str | None) -> None:
    assert mismatch(value, shape) == place
