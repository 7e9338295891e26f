"""Where formulas have a corner: values and derivatives at 0, of ties, infinities and NaN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import chainrule.nn.functional as F
from chainrule.ir.types import DType

INF, NAN = np.inf, np.nan


def both(function: Callable[..., Any], *args: Any) -> np.ndarray[Any, Any]:
    """The value, which is the same for a compiled function."""
    eager = function(*map(cr.tensor, args))
    compiled = cr.compile(function)(*args)
    np.testing.assert_allclose(compiled.numpy(), eager.numpy(), rtol=1e-5)
    assert compiled.dtype is eager.dtype
    return eager.numpy()  # type: ignore[no-any-return]


SECOND_AT_ZERO = {
    "softplus": (F.softplus, 0.25),
    "softplus, steep": (lambda x: F.softplus(x, beta=2.0), 0.5),
    "logsigmoid": (F.logsigmoid, -0.25),
    "logits": (lambda x: F.binary_cross_entropy_with_logits(x, 1.0), 0.25),
    "soft margin": (lambda x: F.soft_margin_loss(x, -1.0), 0.25),
    "labels": (lambda x: F.multilabel_soft_margin_loss(x.reshape(1, 1), [[0.0]]), 0.25),
}


@pytest.mark.parametrize("name", SECOND_AT_ZERO)
def test_second_derivatives_of_logistic_losses_at_zero(name: str) -> None:
    function, wanted = SECOND_AT_ZERO[name]
    assert both(cr.grad(cr.grad(function)), np.float32(0)) == pytest.approx(wanted, rel=1e-6)


def test_third_derivative_of_mish_at_zero() -> None:
    third = cr.grad(cr.grad(cr.grad(F.mish)))
    assert both(third, np.float32(0)) == pytest.approx(-0.096, rel=1e-5)


@pytest.mark.parametrize("exponent", [17, 33, 100, -17, -20, 2000])
def test_whole_powers_of_negative_numbers(exponent: int) -> None:
    x = np.array([-1.01, -0.99, 1.02], np.float32)
    np.testing.assert_allclose(
        both(lambda t: t**exponent, x), x.astype(np.float64) ** exponent, rtol=2e-4
    )
    slope = exponent * x.astype(np.float64) ** (exponent - 1)
    np.testing.assert_allclose(both(cr.grad(lambda t: (t**exponent).sum()), x), slope, rtol=2e-4)


def test_whole_powers_of_whole_numbers_are_whole() -> None:
    found = both(lambda t: t**19, np.array([3, -3], np.int32))
    assert found.tolist() == [3**19, -(3**19)]


def test_powers_element_by_element() -> None:
    x = np.array([-2.0, -2.0, -2.0, -2.0, 0.0, 0.0, 0.0, 2.0], np.float32)
    e = np.array([3.0, 2.0, -1.0, 0.5, 0.0, 2.0, -1.0, 0.5], np.float32)
    wanted = [-8.0, 4.0, -0.5, NAN, 1.0, 0.0, INF, np.sqrt(np.float32(2))]
    np.testing.assert_allclose(both(lambda a, b: a**b, x, e), wanted, rtol=1e-6)
    assert both(lambda: (-1.0) ** cr.arange(4)).tolist() == [1.0, -1.0, 1.0, -1.0]
    assert np.isnan(both(lambda a: 0.0**a, np.array([NAN], np.float32))).all()


def test_powers_have_all_their_digits() -> None:
    """The old ones lost as many bits as the exponent has before its point."""
    x = np.array([0.013, 0.7, 1.3, 41.0, 1900.0], np.float32)
    wide = x.astype(np.float64)
    for exponent in (10.5, -8.25, 3.3125, 5, 11, -3, -7, 0.75, 4, -2):
        want = wide**exponent
        slope = exponent * wide ** (exponent - 1)
        np.testing.assert_allclose(both(lambda t, e=exponent: t**e, x), want, rtol=2e-7)
        found = both(cr.grad(lambda t, e=exponent: (t**e).sum()), x)
        np.testing.assert_allclose(found, slope, rtol=4e-7)
        e = np.full(5, exponent, np.float32)
        np.testing.assert_allclose(both(lambda t, e: t**e, x, e), want, rtol=1.2e-7)
        found = both(cr.grad(lambda e, t: (t**e).sum()), e, x)
        np.testing.assert_allclose(found, want * np.log(wide), rtol=1e-6)


def test_powers_keep_the_sign_of_zero() -> None:
    zeros = np.array([0.0, -0.0, -0.0, -0.0], np.float32)
    e = np.array([-1.0, -1.0, -2.0, 3.0], np.float32)
    found = both(lambda a, b: a**b, zeros, e)
    assert found.tolist() == [INF, -INF, INF, 0.0]
    assert np.signbit(found).tolist() == [False, True, False, True]
    assert both(lambda a: a**-1.0, zeros[1:2]).tolist() == [-INF]


def test_whole_numbers_to_whole_powers_are_whole() -> None:
    x = np.array([3, -2, 7, 0, 0, -3, 1, -1, -1, 2, 5, -2147483647], np.int32)
    e = np.array([19, 31, 20, 0, 5, 3, -4, -5, -6, -1, 2**31 - 1, -1], np.int32)
    exact = [pow(int(a), int(b), 2**32) if b >= 0 else 0 for a, b in zip(x, e, strict=True)]
    exact = [n - 2**32 if n >= 2**31 else n for n in exact]
    exact[6:9] = [1, -1, 1]
    found = both(lambda a, b: a**b, x, e)
    assert found.dtype == np.int32
    assert found.tolist() == exact
    small, byte = np.array([3, 255], np.uint8), np.array([255, 200], np.uint8)
    wanted = [pow(3, 255, 256), pow(255, 200, 256)]
    assert both(lambda a, b: a**b, small, byte).tolist() == wanted
    assert both(lambda b: 2**b, np.arange(4, dtype=np.int32)).tolist() == [1, 2, 4, 8]
    short = np.array([-3, 7, -1, 1, 5], np.int16)
    powers = both(lambda a, b: a**b, short, np.array([5, 13, -3, -2, -1], np.int16))
    assert powers.tolist() == [-243, np.array(7**13).astype(np.int16), -1, 1, 0]


def test_derivatives_of_powers_at_zero() -> None:
    zeros = np.zeros(5, np.float32)
    e = np.array([1.0, 2.0, 0.5, -0.5, 3.0], np.float32)
    slope = both(cr.grad(lambda t: (t**e).sum()), zeros)
    assert slope.tolist() == [1.0, 0.0, INF, -INF, 0.0]
    second = both(cr.grad(cr.grad(lambda t: t ** cr.tensor(2.0))), np.float32(0))
    assert second == 2.0
    for exponent, wanted in ((1 / 3, INF), (-1.5, -INF), (1.5, 0.0), (-2, -INF)):
        assert both(cr.grad(lambda t, e=exponent: t**e), np.float32(0)) == wanted


def test_what_does_not_depend_on_x_is_one() -> None:
    x = np.array([NAN, INF, 0.0, 3.0], np.float32)
    assert both(lambda t: t**0, x).tolist() == [1.0] * 4
    assert both(cr.grad(lambda t: (t**0).sum()), x[1:]).tolist() == [0.0] * 3
    assert np.isinf(both(lambda t: t**INF, np.array([2.0], np.float32))).all()


def test_lengths_and_deviations_of_nothing_have_derivative_zero() -> None:
    rows = np.array([[0.0, 0.0], [3.0, 4.0]], np.float32)
    for length in (
        lambda t: t.norm(dim=1),
        lambda t: t.norm(3.0, 1),
        lambda t: t.norm(0.5, 1),
        lambda t: F.normalize(t),
        lambda t: (t - t).std(1),
    ):
        slope = both(cr.grad(lambda t, f=length: f(t).sum()), rows)
        assert np.isfinite(slope).all()
    assert both(cr.grad(lambda t: t.norm(dim=1).sum()), rows)[0].tolist() == [0.0, 0.0]
    np.testing.assert_allclose(
        both(cr.grad(lambda t: t.norm(dim=1).sum()), rows)[1], [0.6, 0.8], rtol=1e-6
    )


def test_norms_of_every_kind() -> None:
    x = np.array([[0.0, -2.0, 1.0]], np.float32)
    assert both(lambda t: t.norm(0.0, 1), x).tolist() == [2.0]
    assert both(lambda t: t.norm(-INF, 1), x).tolist() == [0.0]
    assert both(lambda t: t.norm(-1.0, 1), x).tolist() == [0.0]
    with pytest.raises(cr.ConfigError, match="norm of p = nan"):
        cr.tensor(x).norm(NAN)


def test_running_sums_do_not_see_what_comes_later() -> None:
    x = np.array([1.0, 2.0, INF, 3.0, NAN], np.float32)
    np.testing.assert_array_equal(both(lambda t: t.cumsum(0), x), np.cumsum(x))
    whole = np.array([2**24, 1, 1, 1], np.int32)
    assert both(lambda t: t.cumsum(0), whole).tolist() == np.cumsum(whole).tolist()
    assert cr.tensor(whole).cumsum(0).dtype is DType.i32
    np.testing.assert_array_equal(
        both(cr.grad(lambda t: (t.cumsum(0) * np.arange(3.0)).sum()), np.ones(3, np.float32)),
        [3.0, 3.0, 2.0],
    )


def test_reductions_of_bools_and_bytes() -> None:
    flags = np.array([[True, False], [True, True]])
    assert both(lambda t: t.amax(1), flags).tolist() == [True, True]
    assert both(lambda t: t.amin(1), flags).tolist() == [False, True]
    byte = np.array([[200, 100], [1, 2]], np.uint8)
    assert both(lambda t: t.prod(1), byte).tolist() == [20000, 2]
    assert both(lambda t: ~t, byte).tolist() == [[55, 155], [254, 253]]
    short = np.array([[30000, -30000], [30000, 3]], np.int16)
    assert both(lambda t: t.sum(0), short).tolist() == [60000, -29997]
    assert both(lambda t: t.amax(1), short).tolist() == [30000, 30000]
    assert both(lambda t: t.amin(1), short).tolist() == [-30000, 3]
    assert both(lambda t: ~t, short).tolist() == (~short).tolist()
    large = np.array([3, 2**32 - 1, 0], np.uint32)
    assert both(lambda t: t.argmin(), large) == 2
    assert both(lambda t: t.argmax(), large) == 1


def test_places_of_extremes_keep_the_axes_if_asked() -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert both(lambda t: t.argmax(keepdim=True), x).tolist() == [[5]]
    assert both(lambda t: t.argmin(keepdim=True), x).shape == (1, 1)
    assert both(lambda t: t.prod(keepdim=True), x).shape == (1, 1)
