"""Observed trainings: the same bits as unobserved ones, and numbers that NumPy finds too."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.errors import ConfigError
from chainrule.train import Callback, Trainer
from chainrule.train.observation import Observation, Observe

rng = np.random.default_rng(3)
X = rng.normal(size=(100, 6)).astype(np.float32)
Y = rng.integers(0, 3, 100).astype(np.int32)
TOKENS = rng.integers(0, 9, (40, 5)).astype(np.int32)


def dense() -> nn.Module:
    return nn.Sequential(
        nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3),
        nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 3),
    )  # fmt: skip


def trained(model: nn.Module, data: Any, observe: Any, **settings: Any) -> Trainer:
    cr.manual_seed(5)
    fit = {name: settings.pop(name) for name in ("epochs", "callbacks") if name in settings}
    make = settings.pop("optimizer", lambda p: optim.Adam(p, lr=1e-2))
    trainer = Trainer(model, "cross_entropy", make(list(model.parameters())), **settings)
    trainer.fit(data, batch_size=16, verbose=False, observe=observe, **{"epochs": 2} | fit)
    return trainer


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.rnn, self.out = nn.Embedding(9, 4), nn.LSTM(4, 6), nn.Linear(6, 3)

    def forward(self, tokens: cr.Tensor) -> cr.Tensor:
        return self.out(self.rnn(self.embed(tokens).transpose(0, 1))[0][-1])


class Twice(nn.Module):
    """One layer that is called twice, and a residual connection."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.again, self.last = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x: cr.Tensor) -> cr.Tensor:
        h = self.first(x)
        return self.last(h + self.again(self.again(h)))


def convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(24, 3)
    )  # fmt: skip


NETWORKS = {
    "dense": (dense, X),
    "recurrent": (Recurrent, TOKENS),
    "twice": (Twice, X),
    "convolutional": (convolutional, X.reshape(100, 1, 6)),
}


def built(network: str) -> tuple[nn.Module, tuple[Any, Any]]:
    cr.manual_seed(1)
    build, inputs = NETWORKS[network]
    return build(), (inputs, Y[: len(inputs)])


@pytest.mark.parametrize("level", ["basic", "full"])
@pytest.mark.parametrize("network", NETWORKS)
def test_observed_trainings_have_the_same_bits(network: str, level: Any) -> None:
    states, losses = [], []
    for observe in ("off", Observe(level, 3)):
        model, data = built(network)
        trainer = trained(model, data, observe)
        states.append(model.state_dict())
        losses.append(trainer.history["loss"])
    assert losses[0] == losses[1]
    assert all((states[0][name] == states[1][name]).all() for name in states[0])
    assert len(trainer.observations) > 1


@pytest.mark.parametrize(
    "settings",
    [
        {"accumulate": 3},
        {"clip": {"global_norm": 0.1}},
        {"penalty": optim.penalty.Penalty(0.01, 0.01)},
        {"optimizer": lambda p: optim.Lookahead(optim.SGD(p, lr=0.1, momentum=0.9), 2, 0.5)},
        {"optimizer": lambda p: optim.GradientNoise(optim.SGD(p, lr=0.1), 0.1, seed=1)},
    ],
    ids=["accumulate", "clip", "penalty", "lookahead", "noise"],
)
def test_all_that_a_step_may_hold_is_part_of_an_observed_one(settings: Any) -> None:
    states = []
    for observe in ("off", Observe("basic", 2)):
        model, data = built("dense")
        trainer = trained(model, data, observe, **settings)
        states.append(model.state_dict())
    assert trainer.observations
    assert all((states[0][name] == states[1][name]).all() for name in states[0])


def test_what_is_measured_is_what_numpy_finds() -> None:
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4), nn.Sigmoid())
    with cr.no_grad():
        model[0].bias.assign_(np.array([0, -100, 0, 0, -100], np.float32))
        model[2].bias.assign_(np.array([50, 0, 0, -50], np.float32))
    before = model.state_dict()
    target = rng.normal(size=(16, 4)).astype(np.float32)
    trainer = Trainer(model, "mse", optim.SGD(model.parameters(), lr=0.1))
    trainer.fit(
        (X[:16], target), epochs=1, batch_size=16, shuffle=False, verbose=False,
        observe=Observe("full", 1),
    )  # fmt: skip
    after = model.state_dict()
    layers = trainer.observations[0].layers

    h = X[:16] @ before["0.weight"].T + before["0.bias"]
    a = np.maximum(h, 0)
    z = a @ before["2.weight"].T + before["2.bias"]
    s = 1 / (1 + np.exp(-z))
    ds = 2 * (s - target) / s.size
    dz = ds * s * (1 - s)
    da = dz @ before["2.weight"]
    dw, db = dz.T @ a, dz.sum(0)

    def norm(*parts: Any) -> float:
        return float(np.sqrt(sum((np.asarray(p, np.float64) ** 2).sum() for p in parts)))

    expected = {
        "weight": norm(before["2.weight"], before["2.bias"]),
        "gradient": norm(dw, db),
        "update": norm(
            after["2.weight"] - before["2.weight"], after["2.bias"] - before["2.bias"]
        ),
        "mean": float(z.mean()),
        "std": float(z.std()),
        "backward": norm(dz),
    }  # fmt: skip
    for name, value in expected.items():
        assert getattr(layers["2"], name) == pytest.approx(value, rel=1e-3), name
    assert layers["2"].ratio == pytest.approx(expected["update"] / expected["weight"], rel=1e-3)
    assert layers["1"].dead == pytest.approx(2 / 5)
    assert layers["1"].backward == pytest.approx(norm(da), rel=1e-3)
    assert layers["3"].saturated == pytest.approx(np.mean(s * (1 - s) < 0.25 / 20))
    assert layers["3"].weight is None
    assert layers["3"].ratio is None

    found = layers["0"].histograms["output"]
    counts, edges = np.histogram(h, bins=32)
    assert (found.low, found.high) == pytest.approx((edges[0], edges[-1]))
    assert sum(found.counts) == h.size
    moved = np.abs(np.cumsum(found.counts) - np.cumsum(counts)).max()
    assert moved <= 2  # a value at an edge may fall to either side


def test_the_noise_is_that_of_single_examples() -> None:
    """Of an odd batch, whose last example has no partner."""
    model = nn.Linear(6, 3)
    before = model.state_dict()
    target = rng.normal(3.0, size=(15, 3)).astype(np.float32)
    trainer = Trainer(model, "mse", optim.SGD(model.parameters(), lr=0.1))
    trainer.fit(
        (X[:15], target), epochs=1, batch_size=15, shuffle=False, verbose=False,
        observe=Observe("full", 1),
    )  # fmt: skip
    error = X[:15] @ before["weight"].T + before["bias"] - target
    inputs = np.concatenate([X[:15], np.ones((15, 1))], axis=1)
    each = np.einsum("io,ij->ioj", 2 * error / error.size, inputs)
    signs = np.array([1.0, -1.0] * 7)
    turned = np.tensordot(signs, each[:14], 1)
    chance = (turned**2).sum() * 15 / 14
    observation = trainer.observations[0]
    assert observation.layers[""].noise == pytest.approx(math.sqrt(chance), rel=1e-4)
    whole = (each.sum(0) ** 2).sum()
    assert observation.noise_scale == pytest.approx(15 * chance / (whole - chance), rel=1e-3)
    assert observation.to_dict()["noise_scale"] == observation.noise_scale


def test_the_noise_scale_is_that_of_all_examples() -> None:
    """Its median over many batches beside the covariance over all rows."""
    slope = np.full((6, 1), 2.0, np.float32)
    inputs = rng.normal(size=(4096, 6)).astype(np.float32)
    target = inputs @ slope + rng.normal(size=(4096, 1)).astype(np.float32) * 8
    model = nn.Linear(6, 1, bias=False)
    with cr.no_grad():
        model.weight.assign_(np.zeros((1, 6), np.float32))
    trainer = Trainer(model, "mse", optim.SGD(model.parameters(), lr=0.0))
    trainer.fit(
        (inputs, target), epochs=1, batch_size=64, verbose=False, observe=Observe("full", 1)
    )
    each = -2 * target * inputs
    expected = each.var(0).sum() / (each.mean(0) ** 2).sum()
    layers = [o.layers[""] for o in trainer.observations]
    chance = np.mean([x.noise**2 for x in layers])
    signal = np.mean([x.gradient**2 for x in layers]) - chance
    assert 64 * chance / signal == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("network", ["twice", "recurrent", "convolutional"])
def test_noise_is_said_where_examples_are_apart(network: str) -> None:
    model, data = built(network)
    layers = trained(model, data, Observe("full", 1), epochs=1).observations[0].layers
    noisy = {path for path, layer in layers.items() if layer.noise is not None}
    apart = {"twice": {"first", "last"}, "recurrent": {"embed", "out"}, "convolutional": {"0", "3"}}
    assert noisy == apart[network]


@pytest.mark.parametrize("long", [12, 50])
def test_what_arrives_at_each_time_step(long: int) -> None:
    """With an identity for its input weights, what a step is given is its input: so the gradient
    of the input is what arrives there."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.out = nn.RNN(4, 4, batch_first=True), nn.Linear(4, 3)

        def forward(self, x: cr.Tensor) -> cr.Tensor:
            return self.out(self.rnn(x)[0][:, -1])

    cr.manual_seed(1)
    model = Net()
    with cr.no_grad():
        model.rnn.weight_ih_l0.assign_(cr.tensor(np.eye(4, dtype=np.float32)))
    x = np.random.default_rng(0).normal(size=(16, long, 4)).astype(np.float32)
    given = cr.tensor(x, requires_grad=True)
    cr.nn.functional.cross_entropy(model(given), cr.tensor(Y[:16])).backward()
    assert given.grad is not None
    squares = (given.grad.numpy().astype(float) ** 2).sum((0, 2))
    trainer = trained(model, (x, Y[:16]), Observe("basic", 1), epochs=1)
    seen = trainer.observations[0].layers["rnn"].through_time
    wanted = [math.sqrt(piece.mean()) for piece in np.array_split(squares, min(long, 32))]
    assert seen == pytest.approx(wanted, rel=1e-4)
    assert trainer.observations[0].layers["out"].through_time is None


def test_layers_are_named_by_their_paths_and_calls() -> None:
    model, data = built("twice")
    layers = trained(model, data, Observe("basic", 1)).observations[0].layers
    assert list(layers) == ["first", "again", "again#2", "last"]
    assert layers["again"].weight is not None
    assert layers["again#2"].weight is None
    assert layers["again#2"].backward is not None


def test_units_of_convolutions_are_channels() -> None:
    model, data = built("convolutional")
    with cr.no_grad():
        model[0].bias.assign_(np.array([0, -100, 0, 0], np.float32))
    layers = trained(model, data, Observe("basic", 1), epochs=1).observations[0].layers
    assert layers["1"].dead == pytest.approx(1 / 4)


def test_steps_are_counted_in_updates() -> None:
    model, data = built("dense")
    trainer = trained(model, data, Observe("basic", 2), accumulate=3, epochs=3)
    # Seven batches an epoch (the last is short), in groups of 3, 3 and 1: updates 0, 2, 4, ...
    assert [o.step for o in trainer.observations] == [2, 12, 16]
    assert [o.epoch for o in trainer.observations] == [0, 1, 2]


def test_callbacks_hear_of_each_observation() -> None:
    class Ear(Callback):
        def __init__(self) -> None:
            self.heard: list[Observation] = []

        def on_observation(self, observation: Observation) -> None:
            self.heard.append(observation)

    ear = Ear()
    model, data = built("dense")
    trainer = trained(model, data, Observe("basic", 3), callbacks=[ear])
    assert tuple(ear.heard) == trainer.observations


def test_short_trainings_are_not_observed_by_time() -> None:
    model, data = built("dense")
    assert trained(model, data, Observe("basic", "1h")).observations == ()


def test_long_ones_are_observed_by_time() -> None:
    model, data = built("dense")
    trainer = trained(model, data, Observe("full", "0.001s"), epochs=40)
    assert trainer.observations


def test_what_is_not_one_step_is_not_observed() -> None:
    model, data = built("twice")
    trainer = Trainer(model, "cross_entropy", optim.LBFGS(model.parameters()))
    trainer.fit(data, epochs=1, batch_size=None, verbose=False, observe=Observe("basic", 1))
    assert trainer.observations == ()

    class Own(Trainer):
        def train_step(self, *arrays: cr.Tensor) -> cr.Tensor:
            return super().train_step(*arrays)

    own = Own(model, "cross_entropy", optim.SGD(model.parameters(), lr=0.1))
    own.fit(data, epochs=1, verbose=False, observe=Observe("basic", 1))
    assert own.observations == ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("much",), "there is no level 'much' of observation"),
        (("basic", "often"), "cannot be observed every 'often'"),
        (("basic", 0), "cannot be observed every 0"),
        (("basic", -3), "cannot be observed every -3"),
        (("basic", "0s"), "cannot be observed every '0s'"),
        (("basic", True), "cannot be observed every True"),
    ],
)
def test_what_cannot_be_observed_is_said(arguments: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Observe(*arguments)
