"""TOML that is written reads back to the same values."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.runs.settings import toml

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PLAIN = st.one_of(TEXT, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))
VALUES = st.recursive(
    PLAIN, lambda v: st.one_of(st.lists(v, max_size=3), st.dictionaries(TEXT, v, max_size=3))
)


@given(st.dictionaries(TEXT, VALUES, max_size=5))
def test_round_trip(document: dict[str, Any]) -> None:
    assert tomllib.loads(toml.dumps(document)) == document


def test_text() -> None:
    missing = {"chol": [0], "a b": [{"c": 1}]}
    document = {"version": 1, "data": {"lr": 1e-3, "no": {}, "missing": missing}}
    assert toml.dumps(document, {("data", "lr"): "rate"}) == (
        "version = 1\n\n[data]\nlr = 0.001  # rate\nno = {}\n\n[data.missing]\nchol = [0]\n"
        '"a b" = [{ c = 1 }]\n'
    )


def test_a_value_without_a_toml_form_is_refused() -> None:
    with pytest.raises(TypeError, match="NoneType"):
        toml.dumps({"query": None})
