"""What is left of a network's layers in a program that only predicts."""

from __future__ import annotations

from math import prod

import numpy as np

import chainrule as cr
import chainrule.nn.functional as F
from chainrule import nn
from chainrule.frontend.compiled import CompiledFunction
from chainrule.passes import optimize
from chainrule.schedule import InputLayout, schedule
from chainrule.schedule.nest import Apply, Nest, Product, walk


def nests(function: CompiledFunction[..., cr.Tensor], x: np.ndarray) -> list[Nest]:
    program = schedule(optimize(function.trace(x).graph), InputLayout())
    return [task.nest for phase in program.phases for task in phase]


def operations(nest: Nest) -> set[str]:
    """Names of the scalar operations of a nest."""
    found = walk([*(s.value for s in nest.stores), *nest.inside])
    return {e.op for e in found if isinstance(e, Apply)}


def test_batch_norm_and_relu_are_the_end_of_the_convolution() -> None:
    """No nest of its own walks over the images; roots and divisions are one for each channel."""
    generator = np.random.default_rng(0)
    model = nn.Sequential(
        *(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()),
        *(nn.Conv2d(8, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()),
    ).eval()
    for name, buffer in model.named_buffers():
        if "running" in name:
            buffer.copy_(generator.uniform(0.5, 2.0, buffer.shape).astype(np.float32))

    @cr.compile
    def predict(x: cr.Tensor) -> cr.Tensor:
        with cr.no_grad():
            return model(x)

    x = generator.standard_normal((4, 3, 32, 32)).astype(np.float32)
    found = nests(predict, x)
    products = [n for n in found if isinstance(n.source, Product)]
    others = [n for n in found if n not in products]
    assert len(products) == 2
    assert all(operations(n) == {"sub", "mul", "add", "le", "select"} for n in products)
    folded = [n for n in others if operations(n)]
    assert sorted(prod(n.dims) for n in folded) == [8, 16]
    assert all(operations(n) == {"add", "sqrt", "div", "mul"} for n in folded)
    # what remains is copied: the image beside its zeros, and the kernels in the order of the sum
    assert sorted(prod(n.dims) for n in others if n not in folded) == [216, 1152, 12288]
    np.testing.assert_allclose(predict(x).numpy(), by_hand(model, x), rtol=2e-5, atol=2e-6)


def by_hand(model: nn.Sequential, x: np.ndarray) -> np.ndarray:
    """The same in float64, one layer after another."""
    y = x.astype(np.float64)
    for conv, norm in ((model[0], model[1]), (model[3], model[4])):
        images = np.pad(y, ((0, 0), (0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(images, (3, 3), (2, 3))
        y = np.einsum("nchwij,ocij->nohw", windows, conv.weight.numpy().astype(np.float64))
        mean, variance = norm.running_mean.numpy(), norm.running_var.numpy().astype(np.float64)
        scale = norm.weight.numpy() / np.sqrt(variance + norm.eps)
        y = (y - mean[:, None, None]) * scale[:, None, None] + norm.bias.numpy()[:, None, None]
        y = np.maximum(y, 0.0)
    return y


def test_max_pooling_asks_for_places_only_where_a_gradient_goes_there() -> None:
    x = np.random.default_rng(1).integers(-3, 3, (2, 4, 9, 8)).astype(np.float32)
    x[0, 0, 2, 2] = np.nan
    x[1, 1, :2, :2] = -np.inf
    for kernel, stride, padding in ((2, 2, 0), (3, 2, 1), (3, 1, 0)):

        @cr.compile
        def predict(x: cr.Tensor) -> cr.Tensor:
            return F.max_pool2d(x, kernel, stride, padding)  # noqa: B023 (called in this turn)

        learned = cr.tensor(x, requires_grad=True)
        want = F.max_pool2d(learned, kernel, stride, padding).numpy()
        np.testing.assert_array_equal(predict(x).numpy(), want)
        assert "max" in set().union(*map(operations, nests(predict, x)))
        assert not any("eq" in operations(n) for n in nests(predict, x))
