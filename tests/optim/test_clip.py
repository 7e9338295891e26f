"""Clipped gradients against PyTorch's numbers, formulas, threads and configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.errors import ConfigError
from chainrule.optim import clip
from reference.problems import load

REFERENCE = load("clipping")
GRADIENTS = [np.array(g, np.float32) for g in REFERENCE["gradients"]]


def with_gradients(*gradients: Any) -> list[cr.Tensor]:
    params = [cr.tensor(np.full_like(g, 2.0), requires_grad=True) for g in gradients]
    for p, g in zip(params, gradients, strict=True):
        p.grad = cr.tensor(g)
    return params


def grads(params: list[cr.Tensor]) -> list[Any]:
    return [p.grad.numpy() for p in params if p.grad is not None]


def backward(params: list[cr.Tensor], gradients: list[cr.Tensor]) -> None:
    """Gradients that a compiled function has computed itself."""
    for p in params:
        p.grad = None
    terms = [(p * g).sum() for p, g in zip(params, gradients, strict=True)]
    sum(terms[1:], terms[0]).backward()


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
@pytest.mark.parametrize(
    "case", REFERENCE["cases"], ids=lambda c: "-".join(map(str, [c["name"], *c["kwargs"].values()]))
)
def test_is_pytorchs(case: dict[str, Any], compiled: bool) -> None:
    params = with_gradients(*GRADIENTS)
    function = getattr(clip, case["name"])

    def clipped(*gradients: cr.Tensor) -> Any:
        backward(params, list(gradients))
        return function(params, **case["kwargs"])

    run: Callable[..., Any] = cr.compile(keep_grads=True)(clipped) if compiled else clipped
    total = run(*map(cr.tensor, GRADIENTS))
    for ours, theirs in zip(grads(params), case["clipped"], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-6)
    if case["total"] is not None:
        assert total.item() == pytest.approx(case["total"], rel=1e-6)


def test_each_gradient_by_its_own_norm() -> None:
    params = with_gradients([3.0, 4.0], [0.3, 0.4])
    clip.clip_grad_norm_per_parameter_(params, 1.0)
    np.testing.assert_allclose(grads(params)[0], [0.6, 0.8], rtol=1e-6)
    np.testing.assert_array_equal(grads(params)[1], np.float32([0.3, 0.4]))


def test_adaptive_clipping_bounds_each_unit_by_its_weights() -> None:
    w = cr.tensor([[3.0, 4.0], [0.0, 0.0], [6.0, 8.0]], requires_grad=True)
    b = cr.tensor([3.0, 4.0], requires_grad=True)
    w.grad = cr.tensor([[0.0, 10.0], [5.0, 0.0], [0.03, 0.04]])
    b.grad = cr.tensor([0.6, 0.8])
    clip.clip_grad_agc_([w, b], clipping=0.1, eps=1e-3)
    # ‖w_i‖ is 5, 0 (so eps) and 10; the third gradient is shorter than 0.1 · 10 and stays.
    expected = [[0.0, 0.5], [1e-4, 0.0], [0.03, 0.04]]
    np.testing.assert_allclose(grads([w])[0], expected, rtol=1e-6)
    np.testing.assert_allclose(grads([b])[0], [0.3, 0.4], rtol=1e-6)


def test_adaptive_clipping_leaves_out_the_last_layer() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    params = list(model.parameters())
    for p in params:
        p.grad = cr.tensor(np.full(p.shape, 100.0, np.float32))
    optim.clip.make({"adaptive": 0.01, "exclude_last": True})(params)
    assert [float(np.abs(g).max()) == 100.0 for g in grads(params)] == [False, False, True, True]


def test_what_has_no_gradient_is_left_alone() -> None:
    a = cr.tensor([1.0], requires_grad=True)
    assert clip.clip_grad_norm_([a], 1.0).item() == 0.0
    (b,) = with_gradients([10.0])
    assert clip.clip_grad_norm_([a, b], 1.0).item() == pytest.approx(10.0)
    assert a.grad is None


def test_a_gradient_that_is_not_finite_spreads_as_in_pytorch() -> None:
    params = with_gradients([np.nan, 1.0], [1.0])
    assert np.isnan(clip.clip_grad_norm_(params, 1.0).item())
    assert all(np.isnan(g).all() for g in grads(params))
    params = with_gradients([np.inf, 1.0], [1.0])
    clip.clip_grad_norm_(params, 1.0)
    assert grads(params)[1][0] == 0.0


def training_step(bound: clip.Clip, seed: int = 0) -> tuple[nn.Module, Any]:
    cr.manual_seed(seed)
    model = nn.Sequential(nn.Linear(200, 300), nn.ReLU(), nn.Linear(300, 3))
    optimizer = optim.Adam(model.parameters(), lr=0.05)

    @cr.compile
    def step(x: cr.Tensor, y: cr.Tensor) -> tuple[cr.Tensor, cr.Tensor | None]:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        total = bound(model.parameters())
        optimizer.step()
        return loss, total

    return model, step


def test_global_norm_gives_the_same_bits_for_one_and_two_threads() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 200)).astype(np.float32)
    y = rng.integers(0, 3, 256)
    before = cr.get_num_threads()
    found = []
    try:
        for threads in (1, 2):
            cr.set_num_threads(threads)
            model, step = training_step(clip.make({"global_norm": 0.1}))
            totals = [step(x, y)[1].numpy().tobytes() for _ in range(4)]
            found.append((totals, [v.tobytes() for v in model.state_dict().values()]))
    finally:
        cr.set_num_threads(before)
    assert found[0] == found[1]


def test_a_changed_limit_is_seen_and_compiles_nothing_anew() -> None:
    (p,) = with_gradients([3.0, 4.0])
    bound = clip.make({"global_norm": 1.0})
    recorded = []

    @cr.compile(keep_grads=True)
    def step(g: cr.Tensor) -> None:
        recorded.append(1)
        backward([p], [g])
        bound([p])

    step(cr.tensor([3.0, 4.0]))
    np.testing.assert_allclose(grads([p])[0], [0.6, 0.8], rtol=1e-6)
    bound.limit = 2.5
    step(cr.tensor([3.0, 4.0]))
    np.testing.assert_allclose(grads([p])[0], [1.5, 2.0], rtol=1e-6)
    assert len(recorded) == 1


def test_a_limit_may_be_an_argument_of_the_step() -> None:
    (p,) = with_gradients([3.0, 4.0])

    @cr.compile(keep_grads=True)
    def step(g: cr.Tensor, limit: cr.Tensor) -> None:
        backward([p], [g])
        clip.clip_grad_value_([p], limit)

    for limit in (3.5, 0.5):
        step(cr.tensor([3.0, -4.0]), cr.tensor(limit))
        expected = np.clip([3.0, -4.0], -limit, limit)
        np.testing.assert_array_equal(grads([p])[0], expected.astype(np.float32))


@pytest.mark.parametrize(
    ("settings", "kind", "clipped"),
    [
        ({"value": 2.5}, clip.ByValue, [[2.5, 2.5], [0.0, -2.5]]),
        ({"norm": 1.0}, clip.ByNorm, [[0.6, 0.8], [0.0, -1.0]]),
        ({"global_norm": 1.0, "norm_type": float("inf")}, clip.ByGlobalNorm,
         [[0.25, 1 / 3], [0.0, -1.0]]),
        ({"adaptive": 0.1, "eps": 1e-2}, clip.Adaptive,
         [[0.6 * 0.08**0.5, 0.8 * 0.08**0.5], [0.0, -(0.08**0.5)]]),
    ],
)  # fmt: skip
def test_made_from_configuration(
    settings: dict[str, Any], kind: type[clip.Clip], clipped: list[list[float]]
) -> None:
    made = clip.make(settings)
    assert type(made) is kind
    params = with_gradients([3.0, 4.0], [0.0, -12.0])
    made(params)
    np.testing.assert_allclose(grads(params), clipped, rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"global_nrom": 1.0}, "did you mean 'global_norm'"),
        ({"value": 1.0, "norm": 1.0}, "clipped in 2 ways: value, norm"),
        ({}, "in 0 ways"),
        ({"value": 0.0}, "limit of a clip is 0.0"),
        ({"norm": "much"}, "limit of a clip is 'much'"),
        ({"value": 1.0, "norm_type": 2.0}, "unknown clipping method 'norm_type'"),
        ({"global_norm": 1.0, "norm_type": -1.0}, "norm_type is -1.0"),
        ({"adaptive": 0.1, "eps": -1.0}, "eps is -1.0"),
    ],
)
def test_configuration_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        clip.make(settings)
