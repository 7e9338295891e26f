"""What is encoded comes back: the same values of the same types."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.errors import StateError
from chainrule.train.checkpoints.encoding import decoded, encoded

PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
KEYS = st.text(max_size=5) | st.integers() | st.sampled_from(["$array", "$tuple", "a.b"])
STATES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=12,
)


def there_and_back(state: Any) -> Any:
    tree, arrays = encoded(state)
    return decoded(json.loads(json.dumps(tree, allow_nan=False)), arrays)


@given(STATES)
def test_any_state_comes_back(state: Any) -> None:
    back = there_and_back(state)
    assert back == state
    assert repr(back) == repr(state)  # 1 is not 1.0, a list not a tuple, -0.0 not 0.0


def test_arrays_of_equal_paths_stay_apart() -> None:
    state = {"a.b": np.arange(3), "a": {"b": np.ones((2, 2), np.float32)}, "n": float("nan")}
    back = there_and_back(state)
    np.testing.assert_array_equal(back["a.b"], [0, 1, 2])
    np.testing.assert_array_equal(back["a"]["b"], np.ones((2, 2)))
    assert math.isnan(back["n"])


def test_numpy_numbers_become_plain_ones() -> None:
    back = there_and_back({"x": np.float64(0.1), "n": np.int64(3), "b": np.bool_(True)})
    assert back == {"x": 0.1, "n": 3, "b": True}
    assert type(back["n"]) is int


def test_what_has_no_form_is_named() -> None:
    with pytest.raises(StateError, match="a set cannot be stored") as raised:
        encoded({"callbacks": [{"seen": {1, 2}}]})
    assert raised.value.where == "callbacks.0.seen"
