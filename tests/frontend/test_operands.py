"""What operations take, and the words for what they do not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import chainrule.nn.functional as F
from chainrule.ir.types import DType

X = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)

ON_ARRAYS = {
    "linear": lambda a: F.linear(a(X), a(X), a(X[:, 0])),
    "bilinear": lambda a: F.bilinear(a(X), a(X), a(np.ones((2, 4, 4)))),
    "embedding": lambda a: F.embedding(a(np.array([0, 2])), a(X), 2),
    "softmax": lambda a: F.softmax(a(X)),
    "log_softmax": lambda a: F.log_softmax(a(X)),
    "softmin": lambda a: F.softmin(a(X)),
    "softplus": lambda a: F.softplus(a(X)),
    "logsigmoid": lambda a: F.logsigmoid(a(X)),
    "mish": lambda a: F.mish(a(X)),
    "silu": lambda a: F.silu(a(X)),
    "sigmoid": lambda a: F.sigmoid(a(X)),
    "normalize": lambda a: F.normalize(a(X)),
    "glu": lambda a: F.glu(a(X)),
    "layer_norm": lambda a: F.layer_norm(a(X), 4, a(X[0]), a(X[1])),
    "rms_norm": lambda a: F.rms_norm(a(X), (4,), a(X[0])),
    "batch_norm": lambda a: F.batch_norm(a(X), a(np.zeros(4)), a(np.ones(4))),
    "group_norm": lambda a: F.group_norm(a(X), 2),
    "pad": lambda a: F.pad(a(X), (1, -1)),
    "conv1d": lambda a: F.conv1d(a(X[None]), a(np.ones((2, 3, 2)))),
    "max_pool1d": lambda a: F.max_pool1d(a(X[None]), 2),
    "dropout": lambda a: F.dropout(a(X), training=False),
    "one_hot": lambda a: F.one_hot(a(np.array([0, 2])), 3),
    "tril": lambda a: cr.tril(a(X)),
    "zeros_like": lambda a: cr.zeros_like(a(X)),
    "square": lambda a: cr.square(a(X)),
}


@pytest.mark.parametrize("name", ON_ARRAYS)
def test_functions_take_arrays(name: str) -> None:
    call = ON_ARRAYS[name]
    found, wanted = call(lambda a: a), call(cr.tensor)
    assert isinstance(found, cr.Tensor)
    np.testing.assert_array_equal(found.numpy(), wanted.numpy())


REFUSED: dict[str, tuple[Callable[[Any], Any], type[Exception], str]] = {
    "axis": (lambda t: t.sum("a"), cr.ShapeError, "an axis is 'a'"),
    "real axis": (lambda t: t.mean(1.0), cr.ShapeError, "an axis is 1.0"),
    "real shape": (lambda t: t.reshape(2.0, 6), cr.ShapeError, "the new shape is"),
    "new axis without length": (lambda t: t.expand(-1, 3, 4), cr.ShapeError, "cannot be broadcast"),
    "no chunks": (lambda t: t.chunk(0), cr.ShapeError, "cannot split into 0 chunks"),
    "pieces of 2.5": (lambda t: t.split(2.5), cr.ShapeError, "the size of a piece is 2.5"),
    "negative piece": (lambda t: t.split([-1, 4]), cr.ShapeError, "do not add up"),
    "no step": (lambda t: t[::0], cr.ShapeError, "step cannot be zero"),
    "text in a slice": (lambda t: t["a":], cr.ShapeError, "invalid slice"),
    "no dtype": (lambda t: t.to(None), cr.DTypeError, "None is not a dtype"),
    "dtype of a Tensor": (lambda t: t.to(t), cr.DTypeError, "is not supported"),
    "large for whole": (lambda t: t.int().fill_(2**40), cr.DTypeError, "does not fit into i32"),
    "NaN for whole": (lambda t: t.int().fill_(np.nan), cr.DTypeError, "nan does not fit"),
    "huge": (lambda t: t + 10**400, cr.DTypeError, "does not fit into f32"),
    "large byte": (lambda _: cr.full((2,), 300, "uint8"), cr.DTypeError, "300 does not fit"),
    "large short": (lambda _: cr.full((2,), 2**15, "int16"), cr.DTypeError, "32768 does not fit"),
    "row without end": (lambda _: cr.arange(0, 5, 0), cr.ConfigError, "is not a valid range"),
    "row of -1": (lambda _: cr.linspace(0, 1, -1), cr.ConfigError, "is not a valid range"),
    "negative eye": (lambda _: cr.eye(-1), cr.ShapeError, "invalid shape"),
    "triangle of a vector": (lambda t: t[0].tril(), cr.ShapeError, "has no triangle"),
    "nothing to join": (lambda _: cr.cat(5), cr.ShapeError, "at least one Tensor"),
    "class 3 of 3": (lambda _: F.one_hot(np.array([3]), 3), cr.DataError, "do not fit 3 classes"),
    "class 0.7": (lambda t: F.one_hot(t, 3), cr.DTypeError, "classes must be integers"),
    "gelu": (lambda t: F.gelu(t, "tan"), cr.ConfigError, "approximate is 'tan'"),
    "celu": (lambda t: F.celu(t, 0.0), cr.ConfigError, "alpha is 0.0"),
    "softplus": (lambda t: F.softplus(t, 0.0), cr.ConfigError, "beta is 0.0"),
    "hardtanh": (lambda t: F.hardtanh(t, 1.0, -1.0), cr.ConfigError, "min_val is 1.0"),
    "dropout": (lambda t: F.dropout(t, 2.0), cr.ConfigError, "p is 2.0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_sense_is_an_error_in_words(name: str) -> None:
    call, kind, words = REFUSED[name]
    with pytest.raises(kind, match=words):
        call(cr.tensor(X))


def test_numbers_of_numpy_are_axes_and_lengths() -> None:
    t = cr.tensor(X)
    assert t.sum(np.int64(1)).shape == (3,)
    assert t.sum((np.int64(0), 1)).shape == ()
    assert t.reshape(np.array([2, 6])).shape == (2, 6)
    assert t.transpose(np.int32(0), 1).shape == (4, 3)
    assert [p.shape for p in t.split(np.int64(2))] == [(2, 4), (1, 4)]
    assert cr.zeros(np.array([2, 3])).shape == (2, 3)
    assert cr.full(3, 1.0).shape == (3,)
    assert t[[]].shape == (0, 4)


def test_new_tensors_have_the_dtype_and_size_asked_for() -> None:
    assert cr.zeros(2, dtype=None).dtype is DType.f32
    assert cr.eye(3, 0).shape == (3, 0)
    assert cr.eye(2, 3).tolist() == [[1, 0, 0], [0, 1, 0]]
