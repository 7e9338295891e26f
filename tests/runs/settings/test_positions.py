"""The line of every key, whatever a TOML text looks like."""

from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chainrule.runs.settings import toml
from chainrule.runs.settings.positions import key_lines

TEXT = """\
# version = 0
version = 2
"a b" = "x # no comment"

[data]  # [not] = a table
split = [
    0.7,  # "open
    0.15, 0.15,
]
query = \"\"\"
SELECT [1]
path = "inside"
\"\"\"
path = 'c:\\dir[' # ]
columns.age = "number"
columns."zip code" = "category"
[train.optimizer]
name = "sgd"
[ "od.d" . key ]
x = { y = 1, z = [1, {a = 2}] }
last = 1
"""


def test_lines() -> None:
    tomllib.loads(TEXT)
    positions = key_lines(TEXT)
    assert positions == {
        ("version",): 2,
        ("a b",): 3,
        ("data",): 5,
        ("data", "split"): 6,
        ("data", "query"): 10,
        ("data", "path"): 14,
        ("data", "columns"): 15,
        ("data", "columns", "age"): 15,
        ("data", "columns", "zip code"): 16,
        ("train", "optimizer"): 17,
        ("train", "optimizer", "name"): 18,
        ("od.d", "key"): 19,
        ("od.d", "key", "x"): 20,
        ("od.d", "key", "last"): 21,
    }


KEYS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=5)
VALUES = st.one_of(KEYS, st.integers(0, 9), st.lists(KEYS, max_size=2))


@given(st.dictionaries(KEYS, st.one_of(VALUES, st.dictionaries(KEYS, VALUES, max_size=3))))
def test_every_key_that_we_write_is_found(document: dict[str, Any]) -> None:
    text = toml.dumps(document)
    lines = text.split("\n")
    positions = key_lines(text)
    for key, value in document.items():
        inner = value if isinstance(value, dict) else {}
        for path in [(key,), *((key, k) for k in inner)]:
            assert path in positions
            name = path[-1]
            assert toml.dumps({name: 1}).split(" = ")[0] in lines[positions[path] - 1]
