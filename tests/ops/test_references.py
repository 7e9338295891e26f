"""What each primitive computes: its declared type, and numbers worked out by hand."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest

from chainrule import ops
from chainrule.errors import ChainruleError, DTypeError, ShapeError, VerifyError
from chainrule.ir.graph import Location, Node, at
from chainrule.ir.primitive import Primitive, primitives
from chainrule.ir.types import Array, DType, boolean, f32, f64, i16, i32, u8, u32
from gradients import variable


@pytest.mark.parametrize("primitive", primitives().values(), ids=lambda p: p.name)
def test_type_rule_tells_the_type_of_the_reference(primitive: Primitive) -> None:
    for sample in primitive.samples(np.random.default_rng(5)):
        nodes = [variable(f"x{i}", a.shape, DType.of(a.dtype)) for i, a in enumerate(sample.inputs)]
        if primitive.name == "assign":
            a = nodes[0]
            nodes[0] = ops.input(
                kind="state", name="s", shape=a.shape, dtype=a.dtype, strides=a.params["strides"]
            )
        if primitive is ops.scan:
            loop = primitive(*nodes, **sample.params)
            values = primitive.reference(*sample.inputs, **sample.params)
            for index, value in enumerate(values):
                shape, dtype = ops.item.type_rule(loop, index=index)
                assert (value.shape, DType.of(value.dtype)) == (shape, dtype)
            continue
        shape, dtype = primitive.type_rule(*nodes, **sample.params)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result = primitive.reference(*sample.inputs, **sample.params)
        assert isinstance(result, np.ndarray)
        assert (result.shape, DType.of(result.dtype)) == (shape, dtype)


def real(*values: Any) -> Array:
    return np.array(values, np.float32)


def whole(*values: Any) -> Array:
    return np.array(values, np.int32)


def short(*values: Any) -> Array:
    return np.array(values, np.int16)


def unsigned(*values: Any) -> Array:
    return np.array(values, np.uint32)


NAN, INF = math.nan, math.inf
GRID = np.arange(12, dtype=np.float32).reshape(3, 4)
CASES: list[tuple[Primitive, list[Array], dict[str, Any], Any]] = [
    (ops.neg, [real(1, -2, 0)], {}, [-1, 2, -0.0]),
    (ops.exp, [real(0, 1, -INF, 1000)], {}, [1, np.float32(math.e), 0, INF]),
    (ops.log, [real(1, math.e, 0, -1)], {}, [0, 1, -INF, NAN]),
    (ops.log1p, [real(0, 1e-10)], {}, [0, np.float32(1e-10)]),
    (ops.tanh, [real(0, 0.5, 100)], {}, [0, np.float32(math.tanh(0.5)), 1]),
    (ops.erf, [real(0, 0.5, -1, NAN)], {}, np.float32([0, math.erf(0.5), math.erf(-1), NAN])),
    (ops.sin, [real(0, 1e6, -0.5, INF)], {}, [0, *np.sin([1e6, -0.5]).astype("f"), NAN]),
    (ops.cos, [real(0, 1e6, -0.5, INF)], {}, [1, *np.cos([1e6, -0.5]).astype("f"), NAN]),
    (ops.sqrt, [real(4, 2, -1)], {}, [2, np.float32(math.sqrt(2)), NAN]),
    (ops.not_, [np.array([True, False])], {}, [False, True]),
    (ops.cast, [real(1.9, -1.9, NAN, 3e9)], {"dtype": i32}, [1, -1, 0, 2**31 - 1]),
    (ops.cast, [real(-1, 255.5, 256)], {"dtype": u8}, [0, 255, 255]),
    (ops.cast, [whole(-1, 257)], {"dtype": u8}, [255, 1]),
    (ops.cast, [real(-4e4, 4e4, -1.5)], {"dtype": i16}, [-(2**15), 2**15 - 1, -1]),
    (ops.cast, [whole(2**15, -1)], {"dtype": i16}, [-(2**15), -1]),
    (ops.cast, [short(-1, 7)], {"dtype": u32}, [2**32 - 1, 7]),
    (ops.cast, [short(-300, 7)], {"dtype": f32}, [-300, 7]),
    (ops.cast, [real(0, 0.1, -2, NAN)], {"dtype": boolean}, [False, True, True, True]),
    (ops.cast, [np.array([True, False])], {"dtype": f32}, [1, 0]),
    (ops.add, [whole(2**31 - 1), whole(1)], {}, [-(2**31)]),
    (ops.sub, [unsigned(0), unsigned(1)], {}, [2**32 - 1]),
    (ops.mul, [unsigned(2**31), unsigned(3)], {}, [2**31]),
    (ops.div, [real(1, -1, 0), real(4, 0, 0)], {}, [0.25, -INF, NAN]),
    (ops.max, [real(1, NAN, 3), real(2, 5, NAN)], {}, [2, NAN, NAN]),
    (ops.lt, [real(1, 2, NAN), real(2, 2, 1)], {}, [True, False, False]),
    (ops.le, [real(1, 2, NAN), real(2, 2, NAN)], {}, [True, True, False]),
    (ops.eq, [real(0, 1, NAN), real(-0.0, 2, NAN)], {}, [True, False, False]),
    (ops.and_, [unsigned(0b1100), unsigned(0b1010)], {}, [0b1000]),
    (ops.or_, [unsigned(0b1100), unsigned(0b1010)], {}, [0b1110]),
    (ops.xor, [unsigned(0b1100), unsigned(0b1010)], {}, [0b0110]),
    (ops.shl, [unsigned(3, 3, 3), unsigned(1, 31, 32)], {}, [6, 2**31, 0]),
    (ops.shr, [unsigned(2**31, 6, 6), unsigned(31, 1, 33)], {}, [1, 3, 0]),
    (ops.select, [np.array([True, False]), real(1, 2), real(3, 4)], {}, [1, 4]),
    (ops.reshape, [GRID], {"shape": (2, 6)}, GRID.reshape(2, 6)),
    (ops.transpose, [GRID], {"perm": (1, 0)}, GRID.T),
    (ops.broadcast, [real(1, 2)], {"shape": (2, 3), "axes": (0,)}, [[1, 1, 1], [2, 2, 2]]),
    (ops.broadcast, [GRID], {"shape": (4, 3), "axes": (1, 0)}, GRID.T),
    (ops.slice, [real(*range(6))], {"start": (1,), "stop": (6,), "step": (2,)}, [1, 3, 5]),
    (ops.slice, [real(*range(6))], {"start": (5,), "stop": (-1,), "step": (-2,)}, [5, 3, 1]),
    (ops.slice, [real(*range(6))], {"start": (4,), "stop": (1,), "step": (-1,)}, [4, 3, 2]),
    (
        ops.pad,
        [real(1, 2, 3), np.float32(9)],
        {"low": (1,), "high": (2,), "interior": (1,)},
        [9, 1, 9, 2, 9, 3, 9, 9],
    ),
    (ops.concat, [real(1), real(2, 3)], {"axis": 0}, [1, 2, 3]),
    (ops.gather, [GRID, whole(2, -5, 99)], {"axis": 0}, GRID[[2, 0, 2]]),
    (ops.gather, [GRID, np.int32(1)], {"axis": 1}, [1, 5, 9]),
    (ops.scatter_add, [real(0, 0), whole(1, 1, -1, 2), real(1, 2, 4, 8)], {"axis": 0}, [0, 3]),
    (ops.scatter, [real(0, 5), whole(1, 1, -1, 2), real(1, 2, 4, 8)], {"axis": 0}, [0, 2]),
    (ops.reduce_sum, [GRID], {"axes": (0,)}, [12, 15, 18, 21]),
    (ops.reduce_sum, [GRID], {"axes": (0, 1)}, 66),
    (ops.reduce_sum, [whole(2**31 - 1, 1)], {"axes": (0,)}, -(2**31)),
    (ops.reduce_max, [GRID], {"axes": (1,)}, [3, 7, 11]),
    (ops.reduce_max, [real(1, NAN)], {"axes": (0,)}, NAN),
    (ops.dot, [GRID[:2, :2], GRID[1:, 1:3]], {}, [[9, 10], [65, 74]]),
    (ops.iota, [], {"shape": (2, 3), "axis": 1}, [[0, 1, 2], [0, 1, 2]]),
    (ops.fence, [real(7)], {}, [7]),
    (ops.detour, [real(7), real(8)], {}, [7]),
    (ops.assign, [real(1), real(7)], {}, [7]),
]


@pytest.mark.parametrize(("op", "inputs", "params", "expected"), CASES, ids=lambda v: str(v)[:24])
def test_by_hand(op: Primitive, inputs: list[Array], params: dict[str, Any], expected: Any) -> None:
    one_ulp = 1.2e-7  # exp and tanh differ by that between versions of NumPy
    np.testing.assert_allclose(op.reference(*inputs, **params), expected, rtol=one_ulp)


def test_sums_of_single_precision_are_accumulated_in_double() -> None:
    x = np.full((1000, 1000), 0.1, np.float32)
    [total] = [ops.reduce_sum.reference(x, axes=(0, 1))]
    assert total == np.float32(np.float64(np.float32(0.1)) * 10**6)


def test_random_bits_are_those_of_the_published_generator() -> None:
    """Known answers that come with Random123, the authors' own implementation."""
    answers = [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((2**32 - 1,) * 2, (2**32 - 1,) * 2, (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ]
    for key, counter, expected in answers:
        words = [np.array([w], np.uint32) for w in (*key, *counter)]
        first, second = ops.threefry2x32((words[0], words[1]), (words[2], words[3]))
        assert (first[0], second[0]) == expected


def test_random_bits_depend_on_the_row_major_index_alone() -> None:
    key, count = np.array([11, 22], np.uint32), np.uint32(5)
    flat = ops.rng_bits.reference(key, count, shape=(35,))
    np.testing.assert_array_equal(
        ops.rng_bits.reference(key, count, shape=(5, 7)), flat.reshape(5, 7)
    )
    word, _ = ops.threefry2x32((key[:1], key[1:]), (np.uint32([34]), np.uint32([5])))
    assert flat[34] == word[0]
    assert not np.array_equal(flat, ops.rng_bits.reference(key, np.uint32(6), shape=(35,)))


# ------------------------------------------------------------------------------------ errors

X, Y, Z = variable("x", (2, 3), f32), variable("y", (3, 2), f32), variable("z", (2, 3), f64)
INT, B, U = variable("i", (2, 3), i32), variable("b", (2, 3), boolean), variable("u", (2,), u32)
SCALAR = variable("s", (), f32)
REFUSED: list[tuple[type[ChainruleError], Primitive, list[Node], dict[str, Any], str]] = [
    (ShapeError, ops.add, [X, Y], {}, "f32[2,3] and f32[3,2]"),
    (DTypeError, ops.add, [X, Z], {}, "f32[2,3] and f64[2,3]"),
    (DTypeError, ops.add, [B, B], {}, "bool"),
    (DTypeError, ops.exp, [INT], {}, "i32[2,3]"),
    (DTypeError, ops.div, [INT, INT], {}, "i32[2,3]"),
    (DTypeError, ops.not_, [X], {}, "f32[2,3]"),
    (DTypeError, ops.and_, [X, X], {}, "f32[2,3]"),
    (DTypeError, ops.shl, [INT, INT], {}, "i32[2,3]"),
    (DTypeError, ops.select, [INT, X, X], {}, "bool condition"),
    (ShapeError, ops.select, [variable("c", (2,), boolean), X, X], {}, "bool[2]"),
    (ShapeError, ops.reshape, [X], {"shape": (4,)}, "the same 6 elements"),
    (ShapeError, ops.transpose, [X], {"perm": (0, 0)}, "not different axes"),
    (ShapeError, ops.transpose, [X], {"perm": (0,)}, "1 axes"),
    (ShapeError, ops.broadcast, [X], {"shape": (3, 2, 4), "axes": (0, 1)}, "f32[2,3]"),
    (ShapeError, ops.slice, [X], {"start": (0, 0), "stop": (2, 4), "step": (1, 1)}, "length 3"),
    (ShapeError, ops.slice, [X], {"start": (2, 0), "stop": (0, 3), "step": (-1, 1)}, "length 2"),
    (ShapeError, ops.slice, [X], {"start": (0,), "stop": (1,), "step": (1,)}, "2 starts"),
    (ShapeError, ops.pad, [X, X], {"low": (0, 0), "high": (0, 0), "interior": (0, 0)}, "0-d"),
    (ShapeError, ops.pad, [X, SCALAR], {"low": (0,), "high": (0,), "interior": (0,)}, "2 widths"),
    (ShapeError, ops.concat, [X, Y], {"axis": 0}, "axis 0"),
    (ShapeError, ops.concat, [], {"axis": 0}, "at least one"),
    (DTypeError, ops.gather, [X, U], {"axis": 0}, "u32[2]"),
    (ShapeError, ops.gather, [X, INT], {"axis": 2}, "axes out of 2"),
    (ShapeError, ops.scatter_add, [X, INT, X], {"axis": 0}, "f32[2, 3, 3]"),
    (ShapeError, ops.scatter, [X, INT, X], {"axis": 0}, "`scatter` into f32[2,3]"),
    (ShapeError, ops.reduce_sum, [X], {"axes": (2,)}, "(2,)"),
    (DTypeError, ops.reduce_sum, [B], {"axes": (0,)}, "bool"),
    (ShapeError, ops.reduce_max, [variable("e", (0, 2), f32)], {"axes": (0,)}, "f32[0,2]"),
    (ShapeError, ops.dot, [X, X], {}, "[*B, M, K]"),
    (ShapeError, ops.rng_bits, [U, U], {"shape": (3,)}, "u32[2] and u32[2]"),
    (VerifyError, ops.assign, [X, X], {}, "no state"),
]


@pytest.mark.parametrize(("error", "op", "inputs", "params", "says"), REFUSED, ids=lambda v: str(v))
def test_refused(
    error: type[ChainruleError],
    op: Primitive,
    inputs: list[Node],
    params: dict[str, Any],
    says: str,
) -> None:
    with pytest.raises(error) as caught:
        op(*inputs, **params)
    assert says in str(caught.value)
    assert f"`{op.name}`" in str(caught.value)


def test_errors_name_the_line() -> None:
    with at(Location("train.py", 7)):
        x = ops.exp(X)
    with pytest.raises(ShapeError, match=r"train\.py:7"):
        ops.add(x, Y)
