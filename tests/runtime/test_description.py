"""A description survives JSON, and impossible slots are refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from chainrule.errors import CompileError
from chainrule.ir.types import DType
from chainrule.runtime.description import ProgramMeta, Slot

META = ProgramMeta(
    (
        Slot("rows", "arg", DType.i32, (32,), 32),
        Slot("weight", "state", DType.f32, (3, 4), strides=(1, 3), aligned=True),
        Slot("lr", "scalar", DType.f64, (), 1),
        Slot("mask", "output", DType.bool, (3, 0, 2)),
    ),
    arena_bytes=4096,
    flops=123,
    traffic_bytes=456,
    entry="run",
)


def test_json_and_back() -> None:
    assert ProgramMeta.from_json(json.loads(json.dumps(META.to_json()))) == META


def test_sizes_in_bytes() -> None:
    rows, weight, lr, mask = META.slots
    assert (rows.nbytes, rows.step_bytes, rows.byte_strides) == (128, 128, (4,))
    assert (weight.nbytes, weight.step_bytes, weight.byte_strides) == (48, 0, (4, 12))
    assert (lr.size, lr.step_bytes) == (1, 8)
    assert mask.nbytes == 0


def test_lies_like() -> None:
    weight = META.slots[1]
    assert weight.lies_like(np.zeros((3, 4), np.float32, order="F"))
    assert not weight.lies_like(np.zeros((3, 4), np.float32))
    thin = Slot("b", "state", DType.f32, (1, 4), strides=(99, 1))
    assert thin.lies_like(np.zeros((1, 4), np.float32))


@pytest.mark.parametrize(
    ("slot", "message"),
    [
        (("x", "input", DType.f32, (2,)), "unknown kind 'input'"),
        (("x", "arg", DType.f32, (2,), 3), "of 2 elements moves 3"),
        (("s", "scalar", DType.f32, ()), "not f64"),
        (("w", "state", DType.f32, (2,), 2), "cannot move"),
    ],
)
def test_impossible_slots(slot: tuple[object, ...], message: str) -> None:
    with pytest.raises(CompileError, match=message):
        Slot(*slot)  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [{}, {"slots": 3}, {**META.to_json(), "slots": [{"name": "x"}]}])
def test_what_is_no_description(data: dict[str, object]) -> None:
    with pytest.raises(CompileError, match="description of a program"):
        ProgramMeta.from_json(data)
