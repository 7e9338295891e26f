"""Reading data: what is narrowed, what is refused, and how the message says where."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule.errors import DataError, ShapeError
from chainrule.train.examples import narrowed, read_examples, read_inputs


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("float64", "float32"),
        ("float16", "float32"),
        ("float32", "float32"),
        ("int64", "int32"),
        ("int8", "int32"),
        ("uint16", "int32"),
        ("int16", "int16"),
        ("uint8", "uint8"),
        ("bool", "bool"),
    ],
)
def test_dtypes(given: str, kept: str) -> None:
    array = narrowed(np.ones((2, 3), given), "input")
    assert array.dtype == kept
    assert array.tolist() == np.ones((2, 3), kept).tolist()


@pytest.mark.parametrize("dtype", ["float32", "int32", "int16", "uint8", "bool"])
def test_right_dtype_is_not_copied(dtype: str) -> None:
    x = np.ones((4, 3), dtype)
    assert narrowed(x, "input") is x


def test_int16_targets_are_classes_or_counts() -> None:
    small = np.ones((2, 3), np.int16)
    examples = read_examples((small, small[:, 0]), "training data")
    assert [a.dtype.name for a in examples.arrays] == ["int16", "int32"]
    assert (examples.inputs[0] is small, examples.bytes_per_row) == (True, 3 * 2 + 4)


def test_lists_and_several_inputs() -> None:
    examples = read_examples((([[1.5], [2.5]], [[1], [0]]), [0, 1]), "training data")
    assert [a.dtype.name for a in examples.arrays] == ["float32", "int32", "int32"]
    assert examples.rows == 2


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
def test_values_that_are_not_finite(value: float) -> None:
    x = np.zeros((50, 4))
    x[17, 2] = x[30, 0] = value
    with pytest.raises(DataError) as raised:
        read_examples((x, np.zeros(50)), "training data")
    assert "input of the training data" in raised.value.what
    assert "2 such values" in raised.value.what
    assert raised.value.where == "row 17, column 2"


def test_a_sum_that_overflows_is_no_reason_to_refuse() -> None:
    x = np.full((4, 4), 3e38, np.float32)
    assert narrowed(x, "input") is x


def test_large_integers() -> None:
    with pytest.raises(DataError, match="4294967296"):
        narrowed(np.array([0, 2**32]), "target")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.zeros((2, 3)), "not a pair"),
        ((np.zeros((2, 3)), np.zeros(3)), "2 rows of inputs"),
        ((np.zeros((0, 3)), np.zeros(0)), "empty"),
        (((np.zeros((2, 3)), np.zeros((3, 3))), np.zeros(2)), "inputs of the training data"),
        ((np.array([["a"], ["b"]]), np.zeros(2)), "text, not numbers"),
        ((np.zeros((2, 1)), ["yes", "no"]), "target of the training data holds text"),
        ((np.array([[None], [1]]), np.zeros(2)), "Python objects"),
    ],
)
def test_refused(data: Any, message: str) -> None:
    with pytest.raises((DataError, ShapeError), match=message):
        read_examples(data, "training data")


def test_a_number_is_not_data() -> None:
    with pytest.raises(ShapeError, match="one row per example"):
        read_inputs(3.0, "data")
