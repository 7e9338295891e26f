"""What else happens in the compiled step: penalty, clip, constraint, transform, average."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from chainrule import nn, optim
from chainrule.errors import ConfigError
from chainrule.frontend import Tensor, manual_seed, no_grad
from chainrule.frontend.apply import from_array, new_tensor
from chainrule.train import Trainer
from train.problems_small import blob_trainer, blobs, line, linear_trainer, weights


def one_step(**parts: Any) -> tuple[Trainer, list[Any], list[Any], float]:
    """The trainer after a step on all rows, weights before, gradients by hand, reported loss."""
    trainer = linear_trainer(lr=0.1, **parts)
    x, y = line(40)
    w, b = weights(trainer)
    residual = x @ w[0] + b - y
    loss = trainer.fit((x, y), epochs=1, batch_size=None, verbose=False)["loss"][0]
    return trainer, [w, b], [2 * (residual @ x)[None] / 40, 2 * residual.mean(keepdims=True)], loss


def test_a_penalty_is_differentiated_and_not_reported() -> None:
    trainer, (w, b), (gw, gb), loss = one_step(penalty=lambda ps: 3.0 * (ps[0] * ps[0]).sum())
    np.testing.assert_allclose(weights(trainer)[0], w - 0.1 * (gw + 6 * w), rtol=1e-5)
    np.testing.assert_allclose(weights(trainer)[1], b - 0.1 * gb, rtol=1e-5)
    x, y = line(40)
    assert loss == pytest.approx(np.mean((x @ w[0] + b - y) ** 2), rel=1e-6)


def test_a_penalty_counts_once_in_a_group() -> None:
    def penalty(parameters: list[Tensor]) -> Tensor:
        return 0.5 * (parameters[0] * parameters[0]).sum()

    a, b = linear_trainer(penalty=penalty), linear_trainer(penalty=penalty, accumulate=4)
    a.fit(line(60), epochs=3, batch_size=32, verbose=False)
    b.fit(line(60), epochs=3, batch_size=8, verbose=False)
    np.testing.assert_allclose(weights(a)[0], weights(b)[0], rtol=1e-5)


@pytest.mark.parametrize("clip", [{"global_norm": 0.5}, optim.clip.make({"global_norm": 0.5})])
def test_a_clip_stands_between_backward_and_step(clip: Any) -> None:
    trainer, (w, b), (gw, gb), _ = one_step(clip=clip)
    norm = np.sqrt((gw**2).sum() + (gb**2).sum())
    assert norm > 0.5
    np.testing.assert_allclose(weights(trainer)[0], w - 0.1 * gw * 0.5 / norm, rtol=1e-4)
    np.testing.assert_allclose(weights(trainer)[1], b - 0.1 * gb * 0.5 / norm, rtol=1e-4)


def test_a_constraint_comes_after_the_step() -> None:
    def halve(parameters: list[Tensor]) -> None:
        parameters[0].assign_(parameters[0] * 0.5)

    trainer, (w, _), (gw, _), _ = one_step(constraint=halve)
    np.testing.assert_allclose(weights(trainer)[0], 0.5 * (w - 0.1 * gw), rtol=1e-5)


def test_a_transform_gives_the_batch_that_is_trained() -> None:
    trainer = linear_trainer(transform=lambda x, y: (x * 2.0, y + 1.0))
    plain = linear_trainer()
    x, y = line(64)
    trainer.fit((x, y), epochs=2, verbose=False)
    plain.fit((2 * x, y + 1), epochs=2, verbose=False)
    np.testing.assert_allclose(weights(trainer)[0], weights(plain)[0], rtol=1e-5)
    residual = trainer.predict(x)[:, 0] - y
    assert trainer.evaluate((x, y))["loss"] == pytest.approx(np.mean(residual**2), rel=1e-5)


def test_random_transforms_draw_anew_in_each_step() -> None:
    manual_seed(0)
    model = nn.Linear(2, 1)
    noise = nn.GaussianNoise(1.0)
    trainer = Trainer(
        model,
        "mse",
        optim.SGD(model.parameters(), lr=0.0),
        transform=lambda x, y: (noise(x), y),
    )
    losses = trainer.fit(line(64), epochs=3, batch_size=None, verbose=False)["loss"]
    assert len(set(losses)) == 3


class Mean:
    """The mean of all weights so far: (n w + p) / (n + 1)."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.count = new_tensor(np.zeros((), np.float32))
        self.means = [new_tensor(np.zeros(p.shape, np.float32)) for p in model.parameters()]

    def update(self) -> None:
        n = self.count + 1.0
        self.count.assign_(n)
        for mean, p in zip(self.means, self.model.parameters(), strict=True):
            mean.assign_(mean + (p - mean) / n)

    @contextmanager
    def swapped(self) -> Iterator[None]:
        parameters = list(self.model.parameters())
        before = [p.numpy() for p in parameters]
        self._put([m.numpy() for m in self.means], parameters)
        try:
            yield
        finally:
            self._put(before, parameters)

    def _put(self, arrays: list[Any], parameters: list[Any]) -> None:
        with no_grad():
            for p, array in zip(parameters, arrays, strict=True):
                p.assign_(from_array(array))

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count.numpy(), "means": [m.numpy() for m in self.means]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.count.assign_(from_array(np.asarray(state["count"])))
        for mean, array in zip(self.means, state["means"], strict=True):
            mean.assign_(from_array(array))


def averaged(**settings: Any) -> Trainer:
    manual_seed(0)
    model = nn.Linear(2, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.05)
    return Trainer(model, "mse", optimizer, average=Mean(model), **settings)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_evaluation_uses_the_average_of_all_updates(accumulate: int) -> None:
    trainer = averaged(accumulate=accumulate)
    x, y = line(64)
    seen: list[Any] = []
    plain = linear_trainer(lr=0.05)
    for _ in range(2):  # with one batch an update, fits of one epoch are like a longer one
        plain.fit((x, y), epochs=1, batch_size=64, shuffle=False, verbose=False)
        seen.append(weights(plain))
    size = 64 // accumulate
    trainer.fit((x, y), epochs=2, batch_size=size, shuffle=False, verbose=False)
    assert isinstance(trainer.average, Mean)
    assert float(trainer.average.count.item()) == 2.0
    np.testing.assert_allclose(weights(trainer)[0], seen[1][0], rtol=1e-5)
    mean = [(a + b) / 2 for a, b in zip(*seen, strict=True)]
    expected = x @ mean[0][0] + mean[1]
    np.testing.assert_allclose(trainer.predict(x)[:, 0], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(weights(trainer)[0], seen[1][0], rtol=1e-5)


def test_the_average_is_part_of_the_state() -> None:
    trainer, other = averaged(), averaged()
    trainer.fit(line(64), epochs=3, verbose=False)
    other.fit(line(64, seed=4), epochs=1, verbose=False)
    other.set_state(trainer.state())
    x = line(8)[0]
    np.testing.assert_array_equal(other.predict(x), trainer.predict(x))


def test_the_norm_of_the_gradient() -> None:
    trainer = linear_trainer(lr=0.0, penalty=lambda ps: (ps[0] * ps[0]).sum())
    x, y = line(1500)  # two blocks, the second one short
    w, b = weights(trainer)
    residual = x @ w[0] + b - y
    gradient = [*(2 * residual @ x / 1500 + 2 * w[0]), 2 * residual.mean()]
    assert trainer.gradient_norm((x, y)) == pytest.approx(np.linalg.norm(gradient), rel=1e-5)
    with pytest.raises(ConfigError, match="no training data yet"):
        trainer.gradient_norm()
    trainer.fit((x, y), epochs=1, verbose=False)
    assert trainer.gradient_norm() == pytest.approx(np.linalg.norm(gradient), rel=1e-5)


def test_going_back_to_a_state_repeats_what_came_after() -> None:
    manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.5), nn.Linear(8, 3))
    trainer = Trainer(model, "cross_entropy", optim.Adam(model.parameters()))
    trainer.fit(blobs(), epochs=1, verbose=False)
    state = trainer.state()
    trainer.fit(blobs(), epochs=2, verbose=False)
    first, losses = weights(trainer), trainer.history["loss"]
    trainer.set_state(state)
    assert trainer.fit(blobs(), epochs=2, verbose=False)["loss"] == losses
    for a, b in zip(first, weights(trainer), strict=True):
        np.testing.assert_array_equal(a, b)


def test_parts_that_are_none() -> None:
    for name in ("clip", "penalty", "constraint", "transform"):
        with pytest.raises(ConfigError, match=f"{name} is 3"):
            blob_trainer(**{name: 3})
    with pytest.raises(ConfigError, match="average is 3"):
        blob_trainer(average=3)
    for wrong in ("x", 1.5, 0):
        with pytest.raises(ConfigError, match=f"accumulate is {wrong!r}"):
            blob_trainer(accumulate=wrong)
    for metrics, what in ((3, "metrics is 3"), ("accuracy", "metrics is"), ([3], "a metric is 3")):
        with pytest.raises(ConfigError, match=what):
            blob_trainer(metrics=metrics)
    with pytest.raises(ConfigError, match="the model is None"):
        Trainer(None, "mse", optim.Adam(nn.Linear(1, 1).parameters()))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"loss": lambda outputs, target: None}, "the loss function returned None"),
        ({"transform": lambda x, y: None}, "transform returned None"),
        ({"metrics": [lambda target, values: None]}, "the metric <lambda> returned None"),
        ({"metrics": [lambda target, values: "x"]}, "the metric <lambda> returned 'x'"),
    ],
)
def test_functions_that_return_nothing_of_use(settings: dict[str, Any], what: str) -> None:
    model = nn.Linear(2, 1)
    given: dict[str, Any] = {"loss": "mse"} | settings
    trainer = Trainer(model, optimizer=optim.Adam(model.parameters()), **given)
    with pytest.raises(ConfigError, match=what):
        trainer.fit(line(), epochs=1, verbose=False)


@pytest.mark.parametrize("rows", ["x", -1, 0, 2.5])
def test_batches_to_look_at_that_are_none(rows: Any) -> None:
    trainer = linear_trainer()
    for look in (trainer.evaluate, lambda data, n: trainer.predict(data[0], n)):
        with pytest.raises(ConfigError, match=f"batch_size is {rows!r}"):
            look(line(), rows)


@pytest.mark.parametrize("optimizer", [optim.Adam, optim.LBFGS])
def test_a_part_of_the_model_may_be_trained_alone(optimizer: Any) -> None:
    """In batches of two sizes, which are two programs that would read each other's gradients."""
    manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    before = model.state_dict()
    trainer = Trainer(model, "cross_entropy", optimizer(model[2].parameters()))
    rng = np.random.default_rng(0)
    inputs, target = rng.normal(size=(50, 4)).astype(np.float32), np.zeros(50, np.int32)
    trainer.fit((inputs, target), epochs=2, batch_size=32, verbose=False)
    after = model.state_dict()
    moved = {name: not np.array_equal(before[name], after[name]) for name in before}
    expected = {"0.weight": False, "0.bias": False, "2.weight": True, "2.bias": True}
    assert moved == expected
