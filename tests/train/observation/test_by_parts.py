"""Batches in parts are observed: the same bits, and the numbers of the batch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.train import Trainer
from chainrule.train.observation import Observe
from train.observation.test_observation import X, Y, built, trained

WEIGHTS = np.random.default_rng(4).uniform(0.2, 3.0, 100)


@pytest.mark.parametrize("level", ["basic", "full"])
@pytest.mark.parametrize(
    ("network", "settings"),
    [
        ("dense", {"parts": 4}),
        ("dense", {"parts": 3, "clip": {"global_norm": 0.1}}),  # the last part is larger
        ("dense", {"parts": 4, "accumulate": 3}),
        ("convolutional", {"parts": 4}),
        ("recurrent", {"parts": 2}),
    ],
    ids=["even", "uneven", "accumulated", "convolutional", "recurrent"],
)
def test_observed_trainings_have_the_same_bits(network: str, settings: Any, level: Any) -> None:
    states, losses = [], []
    for observe in ("off", Observe(level, 2)):
        model, data = built(network)
        trainer = trained(model, data, observe, **settings)
        states.append(model.state_dict())
        losses.append(trainer.history["loss"])
    assert losses[0] == losses[1]
    assert all((states[0][name] == states[1][name]).all() for name in states[0])
    assert len(trainer.observations) > 1


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["", "weighed"])
@pytest.mark.parametrize("parts", [2, 4, 3])
def test_what_is_measured_is_what_it_would_be_of_the_whole_batch(parts: int, weights: Any) -> None:
    """But for histograms of outputs, which are those of the first part."""

    def observed(count: int) -> Any:
        cr.manual_seed(1)
        model = nn.Sequential(
            nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 5), nn.Tanh(), nn.Linear(5, 3)
        )
        with cr.no_grad():
            model[0].bias.assign_(np.array([0, -100, 0, 0, -100, 0, 0, 0], np.float32))
            model[2].bias.assign_(np.array([3, 0, 0, -3, 0], np.float32))
        trainer = Trainer(
            model, "cross_entropy", optim.SGD(model.parameters(), lr=0.1), parts=count,
            clip={"global_norm": 0.01},
        )  # fmt: skip
        data = (X, Y) if weights is None else (X, Y, weights)
        trainer.fit(data, epochs=1, batch_size=16, verbose=False, observe=Observe("full", 1))
        return trainer.observations[0]

    whole, divided = observed(0), observed(parts)
    assert list(whole.layers) == list(divided.layers)
    for path, layer in whole.layers.items():
        numbers, other = layer.to_dict(), divided.layers[path].to_dict()
        assert numbers.keys() == other.keys()
        for name in numbers.keys() - {"noise", "kind", "reads"}:
            assert other[name] == pytest.approx(numbers[name], rel=2e-4, abs=1e-7), (path, name)
        found = divided.layers[path].histograms
        assert found.keys() == layer.histograms.keys()
        assert found.get("weight") == layer.histograms.get("weight")
        drawn = found["output"]
        everything = layer.histograms["output"]
        rows = -(-16 // parts)
        assert sum(drawn.counts) * 16 == sum(everything.counts) * rows
        assert everything.low - 1e-6 <= drawn.low <= drawn.high <= everything.high + 1e-6
    assert whole.layers["1"].dead == 2 / 8
    assert whole.layers["3"].saturated > 0


def test_the_noise_is_that_of_the_examples_of_each_part() -> None:
    model = nn.Linear(6, 3)
    before = model.state_dict()
    target = np.random.default_rng(2).normal(3.0, size=(16, 3)).astype(np.float32)
    trainer = Trainer(model, "mse", optim.SGD(model.parameters(), lr=0.1), parts=2)
    trainer.fit(
        (X[:16], target), epochs=1, batch_size=16, shuffle=False, verbose=False,
        observe=Observe("full", 1),
    )  # fmt: skip
    error = X[:16] @ before["weight"].T + before["bias"] - target
    inputs = np.concatenate([X[:16], np.ones((16, 1))], axis=1)
    each = np.einsum("io,ij->ioj", 2 * error / error.size, inputs)
    turned = (each * np.tile([1.0, -1.0], 8)[:, None, None]).reshape(2, 8, 3, 7).sum(1)
    noise = trainer.observations[0].layers[""].noise
    assert noise == pytest.approx(math.sqrt((turned**2).sum()), rel=1e-4)
