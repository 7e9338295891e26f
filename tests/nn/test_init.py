"""Initial values: bounds and deviations of PyTorch's, drawn reproducibly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import ConfigError
from chainrule.nn import init
from reference.problems import load

REFERENCE = load("initializers")


def close(array: np.ndarray[Any, Any], stats: dict[str, Any]) -> None:
    """Means within five standard errors, deviations within 5 %, extremes alike."""
    spread = stats["std"]
    error = 5 * spread * (2 / array.size) ** 0.5 + 1e-12
    assert abs(array.mean() - stats["mean"]) <= error
    assert array.std() == pytest.approx(spread, rel=max(0.05, 4 / array.size**0.5))
    if array.size > 10_000:
        width = stats["max"] - stats["min"]
        assert array.min() == pytest.approx(stats["min"], abs=0.15 * width + 1e-12)
        assert array.max() == pytest.approx(stats["max"], abs=0.15 * width + 1e-12)


@pytest.mark.parametrize("case", REFERENCE["cases"], ids=lambda c: c["name"])
def test_distribution(case: dict[str, Any]) -> None:
    cr.manual_seed(1)
    tensor = getattr(init, case["name"])(cr.zeros(*case["shape"]), **case["kwargs"])
    array = tensor.numpy()
    close(array, case)
    if case["name"] == "sparse_":
        zeros = sorted({int(n) for n in (array == 0).sum(0)})
        assert zeros == case["zeros"]


@pytest.mark.parametrize("case", REFERENCE["defaults"], ids=lambda c: c["name"])
def test_default_of_each_layer(case: dict[str, Any]) -> None:
    cr.manual_seed(2)
    kwargs = case.get("kwargs", {})
    state = getattr(nn, case["name"])(*case["args"], **kwargs).state_dict()
    assert set(state) - {"num_batches_tracked"} == set(case["state"])
    for name, stats in case["state"].items():
        assert list(state[name].shape) == stats["shape"]
        close(state[name].astype(np.float64), stats)


def test_gains_and_fans() -> None:
    for name, gain in REFERENCE["gains"].items():
        kind, _, slope = name.partition(" ")
        assert init.calculate_gain(kind, float(slope) if slope else None) == pytest.approx(gain)
    for case in REFERENCE["fans"]:
        fans = init.fan_in_and_fan_out(cr.zeros(*case["shape"]))
        assert fans == (case["fan_in"], case["fan_out"])


def test_orthogonal_rows() -> None:
    q = init.orthogonal_(cr.zeros(5, 8)).numpy()
    np.testing.assert_allclose(q @ q.T, np.eye(5), atol=1e-6)


def test_same_seed_same_values() -> None:
    def first() -> np.ndarray[Any, Any]:
        cr.manual_seed(7)
        return nn.Linear(30, 20).state_dict()["weight"]

    a, b = first(), first()
    assert (a == b).all()
    cr.manual_seed(8)
    assert (nn.Linear(30, 20).state_dict()["weight"] != a).any()


def test_lecun() -> None:
    values = init.lecun_normal_(cr.zeros(200, 400)).numpy()
    assert values.std() == pytest.approx(0.05, rel=0.02)
    assert np.abs(init.lecun_uniform_(cr.zeros(200, 400)).numpy()).max() <= (3 / 400) ** 0.5


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Embedding(9, 200), nn.Linear(200, 300), nn.LayerNorm(300), nn.Linear(300, 100)
    )


@pytest.mark.parametrize(
    ("scheme", "settings", "deviation"),
    [
        ("he_normal", {}, (2 / 200) ** 0.5),
        ("kaiming_uniform", {"mode": "fan_out"}, (2 / 300) ** 0.5),
        ("he_normal", {"nonlinearity": "leaky_relu", "param": 0.5}, (2 / 1.25 / 200) ** 0.5),
        ("glorot_uniform", {"nonlinearity": "tanh"}, 5 / 3 * (2 / 500) ** 0.5),
        ("xavier_normal", {"gain": 3.0}, 3 * (2 / 500) ** 0.5),
        ("lecun_normal", {"nonlinearity": "selu"}, (1 / 200) ** 0.5),
        ("lecun_uniform", {}, (1 / 200) ** 0.5),
        ("orthogonal", {"nonlinearity": "linear"}, (1 / 300) ** 0.5),
        ("trunc_normal", {"std": 0.1}, 0.1),
        ("sparse", {"sparsity": 0.75, "std": 0.2}, 0.1),
        ("normal", {"std": 0.3}, 0.3),
        ("zeros", {}, 0.0),
    ],
)
def test_a_whole_model(scheme: str, settings: dict[str, Any], deviation: float) -> None:
    cr.manual_seed(3)
    model = network()
    before = model.state_dict()
    init.apply(model, scheme, **settings)
    after = model.state_dict()
    assert after["1.weight"].std() == pytest.approx(deviation, rel=0.02)
    assert (after["1.weight"] != before["1.weight"]).all()
    for name in ("1.bias", "3.bias"):
        assert (after[name] == 0).all()
    for name in ("0.weight", "2.weight", "2.bias"):
        np.testing.assert_array_equal(after[name], before[name])


def test_biases_may_stay() -> None:
    model = network()
    before = model.state_dict()["1.bias"]
    init.apply(model, "he_normal", bias=None)
    np.testing.assert_array_equal(model.state_dict()["1.bias"], before)
    init.apply(model, "he_normal", bias=0.5)
    assert (model.state_dict()["3.bias"] == 0.5).all()


@pytest.mark.parametrize(
    ("args", "options", "message"),
    [
        (("he_norml",), {}, "did you mean 'he_normal'"),
        (("glorot_normal", "leaky_rel"), {}, "did you mean 'leaky_relu'"),
        (("sparse",), {}, "needs the option 'sparsity'"),
        (("orthogonal",), {"gian": 1.0}, "did you mean 'gain'"),
    ],
)
def test_names_that_cannot_be(args: tuple[Any, ...], options: dict[str, Any], message: str) -> None:
    model = network()
    before = model.state_dict()["1.weight"]
    with pytest.raises(ConfigError, match=message):
        init.apply(model, *args, **options)
    np.testing.assert_array_equal(model.state_dict()["1.weight"], before)


def test_truncated_normal_far_from_its_mean_stays_inside() -> None:
    values = init.trunc_normal_(cr.zeros(300, 300), 0.0, 1.0, 1.0, 2.0).numpy()
    assert (values.min(), values.max()) == (
        pytest.approx(1.0, abs=1e-3),
        pytest.approx(2.0, abs=0.01),
    )
    assert values.mean() == pytest.approx(1.3827, abs=0.002)  # (φ(1) - φ(2)) / (Φ(2) - Φ(1))


@pytest.mark.parametrize(
    "fill",
    [
        lambda t: init.uniform_(t, 1.0, 0.0),
        lambda t: init.normal_(t, 0.0, -1.0),
        lambda t: init.trunc_normal_(t, a=2.0, b=-2.0),
        lambda t: init.trunc_normal_(t, std=0.0),
        lambda t: init.sparse_(t, 1.5),
    ],
)
def test_settings_that_no_distribution_has(fill: Any) -> None:
    with pytest.raises(cr.ConfigError):
        fill(cr.zeros(3, 4))


def test_what_is_about_to_be_loaded_is_not_drawn() -> None:
    cr.manual_seed(3)
    with init.spared():
        layer = nn.MultiheadAttention(8, 2)
    assert not any(p.numpy().any() for p in layer.parameters())
    after = nn.Linear(4, 4).weight.numpy()
    cr.manual_seed(3)
    np.testing.assert_array_equal(after, nn.Linear(4, 4).weight.numpy())
