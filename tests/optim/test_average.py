"""Averages of weights against their formulas in float64, compiled and eager."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from chainrule import nn, optim
from chainrule.errors import ConfigError, StateError, TraceError
from chainrule.frontend import Tensor, compile, manual_seed
from chainrule.frontend.apply import new_tensor
from chainrule.optim.average import Average

WAYS = pytest.mark.parametrize("way", [compile, lambda step: step], ids=["compiled", "eager"])


def parameter(*values: float) -> Tensor:
    return new_tensor(np.array(values, np.float32), requires_grad=True)


def descending(
    p: Tensor, average: Average, way: Callable[..., Any] = compile
) -> Callable[[], Tensor]:
    """A step of p ← 0.8 p, then the average."""
    optimizer = optim.SGD([p], lr=0.1)

    def step() -> Tensor:
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        optimizer.step()
        average.update()
        return loss

    run: Callable[[], Tensor] = way(step)
    return run


def values_of(average: Average) -> NDArray[np.float64]:
    [found] = average.state_dict()["averages"].values()
    return np.asarray(found, np.float64)


WEIGHTS = [3 * 0.8**t for t in range(13)]  # after t steps from 3


def ema_by_hand(decay: Callable[[int], float]) -> list[float]:
    averages, a = [], WEIGHTS[0]
    for t, p in enumerate(WEIGHTS[1:], 1):
        a = decay(t) * a + (1 - decay(t)) * p
        averages.append(a)
    return averages


def weighted_means(decay: float) -> list[float]:
    """What bias correction means: weights decay**age, made to sum to 1."""
    seen = WEIGHTS[1:]
    shares = [decay ** np.arange(t - 1, -1, -1) for t in range(1, len(WEIGHTS))]
    return [float(s @ seen[: len(s)] / s.sum()) for s in shares]


CASES: list[tuple[str, Callable[[Tensor], Average], list[float]]] = [
    ("ema", lambda p: optim.EMA([p], 0.9), ema_by_hand(lambda t: 0.9)),
    (
        "warmup",
        lambda p: optim.EMA([p], 0.4, warmup=True),
        ema_by_hand(lambda t: min(0.4, (1 + t) / (10 + t))),
    ),
    ("debias", lambda p: optim.EMA([p], 0.7, debias=True), weighted_means(0.7)),
    ("swa", lambda p: optim.SWA([p]), [float(np.mean(WEIGHTS[1 : t + 1])) for t in range(1, 13)]),
    (
        "swa-from-4-every-3",
        lambda p: optim.SWA([p], start=4, every=3),
        WEIGHTS[1:5]
        + [WEIGHTS[4]] * 2
        + [float(np.mean(WEIGHTS[4:8:3]))] * 3
        + [float(np.mean(WEIGHTS[4:11:3]))] * 3,
    ),
]


@WAYS
@pytest.mark.parametrize(("made", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_formula(
    made: Callable[[Tensor], Average], expected: list[float], way: Callable[..., Any]
) -> None:
    p = parameter(3.0, -3.0)
    average = made(p)
    step = descending(p, average, way)
    for value in expected:
        step()
        np.testing.assert_allclose(values_of(average), [value, -value], rtol=1e-6)
    assert average.updates == 12


def test_count_of_averaged_weights() -> None:
    average = optim.SWA([parameter(1.0)], start=4, every=3)
    counts = []
    for _ in range(8):
        average.update()
        counts.append(average.averaged)
    assert counts == [0, 0, 0, 1, 1, 1, 2, 2]


def test_one_program_for_every_step() -> None:
    p = parameter(3.0)
    average = optim.SWA([p], start=2, every=2)
    optimizer = optim.SGD([p], lr=0.1)
    traced = []

    @compile
    def step() -> Tensor:
        traced.append(1)
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        optimizer.step()
        average.update()
        return loss

    for _ in range(6):
        step()
    assert len(traced) == 1


def test_swapping_for_evaluation_leaves_no_mark() -> None:
    """Training goes on with the same bits, whether there was an evaluation between or not."""

    def trained(evaluate: bool) -> tuple[list[float], NDArray[Any], float]:
        p = parameter(3.0, 1.0)
        average = optim.EMA([p], 0.9)
        step = descending(p, average)
        total = compile(lambda: p.sum())
        seen = 0.0
        losses = []
        for _ in range(5):
            losses.append(step().item())
            if evaluate:
                with average.swapped():
                    seen = total().item()
        return losses, p.numpy(), seen

    plain, swapped = trained(False), trained(True)
    assert swapped[0] == plain[0]
    np.testing.assert_array_equal(swapped[1], plain[1])
    assert swapped[2] == pytest.approx(4 / 3 * ema_by_hand(lambda t: 0.9)[4], rel=1e-6)


def test_weights_come_back_after_an_error() -> None:
    p = parameter(3.0)
    average = optim.EMA([p], 0.9)
    descending(p, average)()
    before = p.numpy()
    with pytest.raises(ZeroDivisionError), average.swapped():
        p.sum() / (1 // 0)
    np.testing.assert_array_equal(p.numpy(), before)
    average.update()


def test_nothing_else_while_swapped() -> None:
    average = optim.EMA([parameter(3.0)])
    with average.swapped():
        for action in (
            average.update,
            lambda: average.load_state_dict(average.state_dict()),
            lambda: average.copy_to([parameter(1.0)]),
            lambda: average.swapped().__enter__(),
        ):
            with pytest.raises(StateError, match="currently holds the averages"):
                action()


def test_no_swapping_inside_a_compiled_function() -> None:
    p = parameter(3.0)
    average = optim.EMA([p])

    @compile
    def wrong() -> Tensor:
        with average.swapped():
            return p.sum()

    with pytest.raises(TraceError, match="swapped inside a compiled function"):
        wrong()
    assert compile(lambda: p.sum())().item() == 3.0


def test_state_continues_with_the_same_bits() -> None:
    def pair(start: NDArray[Any]) -> tuple[Tensor, Average]:
        p = new_tensor(start, requires_grad=True)
        return p, optim.EMA([p], 0.9, debias=True)

    start = np.array([3.0, -1.0], np.float32)
    p, average = pair(start)
    step = descending(p, average)
    for _ in range(4):
        step()
    q, resumed = pair(p.numpy())
    saved = average.state_dict()
    assert json.loads(json.dumps(saved["updates"])) == 4
    resumed.load_state_dict(saved)
    again = descending(q, resumed)
    for _ in range(4):
        step()
        again()
    np.testing.assert_array_equal(values_of(resumed), values_of(average))


def test_foreign_states_are_refused() -> None:
    average = optim.EMA([parameter(1.0, 2.0)])
    with pytest.raises(StateError, match="0 differ"):
        average.load_state_dict(optim.EMA([parameter(1.0)]).state_dict())
    with pytest.raises(StateError, match="not the state of an average"):
        average.load_state_dict({"weight": 1})
    with pytest.raises(StateError, match="do not match"):
        average.copy_to([parameter(1.0)])


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda p: optim.EMA(p, 1.0), r"decay is 1\.0"),
        (lambda p: optim.EMA(p, -0.1), r"decay is -0\.1"),
        (lambda p: optim.EMA(p, "high"), "decay is 'high'"),
        (lambda p: optim.EMA(p, warmup=True, debias=True), "cannot be combined"),
        (lambda p: optim.SWA(p, start=0), "start is 0"),
        (lambda p: optim.SWA(p, every=-2), "every is -2"),
        (lambda p: optim.EMA([]), "no parameters"),
        (lambda p: optim.EMA([1.0]), "no parameters"),
    ],
)
def test_bad_settings(make: Callable[[Any], Average], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        make([parameter(1.0)])


def network() -> nn.Sequential:
    manual_seed(3)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1))


def test_a_model_keeps_its_names() -> None:
    model, other = network(), network()
    average = optim.SWA(model)
    assert list(average.state_dict()["averages"]) == [n for n, _ in model.named_parameters()]
    for p in model.parameters():
        p.requires_grad = False
        p.assign_(p * 2)
    average.update()
    average.copy_to(other)
    for (_, mine), (_, theirs) in zip(
        model.named_parameters(), other.named_parameters(), strict=True
    ):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())


def test_averages_lie_in_memory_as_the_weights_do() -> None:
    """A weight stored transposed is averaged in its own order, where the step computes it."""
    layer = nn.Linear(5, 64)
    average = optim.EMA(layer)._averages["weight"].concrete
    assert average.strides == layer.weight.concrete.strides == (4, 256)


def test_batch_norm_statistics_are_the_mean_over_batches() -> None:
    model = network()
    norm = model[1]
    model[2].eval()
    rng = np.random.default_rng(0)
    batches = [rng.normal(size=(6, 3)).astype(np.float32) for _ in range(3)]
    hidden = [model[0](new_tensor(x)).numpy().astype(np.float64) for x in batches]
    modes = [m.training for m in model.modules()]
    optim.update_batch_norm(model, [batches[0], (batches[1], None), [batches[2], 1]])
    mean = np.mean([h.mean(axis=0) for h in hidden], axis=0)
    variance = np.mean([h.var(axis=0, ddof=1) for h in hidden], axis=0)
    np.testing.assert_allclose(norm.running_mean.numpy(), mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(norm.running_var.numpy(), variance, rtol=1e-5)
    assert norm.num_batches_tracked.item() == 3
    assert norm.momentum == 0.1
    assert [m.training for m in model.modules()] == modes


def test_statistics_of_the_average_hold_only_while_swapped() -> None:
    model = network()
    average = optim.EMA(model)
    before = model.state_dict()
    with average.swapped():
        optim.update_batch_norm(model, [np.ones((4, 3), np.float32) * np.arange(4)[:, None]])
        assert (model[1].running_var.numpy() != 1).all()
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
