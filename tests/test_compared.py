"""The first step of a program against the interpreter: every model, and programs that are wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.compared import ComparedProgram, compare
from chainrule.driver import load
from chainrule.errors import VerifyError
from chainrule.nn import functional as F
from chainrule.nn import models
from chainrule.nn.models import bc_resnet
from chainrule.schedule import fuse, lower
from chainrule.train.examples import Examples
from chainrule.train.loop import LoopStepper
from test_fuzz import any_writer


@pytest.fixture(autouse=True)
def _compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_COMPARE", "1")
    monkeypatch.setenv("CHAINRULE_CACHE", "0")


def short_bc_resnet() -> nn.Module:
    """All kinds of blocks, but only one kind of them twice."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bc_resnet, "BLOCKS", (1, 2, 1, 1))
        return models.BCResNet(num_classes=5)


#: Each with its own blocks, but narrow and short where it is large.
MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "LeNet5": (models.LeNet5, (2, 1, 28, 28)),
    "ConvAutoencoder": (models.ConvAutoencoder, (2, 1, 28, 28)),
    "MobileNet": (lambda: models.MobileNet(5, width=0.25, depth=6), (4, 3, 32, 32)),
    "resnet20": (lambda: models.ResNet((1, 2, 1), (16, 32, 64), 10), (2, 3, 16, 16)),
    "resnet18": (lambda: models.ResNet((2, 1, 1, 1), (16, 32, 48, 64), 5, stem=7), (4, 3, 32, 32)),
    "vgg_small": (models.vgg_small, (2, 3, 32, 32)),
    "vgg11": (lambda: models.VGG([(16,), (32,), (64, 64), (96,), (128,)], 5), (1, 3, 32, 32)),
    "DSCNN": (lambda: models.DSCNN(num_classes=5, width=16), (6, 1, 40, 49)),
    "ConvGRU": (lambda: models.ConvGRU(num_classes=5, hidden=8), (6, 1, 40, 16)),
    "BCResNet": (short_bc_resnet, (6, 1, 40, 16)),
    "GPT": (lambda: models.GPT(19, context=12, width=16, layers=2, heads=2), (4, 12)),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_model_learns_what_the_interpreter_says(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values and gradients; these are large enough for a thousandth of them to count."""
    monkeypatch.delenv("CHAINRULE_CACHE")  # nothing is broken here
    make, shape = MODELS[name]
    cr.manual_seed(0)
    model = make()
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape, np.float32)
    if name == "GPT":
        x = rng.integers(0, 19, shape, np.int32)

    @cr.compile
    def step(x: cr.Tensor) -> list[cr.Tensor]:
        model.zero_grad()
        y = model(x)
        (y * y).sum().backward()
        return [y, *(p.grad * 100.0 for p in model.parameters())]

    slopes = [np.abs(g.numpy()).max() for g in step(x)[1:]]
    assert sum(slope > 0.01 for slope in slopes) > 0.7 * len(
        slopes
    )  # biases before norms have none


def test_every_model_is_compared() -> None:
    families = {
        "BasicBlock": "resnet20",
        "ResNet": "resnet20",
        "VGG": "vgg11",
        "GPTState": "GPT",
    }
    for name in models.__all__:
        assert families.get(name, name) in MODELS


def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs are compiled with the mistake that fusion once made."""
    monkeypatch.setattr(fuse, "_maker", any_writer)
    monkeypatch.setattr(lower, "_check_loads", lambda nest, cluster, plan: None)
    monkeypatch.setenv("CHAINRULE_VERIFY", "0")


def shifted(x: cr.Tensor) -> list[cr.Tensor]:
    return [x * 2.0, F.pad(x, (1, -1))]


def test_a_wrong_program_is_refused_at_its_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.arange(1, 8, dtype=np.float32)
    np.testing.assert_array_equal(cr.compile(shifted)(x)[1], [0, 1, 2, 3, 4, 5, 6])
    broken(monkeypatch)
    with pytest.raises(VerifyError, match="result 1 is off by"):
        cr.compile(shifted)(x)


def test_a_loop_of_steps_is_compared_and_goes_on_as_it_would(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def trained(compared: str) -> Any:
        monkeypatch.setenv("CHAINRULE_COMPARE", compared)
        cr.manual_seed(3)
        layer = nn.Linear(4, 1)
        opt = optim.Adam(layer.parameters(), lr=0.1)

        def step(x: cr.Tensor) -> cr.Tensor:
            opt.zero_grad()
            loss = layer(x).square().mean()
            loss.backward()
            opt.step()
            return loss

        x = np.random.default_rng(1).standard_normal((12, 4), np.float32)
        rows = np.arange(12, dtype=np.int32).reshape(3, 4)
        stepper = LoopStepper(step)
        losses = stepper.run(Examples((x,)), rows)
        assert isinstance(stepper.program(Examples((x,)), 4), ComparedProgram) == (compared == "1")
        return losses, layer.weight.numpy().copy()

    for plain, compared in zip(trained("0"), trained("1"), strict=True):
        np.testing.assert_array_equal(plain, compared)


@pytest.mark.parametrize("wrong", [1.001, np.nan, np.inf])
def test_values_that_are_off_are_named(wrong: float) -> None:
    graph = cr.compile(lambda x: [x * 2.0, x > 0]).trace(np.ones(3, np.float32)).graph
    x = np.array([1.0, -2.0, 0.5], np.float32)
    compare(graph, [x], [x * 2, x > 0], ["twice", "sign"])
    with pytest.raises(VerifyError, match="twice is off by"):
        compare(graph, [x], [x * 2 * wrong, x > 0], ["twice", "sign"])
    with pytest.raises(VerifyError, match="sign differs from what"):
        compare(graph, [x], [x * 2, x < 0], ["twice", "sign"])


def test_what_rounding_explains_is_right() -> None:
    """The sign of a difference that is nothing but rounding may be either."""
    graph = (
        cr.compile(lambda x: x / (x.square() + 1e-20).sqrt()).trace(np.ones(2, np.float32)).graph
    )
    difference = np.array([0.1, 0.2], np.float32) * 3 - np.array([0.3, 0.6], np.float32)
    compare(graph, [difference], [np.sign(difference)], ["sign"])


def test_infinities_that_both_give_are_equal() -> None:
    graph = cr.compile(lambda x: 1.0 / x).trace(np.ones(4, np.float32)).graph
    x = np.array([0.0, -0.0, np.nan, 3.0], np.float32)
    with np.errstate(divide="ignore"):
        compare(graph, [x], [1 / x], ["inverse"])


@pytest.mark.filterwarnings("error")
def test_an_infinite_value_stays_as_it_is_when_values_move() -> None:
    """A best loss that is still infinite: with a rounding taken away it would be NaN."""
    graph = cr.compile(lambda x, y: x.minimum(y)).trace(*[np.ones(8, np.float32)] * 2).graph
    x, y = np.full(8, np.inf, np.float32), np.arange(8, dtype=np.float32)
    compare(graph, [x, y], [y], ["best"])


def test_without_the_switch_nothing_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHAINRULE_COMPARE")
    graph = cr.compile(shifted).trace(np.ones(3, np.float32)).graph
    assert type(load(graph, [])).__name__ == "NativeProgram"
