"""Every derivative rule against differences, at first and second order, and the check itself."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pytest

import chainrule.ops
from chainrule.autodiff import cotangents
from chainrule.interpret import evaluate
from chainrule.ir.graph import Node
from chainrule.ir.primitive import Primitive, Sample, primitives
from chainrule.ir.types import f64
from gradients import application, check_primitive, difference, inner, variable


def differentiable() -> list[Primitive]:
    """`item` is part of `scan`."""
    apart = ("fence", "detour", "item")
    return [p for p in primitives().values() if p.vjp is not None and p.name not in apart]


def real_samples(primitive: Primitive) -> list[Sample]:
    """Samples with a real result and something to differentiate."""
    found = []
    for sample in primitive.samples(np.random.default_rng(1)):
        y, xs, _ = application(primitive, sample)
        if y.dtype.is_float and xs:
            found.append(sample)
    return found


def check_all(primitive: Primitive) -> None:
    """Of every sample: of some the derivative is 0, whatever the rule is wrong by."""
    rng = np.random.default_rng(2)
    samples = real_samples(primitive)
    assert samples
    for sample in samples:
        check_primitive(primitive, sample, rng)


@pytest.mark.parametrize("primitive", differentiable(), ids=lambda p: p.name)
def test_rule_agrees_with_differences(primitive: Primitive) -> None:
    check_all(primitive)


@pytest.mark.parametrize("primitive", differentiable(), ids=lambda p: p.name)
def test_one_value_in_two_places_has_the_cotangents_of_both(primitive: Primitive) -> None:
    """Of every pair of operands of one type, as in attention of x, x and x."""
    rng = np.random.default_rng(3)
    for sample in real_samples(primitive):
        y, xs, env = application(primitive, sample)
        operands = list(env)
        for i, j in combinations(range(len(operands)), 2):
            a, b = operands[i], operands[j]
            if a not in xs or b not in xs or a.shape != b.shape or primitive.name == "scan":
                continue
            same = [a if x is b else x for x in operands]
            z = primitive(*same, **sample.params)
            g = variable("g", y.shape, y.dtype)
            numbers = {**env, b: env[a], g: rng.normal(size=y.shape)}
            apart = [c for c in cotangents([y], [g], [a, b]) if c is not None]
            [both] = cotangents([z], [g], [a])
            assert (both is None) == (not apart)
            if both is not None:
                [found] = evaluate([both], numbers, f64)
                np.testing.assert_allclose(found, sum(evaluate(apart, numbers, f64)), rtol=1e-10)


@pytest.mark.parametrize("primitive", differentiable(), ids=lambda p: p.name)
def test_check_notices_a_rule_wrong_by_a_thousandth(primitive: Primitive) -> None:
    right = primitive.vjp
    assert right is not None

    def wrong(g: Node, *nodes: Node, **params: Any) -> Sequence[Node | None]:
        return [None if c is None else c * 1.001 for c in right(g, *nodes, **params)]

    object.__setattr__(primitive, "vjp", wrong)
    try:
        with pytest.raises(AssertionError, match="by differences"):
            check_all(primitive)
    finally:
        object.__setattr__(primitive, "vjp", right)


@pytest.mark.parametrize("primitive", differentiable(), ids=lambda p: p.name)
def test_forward_mode_is_the_transpose_of_the_transpose(primitive: Primitive) -> None:
    """The vjp is linear in u; its own vjp is J d. So <u, J d> = <Jᵀ u, d>, to rounding."""
    rng = np.random.default_rng(4)
    for sample in real_samples(primitive):
        y, xs, env = application(primitive, sample)
        u = variable("u", y.shape, y.dtype)
        pairs = [(x, g) for x, g in zip(xs, cotangents([y], [u], xs), strict=True) if g is not None]
        ds = [variable(f"d{i}", x.shape, x.dtype) for i, (x, _) in enumerate(pairs)]
        values = [rng.normal(size=d.shape) for d in ds]
        env = {**env, u: rng.normal(size=y.shape), **dict(zip(ds, values, strict=True))}
        back = [g for _, g in pairs]
        [forward] = cotangents(back, ds, [u])
        assert forward is not None
        jd, *jtu = evaluate([forward, *back], env, f64)
        assert inner([env[u]], [jd]) == pytest.approx(inner(jtu, values), rel=1e-9, abs=1e-9)
        numeric = sum(
            difference([y], x, env, v)[0] for (x, _), v in zip(pairs, values, strict=True)
        )
        np.testing.assert_allclose(jd, numeric, rtol=1e-6, atol=1e-6)


def test_ties_share() -> None:
    """At a tie, max gives half to each side and reduce_max equal parts to the largest."""
    a, b, g = (variable(n, (3,), f64) for n in "abg")
    env = {
        a: np.array([1.0, 2.0, 3.0]),
        b: np.array([1.0, 3.0, 2.0]),
        g: np.array([10.0, 20.0, 30.0]),
    }
    found = evaluate(cotangents([chainrule.ops.max(a, b)], [g], [a, b]), env)
    np.testing.assert_array_equal(found, [[5.0, 0.0, 30.0], [5.0, 20.0, 0.0]])

    x, h = variable("x", (2, 4), f64), variable("h", (2,), f64)
    env = {
        x: np.array([[1.0, 7.0, 7.0, 7.0], [4.0, 3.0, 2.0, 1.0]]),
        h: np.array([3.0, 5.0]),
    }
    found = evaluate(cotangents([chainrule.ops.reduce_max(x, axes=(1,))], [h], [x]), env)
    np.testing.assert_array_equal(found[0], [[0.0, 1.0, 1.0, 1.0], [5.0, 0.0, 0.0, 0.0]])
