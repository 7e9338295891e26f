"""Tensors outside of compiled functions: operations as NumPy, memory, conversions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
import chainrule.nn.functional as F
from chainrule.frontend.interpreted import interpreter_backend
from chainrule.ir.types import DType

X = np.random.default_rng(0).standard_normal((3, 4, 5)).astype(np.float32)
Y = np.random.default_rng(1).standard_normal((4, 1)).astype(np.float32)

SAME_AS_NUMPY = {
    "add": (lambda t: t + Y, lambda a: a + Y),
    "reflected": (lambda t: Y - t, lambda a: Y - a),
    "scalar": (lambda t: 2 - t / 3, lambda a: 2 - a / 3),
    "power": (lambda t: t**3 + 2.0**t, lambda a: a**3 + 2.0**a),
    "square root": (lambda t: (t * t) ** 0.5, np.abs),
    "inverse": (lambda t: (t * t + 1) ** -2, lambda a: (a * a + 1) ** -2.0),
    "compare": (lambda t: (t > 0) & (t <= 1) | ~(t >= -1), lambda a: (a > 0) & (a <= 1) | (a < -1)),
    "where": (lambda t: cr.where(t > 0, t, 0.0), lambda a: np.where(a > 0, a, 0)),
    "minimum": (lambda t: cr.minimum(t, Y), lambda a: np.minimum(a, Y)),
    "clamp": (lambda t: t.clamp(-0.5, 0.5), lambda a: np.clip(a, -0.5, 0.5)),
    "absolute": (lambda t: abs(t), np.abs),
    "sign": (lambda t: t.sign(), np.sign),
    "expm1": (lambda t: (t * 1e-4).expm1(), lambda a: np.expm1(a * np.float32(1e-4))),
    "sigmoid": (lambda t: t.sigmoid(), lambda a: 1 / (1 + np.exp(-a))),
    "sum": (lambda t: t.sum((0, -1)), lambda a: a.sum((0, 2))),
    "mean": (lambda t: t.mean(1, keepdim=True), lambda a: a.mean(1, keepdims=True)),
    "std": (lambda t: t.std(-1), lambda a: a.std(-1, ddof=1)),
    "variance": (lambda t: t.var(correction=0), np.var),
    "amax": (lambda t: t.amax(0), lambda a: a.max(0)),
    "amin": (lambda t: t.amin((1, 2)), lambda a: a.min((1, 2))),
    "argmax": (lambda t: t.argmax(1), lambda a: a.argmax(1)),
    "argmin": (lambda t: t.argmin(), lambda a: a.argmin()),
    "any": (lambda t: (t > 1).any(2), lambda a: (a > 1).any(2)),
    "all": (lambda t: (t > -1).all(2), lambda a: (a > -1).all(2)),
    "product": (lambda t: t.prod(2), lambda a: a.prod(2)),
    "cumsum": (lambda t: t.cumsum(1), lambda a: a.cumsum(1)),
    "logsumexp": (lambda t: t.logsumexp(1), lambda a: np.log(np.exp(a).sum(1))),
    "norm": (lambda t: t.norm(dim=1), lambda a: np.sqrt((a * a).sum(1))),
    "reshape": (lambda t: t.reshape(4, -1), lambda a: a.reshape(4, -1)),
    "flatten": (lambda t: t.flatten(1), lambda a: a.reshape(3, 20)),
    "permute": (lambda t: t.permute(2, 0, 1), lambda a: a.transpose(2, 0, 1)),
    "transpose": (lambda t: t.transpose(0, -1), lambda a: a.swapaxes(0, -1)),
    "movedim": (lambda t: t.movedim(0, -1), lambda a: np.moveaxis(a, 0, -1)),
    "unsqueeze": (lambda t: t.unsqueeze(-1).squeeze(), lambda a: a),
    "expand": (lambda t: t[:, :1].expand(-1, 7, 5), lambda a: np.broadcast_to(a[:, :1], (3, 7, 5))),
    "flip": (lambda t: t.flip(0, 2), lambda a: a[::-1, :, ::-1]),
    "cat": (lambda t: cr.cat([t, t * 2], 1), lambda a: np.concatenate([a, a * 2], 1)),
    "stack": (lambda t: cr.stack([t, t], -1), lambda a: np.stack([a, a], -1)),
    "split": (lambda t: t.split([1, 3], 1)[1], lambda a: a[:, 1:]),
    "chunk": (lambda t: t.chunk(3, 2)[2], lambda a: a[:, :, 4:]),
    "unbind": (lambda t: t.unbind(1)[2], lambda a: a[:, 2]),
    "matmul": (lambda t: t @ t.mT, lambda a: a @ a.swapaxes(1, 2)),
    "matmul 2-d": (lambda t: t @ X[0].T, lambda a: a @ X[0].T),
    "matmul vector": (lambda t: t @ X[0, 0], lambda a: a @ X[0, 0]),
    "vector matmul": (lambda t: t[0, :, 0] @ t, lambda a: a[0, :, 0] @ a),
    "inner": (lambda t: t[0, 0] @ t[1, 1], lambda a: a[0, 0] @ a[1, 1]),
    "tril": (lambda t: t.tril(1), lambda a: np.tril(a, 1)),
    "triu": (lambda t: t.triu(-1), lambda a: np.triu(a, -1)),
    "masked_fill": (lambda t: t.masked_fill(t > 0, -1), lambda a: np.where(a > 0, -1, a)),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME_AS_NUMPY)
def test_same_as_numpy_eager_and_interpreted(name: str) -> None:
    ours, theirs = SAME_AS_NUMPY[name]
    wanted = theirs(X)
    eager = ours(cr.tensor(X)).numpy()  # type: ignore[no-untyped-call]
    assert eager.shape == wanted.shape
    np.testing.assert_allclose(eager, wanted, rtol=2e-5, atol=2e-6)
    compiled = cr.compile(ours)(X)  # type: ignore[no-untyped-call]
    assert compiled.shape == wanted.shape
    np.testing.assert_allclose(compiled.numpy(), wanted, rtol=2e-5, atol=2e-6)


def test_extremes_with_nan_and_ties() -> None:
    t = cr.tensor([[1.0, 3.0, 3.0], [np.nan, 1.0, 2.0]])
    values, places = t.max(1)
    assert places.tolist() == [1, 0]
    assert values.tolist()[0] == 3.0
    assert np.isnan(values.tolist()[1])
    assert np.isnan(cr.minimum(t, 0.0).tolist()[1][0])
    whole = cr.tensor(np.array([[3, -5, 2]]))
    assert whole.amin(1).tolist() == [-5]
    assert whole.argmin(1).tolist() == [1]
    assert cr.tensor(np.array([7, 9], np.uint8)).amin().item() == 7
    assert cr.tensor(np.array([7, -9], np.int16)).amin().item() == -9


def test_dtypes() -> None:
    whole, flags = cr.tensor([1, 2]), cr.tensor([True, False])
    assert whole.dtype is DType.i32
    assert (whole + 1.5).dtype is DType.f32
    assert (whole / 2).tolist() == [0.5, 1.0]
    assert (flags + 1).tolist() == [2, 1]
    assert (flags + flags).tolist() == [2, 0]
    assert (cr.tensor(np.array([1], np.uint8)) + whole).dtype is DType.i32
    short = cr.tensor(np.array([-300, 300], np.int16))
    assert short.dtype is (short + np.array([200, 1], np.uint8)).dtype is DType.i16
    assert (short + whole).dtype is DType.i32
    assert (short.float() / 2).tolist() == [-150.0, 150.0]
    assert (short * 200).tolist() == [5536, -5536]  # it wraps, as in NumPy and PyTorch
    assert (short * short).sum().item() == 48928
    assert cr.tensor(np.array([1.0])).dtype is DType.f32
    assert flags.sum().dtype is DType.i32
    assert cr.tensor(0.1, dtype="float64").dtype is DType.f64
    assert (cr.tensor(0.1, dtype="float64") * cr.ones(2)).dtype is DType.f32
    assert (cr.tensor(0.1, dtype="float64") * 3).item() == pytest.approx(0.1 * 3, rel=1e-15)


@pytest.mark.parametrize("compiled", [False, True])
def test_dtypes_that_a_function_keeps(compiled: bool) -> None:
    """What has a meaning in the dtype of its operands stays there, as in NumPy and PyTorch."""
    flags, others = np.array([True, False]), np.array([False, False])
    whole, bytes_ = np.array([-3, 8], np.int32), np.array([3, 8], np.uint8)
    kept: list[tuple[Any, tuple[Any, ...], list[Any], DType]] = [
        (cr.maximum, (flags, others), [True, False], DType.bool),
        (cr.minimum, (flags, others), [False, False], DType.bool),
        (lambda t: t.sign(), (flags,), [True, False], DType.bool),
        (lambda t: t.sign(), (whole,), [-1, 1], DType.i32),
        (lambda t, m: t.masked_fill(m, 10), (others, flags), [True, False], DType.bool),
        (lambda t, m: t.masked_fill(m, 10), (bytes_, flags), [10, 8], DType.u8),
        (lambda t, m: t.masked_fill(m, True), (whole, flags), [1, 8], DType.i32),
        (F.relu6, (whole,), [0, 6], DType.i32),
        (F.relu6, (bytes_,), [3, 6], DType.u8),
        (F.relu6, (whole.astype(np.int16),), [0, 6], DType.i16),
        (lambda t: abs(t), (whole.astype(np.int16),), [3, 8], DType.i16),
    ]
    for function, arrays, wanted, dtype in kept:
        run = cr.compile(function) if compiled else function
        found = run(*map(cr.tensor, arrays))
        assert (found.tolist(), found.dtype) == (wanted, dtype)


def test_sign_of_bools_is_a_tensor_of_its_own() -> None:
    flags = cr.tensor([True, False])
    before = flags.sign()
    flags[0] = False
    assert before.tolist() == [True, False]


@pytest.mark.parametrize("value", [0.5, np.float32(2.0), cr.tensor(1.0)])
def test_masked_fill_keeps_whole_numbers_whole(value: Any) -> None:
    with pytest.raises(cr.DTypeError, match="a real number cannot be stored as i32"):
        cr.tensor([1, 2]).masked_fill(cr.tensor([True, False]), value)


def test_what_cannot_become_a_tensor() -> None:
    with pytest.raises(cr.DataError, match="4294967296 does not fit"):
        cr.tensor([1, 2**32])
    with pytest.raises(cr.DTypeError, match="objects"):
        cr.tensor(np.array([None], dtype=object))
    with pytest.raises(cr.DTypeError):
        cr.tensor(["a"])
    with pytest.raises(cr.DataError, match="rectangular"):
        cr.tensor([[1.0], [1.0, 2.0]])
    with pytest.raises(cr.DTypeError, match="single number"):
        cr.tensor([1.0, 2.0], dtype="float64")
    with pytest.raises(cr.DTypeError, match="300 does not fit"):
        cr.tensor(np.array([1], np.uint8)) + 300


def test_shape_errors_show_both_shapes_and_the_line() -> None:
    with pytest.raises(cr.ShapeError, match=r"\(2, 3\) and \(4,\)") as caught:
        cr.zeros(2, 3) + cr.zeros(4)
    assert "test_tensor.py" in str(caught.value)
    with pytest.raises(cr.ShapeError, match="cannot be multiplied"):
        cr.zeros(2, 3) @ cr.zeros(2, 3)
    with pytest.raises(cr.ShapeError, match="invalid piece size 0"):
        cr.ones(4).split(0)
    with pytest.raises(cr.ShapeError, match=r"pieces \[1, 2\] do not add up to 4"):
        cr.ones(4).split([1, 2])
    with pytest.raises(cr.ShapeError, match="has no axis 2"):
        cr.zeros(2, 3).sum(2)


def test_values_never_change_behind_ones_back() -> None:
    t = cr.tensor([1.0, 2.0, 3.0])
    view, row, out = t[1:], t.reshape(1, 3), t.numpy()
    t += 10
    assert view.tolist() == [2.0, 3.0]
    assert row.tolist() == [[1.0, 2.0, 3.0]]
    assert out.tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(cr.StateError, match="has changed since"):
        view *= 0
    assert t.tolist() == [11.0, 12.0, 13.0]
    source = np.ones(2, np.float32)
    copied = cr.tensor(source)
    source[:] = 5
    assert copied.tolist() == [1.0, 1.0]


def test_memory_is_aligned_and_stays() -> None:
    t = cr.tensor(np.ones((3, 3)))
    memory = t.concrete
    assert memory.ctypes.data % 64 == 0
    t.assign_(2.0)
    t += 1
    t[0] = 7
    assert t.concrete is memory
    assert memory.tolist() == [[7.0] * 3, [3.0] * 3, [3.0] * 3]


def test_in_place_and_setitem() -> None:
    t = cr.zeros(4, 5)
    a = np.zeros((4, 5), np.float32)
    for key, value in (
        ((1, slice(None)), 1.0),
        ((slice(None, None, 2), 3), [2.0, 3.0]),
        ((slice(3, None, -2), slice(4, 0, -3)), [[1.0, 2.0], [3.0, 4.0]]),
        ((Ellipsis, -1), 9.0),
    ):
        t[key] = np.asarray(value, np.float32)
        a[key] = np.asarray(value, np.float32)
        assert (t.numpy() == a).all()
    t[1] += 1
    a[1] += 1
    assert (t.numpy() == a).all()


KEYS: list[Any] = [
    1, -1, slice(1, None), slice(None, None, -1), (slice(None), 0), (Ellipsis, slice(3, 0, -2)),
    (None, 1, None), (slice(2, 2),), (0, 1, 2), Ellipsis, (slice(None), [3, 0, -1]),
    np.array([[0, 1], [2, 0]]), (1, slice(None), np.array([4, 0])), (slice(None), slice(5, 1)),
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_indexing_is_numpys(key: Any) -> None:
    wanted = X[key]
    got = cr.tensor(X)[key]
    assert got.shape == wanted.shape
    assert (got.numpy() == wanted).all()
    traced = cr.compile(lambda t: t[key] * 1.0, backend=interpreter_backend)(X)
    assert (traced.numpy() == wanted).all()


def test_indices_that_do_not_exist() -> None:
    t = cr.tensor(X)
    for key in (3, (0, 4), (0, 0, 0, 0), np.array([3])):
        with pytest.raises(cr.ShapeError):
            t[key]
    with pytest.raises(cr.DTypeError, match="bool mask"):
        t[X > 0]
    for key in (1.5, "a", True, (0, np.float32(1.0))):
        with pytest.raises(cr.DTypeError, match="invalid index"):
            t[key]


@pytest.mark.parametrize("make", [cr.zeros, cr.ones, cr.rand, cr.randn])
@pytest.mark.parametrize("shape", [(-1,), (2, -3), (1.5,), ("3",)])
def test_shapes_that_do_not_exist(make: Any, shape: Any) -> None:
    with pytest.raises(cr.ShapeError, match="invalid shape"):
        make(*shape)
    with pytest.raises(cr.ShapeError, match="invalid shape"):
        cr.compile(lambda t: t + make(*shape), backend=interpreter_backend)(X)


def test_a_dtype_that_numpy_does_not_know() -> None:
    with pytest.raises(cr.DTypeError, match="dtype 'flot' is not supported"):
        cr.tensor([1.0], dtype="flot")


def test_conversions() -> None:
    one = cr.tensor([2.5])
    assert float(one.reshape(())) == 2.5
    assert int(cr.tensor(3)) == 3
    assert [10, 20, 30][cr.tensor(1)] == 20
    assert bool(cr.tensor(True))
    assert np.asarray(one, dtype=np.float64).dtype == np.float64
    assert f"{cr.tensor(1.25):.1f}" == "1.2"
    assert len(cr.zeros(3, 2)) == 3
    assert [r.tolist() for r in cr.eye(2)] == [[1.0, 0.0], [0.0, 1.0]]
    assert "requires_grad=True" in repr(cr.ones(2, requires_grad=True))
    assert {one: 1}[one] == 1
    assert cr.arange(2, 5).tolist() == [2, 3, 4]
    assert cr.linspace(0, 1, 3).tolist() == [0.0, 0.5, 1.0]
    assert cr.full_like(cr.zeros(2), 3).tolist() == [3.0, 3.0]


UNCHANGED = {
    "slice": lambda t: t[:],
    "dots": lambda t: t[...],
    "reshape": lambda t: t.reshape(2, 3),
    "view_as": lambda t: t.view_as(t),
    "permute": lambda t: t.permute(0, 1),
    "expand": lambda t: t.expand(2, 3),
    "flatten": lambda t: t.flatten(1),
    "squeeze": lambda t: t.squeeze(),
    "transpose": lambda t: t.transpose(0, 0),
    "movedim": lambda t: t.movedim(1, 1),
    "flip": lambda t: t.flip(),
    "T": lambda t: t.T.T,
    "rows of rows": lambda t: cr.cat([t[:1][:], t[1:][0].reshape(1, 3)[:, :]]),
    "row of a row": lambda t: t.T[0:3][0:].T,
}


@pytest.mark.parametrize("name", UNCHANGED)
def test_what_was_taken_keeps_its_value_even_if_it_is_all(name: str) -> None:
    def taken_and_written(t: Any) -> Any:
        taken = UNCHANGED[name](t)
        t.fill_(7.0)
        return taken

    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert taken_and_written(cr.tensor(x)).tolist() == x.tolist()
    state = cr.tensor(x)
    compiled = cr.compile(lambda: taken_and_written(state))
    assert compiled().tolist() == x.tolist()
    assert state.tolist() == [[7.0] * 3] * 2


def test_what_was_taken_between_two_programs_keeps_its_value() -> None:
    state = cr.tensor([1.0, 2.0, 3.0])
    assert cr.compile(lambda: state.sum())().item() == 6.0
    taken = state[1:]
    cr.compile(lambda: state.fill_(0.0))()
    assert taken.tolist() == [2.0, 3.0]
    assert state.tolist() == [0.0, 0.0, 0.0]
