"""One graph for all members against one member after the other, for all primitives."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import ops
from chainrule.autodiff import cotangents
from chainrule.batching import batched, draws, stretched
from chainrule.interpret import evaluate
from chainrule.ir.graph import Node
from chainrule.ir.primitive import Primitive, Sample, primitives
from chainrule.ir.types import Array, DType, f64
from gradients import application, variable

SIZE = 3
#: without inputs there is nothing that differs; a state is everybody's
ALONE = {"input", "const", "iota", "assign", "item"}
every = pytest.mark.parametrize(
    "primitive",
    [p for p in primitives().values() if p.name not in ALONE],
    ids=lambda p: p.name,
)


@pytest.mark.parametrize("primitive", primitives().values(), ids=lambda p: p.name)
def test_every_primitive_has_a_rule(primitive: Primitive) -> None:
    assert primitive.elementwise or primitive.name in ALONE or primitive.batch is not None


def patterns(count: int) -> list[tuple[bool, ...]]:
    """Which inputs differ: all, each alone, all but the first."""
    alone = [tuple(i == j for i in range(count)) for j in range(count)]
    found = [(True,) * count, *alone, (False, *(True,) * (count - 1))]
    return [p for p in dict.fromkeys(found) if any(p)]


def members(x: Array) -> list[Array]:
    """Arrays of the numbers of ``x``, each in another order."""
    return [np.roll(x.ravel(), i).reshape(x.shape) for i in range(SIZE)]


class Case:
    """A sample of a primitive, alone and for several members."""

    def __init__(self, primitive: Primitive, sample: Sample, differs: tuple[bool, ...]) -> None:
        self.y, self.wrt, env = application(primitive, sample)
        self.xs, self.differs = list(env), differs
        self.single = [
            members(a) if d else [a] * SIZE for a, d in zip(sample.inputs, differs, strict=True)
        ]
        self.together = [
            np.stack(a) if d else a[0] for a, d in zip(self.single, differs, strict=True)
        ]
        self.many = [
            variable(f"many{i}", a.shape, DType.of(a.dtype)) for i, a in enumerate(self.together)
        ]
        given = dict(zip(self.xs, zip(self.many, differs, strict=True), strict=True))
        [value] = batched([self.y], given, SIZE)
        self.result = stretched(value, SIZE)

    def alone(self, roots: list[Node], extra: dict[Node, list[Array]]) -> list[Array]:
        """``roots`` for each member, stacked."""
        found = []
        for m in range(SIZE):
            env = {x: a[m] for x, a in zip(self.xs, self.single, strict=True)}
            found.append(evaluate(roots, {**env, **{n: a[m] for n, a in extra.items()}}, f64))
        return [np.stack(rows) for rows in zip(*found, strict=True)]

    def check(self) -> None:
        """Values."""
        env = dict(zip(self.many, self.together, strict=True))
        [found] = evaluate([self.result], env, f64)
        [expected] = self.alone([self.y], {})
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)

    def check_gradients(self, rng: np.random.Generator) -> None:
        """Cotangents of what differs, and of what is the same the sum over the members."""
        weights = rng.normal(size=self.result.shape).astype(np.float32)
        g = variable("g", self.y.shape, self.y.dtype)
        whole = variable("whole", self.result.shape, self.result.dtype)
        chosen = [i for i, x in enumerate(self.xs) if x in self.wrt]
        alone = cotangents([self.y], [g], [self.xs[i] for i in chosen])
        several = cotangents([self.result], [whole], [self.many[i] for i in chosen])
        env = {**dict(zip(self.many, self.together, strict=True)), whole: weights}
        for i, one, all_ in zip(chosen, alone, several, strict=True):
            assert (one is None) == (all_ is None)
            if one is None or all_ is None:
                continue
            [expected] = self.alone([one], {g: list(weights)})
            [found] = evaluate([all_], env, f64)
            wanted = expected if self.differs[i] else expected.sum(0)
            np.testing.assert_allclose(found, wanted, rtol=1e-7, atol=1e-7)


@every
def test_all_members_at_once_are_each_alone(primitive: Primitive) -> None:
    rng = np.random.default_rng(2)
    for sample in primitive.samples(np.random.default_rng(1)):
        if sample.params.get("keep", 1) < 1:
            continue  # each member drops for itself, below
        for differs in patterns(len(sample.inputs)):
            case = Case(primitive, sample, differs)
            case.check()
            if case.y.dtype.is_float and case.wrt and primitive.vjp is not None:
                case.check_gradients(rng)


def test_draws_differ_from_member_to_member() -> None:
    key, count = variable("key", (2,), DType.u32), variable("count", (), DType.u32)
    inside, outside = (ops.rng_bits(key, count, shape=(4,)) for _ in range(2))
    later = count + 1
    other = ops.rng_bits(key, later, shape=(4,))
    env = {key: (key, False), count: (count, False)}
    values = batched([inside, other], env, SIZE, drawn=[inside])
    assert [v for _, v in values] == [True, False]
    given = {key: np.array([1, 2], np.uint32), count: np.asarray(5, np.uint32)}
    bits, wanted = evaluate([values[0][0], ops.rng_bits(key, count, shape=(SIZE, 4))], given)
    np.testing.assert_array_equal(bits, wanted)
    assert len(np.unique(bits)) == bits.size
    assert not batched([outside], env, SIZE)[0][1]


def test_what_attention_drops_differs_from_member_to_member() -> None:
    """And its derivatives drop the same."""
    samples = [s for s in ops.attention.samples(np.random.default_rng(0)) if s.params["keep"] < 1]
    for sample in samples:
        y, xs, env = application(ops.attention, sample)
        assert draws(y)
        g = variable("g", y.shape, y.dtype)
        grads = [c for c in cotangents([y], [g], xs) if c is not None]
        given = {x: (x, False) for x in (*env, g)}
        values = batched([y, *grads], given, SIZE, drawn=[y])
        assert all(differs for _, differs in values)
        result = values[0][0]
        numbers = {**env, g: np.ones(g.shape, np.float32)}
        rows = evaluate([n for n, _ in values], numbers)
        assert not np.array_equal(rows[0][0], rows[0][1])
        summed = cotangents([result], [stretched((g, False), SIZE)], xs)
        for found, total in zip(rows[1:], evaluate([s for s in summed if s], numbers), strict=True):
            np.testing.assert_allclose(found.sum(0), total, rtol=1e-4, atol=1e-5)
