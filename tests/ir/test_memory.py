"""Aligned arrays and narrowing of dtypes."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.ir.memory import (
    address,
    aligned_copy,
    aligned_empty,
    element_strides,
    is_dense,
    narrowed,
    order_of,
)
from chainrule.ir.types import row_major


@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (5, 7), (2, 3, 4)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_aligned(shape: tuple[int, ...], order: str) -> None:
    array = aligned_empty(shape, np.float32, order)
    assert array.shape == shape
    assert array.ctypes.data % 64 == 0 or array.size == 0
    assert array.flags.writeable
    if order == "C":
        assert element_strides(array) == row_major(shape)
    array[...] = 3
    copy = aligned_copy(array)
    assert (copy == 3).all()
    assert copy.strides == array.strides or array.size < 2


@pytest.mark.parametrize("alignment", [64, 4096])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.bool_])
def test_every_dtype_and_alignment(alignment: int, dtype: type) -> None:
    for shape in [(), (1,), (3, 5), (16385,)]:
        array = aligned_empty(shape, dtype, alignment=alignment)
        assert array.ctypes.data % alignment == 0
        assert array.dtype == dtype
        assert array.flags.c_contiguous


def test_any_order_of_axes_is_dense_and_kept_by_copies() -> None:
    array = aligned_empty((4, 3, 5, 2), np.float32, (0, 2, 3, 1))
    assert array.shape == (4, 3, 5, 2)
    assert element_strides(array) == (30, 1, 6, 3)
    assert order_of(array) == (0, 2, 3, 1)
    assert is_dense(array)
    assert not is_dense(array[:, ::2])
    array[...] = np.arange(array.size).reshape(array.shape)
    copy = aligned_copy(array)
    assert copy.strides == array.strides
    assert (copy == array).all()
    assert copy.ctypes.data % 64 == 0


def test_moving_axes_of_length_one_changes_no_strides() -> None:
    assert element_strides(aligned_empty((4, 1, 5, 2), np.float32, (0, 2, 3, 1))) == (10, 10, 2, 1)


def test_a_strided_view_becomes_dense() -> None:
    copy = aligned_copy(np.arange(12.0).reshape(3, 4)[:, ::2])
    assert copy.flags.c_contiguous
    assert copy.tolist() == [[0, 2], [4, 6], [8, 10]]


def test_narrowing() -> None:
    assert narrowed(np.array([1.5])).dtype == np.float32
    assert narrowed(np.array([1], np.int16)).dtype == np.int16
    assert narrowed(np.array([1], np.int8)).dtype == np.int32
    assert narrowed(np.array([2**32 - 1], np.uint64)).dtype == np.uint32
    big_endian = np.array([1.0, 2.0], ">f4")
    assert narrowed(big_endian).dtype == np.dtype("float32")
    assert narrowed(big_endian).tolist() == [1.0, 2.0]
    with pytest.raises(cr.DataError) as caught:
        narrowed(np.array([[0, 1], [2**31, 0]]))
    assert "index (1, 0)" in str(caught.value)
    with pytest.raises(cr.DTypeError):
        narrowed(np.array(["a"]))
    with pytest.raises(cr.DTypeError):
        narrowed(np.array([1j]))


def test_address_is_that_of_the_first_element() -> None:
    base = np.arange(100, dtype=np.float32)
    for array in (base, base[3:], base[::-1], base.reshape(10, 10)[2:, 1:], np.float32(2) + base):
        assert address(array) == array.ctypes.data
    assert address(base[7:]) == address(base) + 28
