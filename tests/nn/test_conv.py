"""Layers for images against PyTorch's numbers, compiled; memory, errors, derivatives."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import chainrule.nn.functional as F
from chainrule import nn
from chainrule.errors import ConfigError
from chainrule.nn import models
from chainrule.runtime.processors import get_num_threads, set_num_threads
from reference.images import cotangent, described, parameters, values
from reference.problems import load

CASES: list[dict[str, Any]] = load("convolution")["cases"]
#: cases that share a program
TOGETHER = 16
GROUPS = [CASES[i : i + TOGETHER] for i in range(0, len(CASES), TOGETHER)]


def settings(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def built(case: dict[str, Any]) -> nn.Module:
    """The layer of a case with the parameters of its seed."""
    plain = {key: settings(value) for key, value in case["kwargs"].items()}
    layer: nn.Module = getattr(nn, case["name"])(*map(settings, case["args"]), **plain)
    state = layer.state_dict()
    shapes = {n: p.shape for n, p in layer.named_parameters()}
    layer.load_state_dict({**state, **parameters(case["seed"], shapes)})
    return layer


class Batch:
    """The layers of several cases, run with all gradients by one compiled function."""

    def __init__(self, cases: list[dict[str, Any]]) -> None:
        self.layers = [built(c) for c in cases]
        self.inputs = [
            cr.tensor(values(c["seed"], tuple(c["shape"]), c["kind"]), requires_grad=True)
            for c in cases
        ]
        weights = [cotangent(c["seed"], tuple(c["y"]["shape"])) for c in cases]
        weights = [w.astype(np.float32) for w in weights]

        @cr.compile(keep_grads=True)
        def run() -> list[cr.Tensor]:
            ys = [f(x) for f, x in zip(self.layers, self.inputs, strict=True)]
            total = sum((y * w).sum() for y, w in zip(ys, weights, strict=True))
            for leaf in self._leaves():
                leaf.grad = None
            total.backward()
            return ys

        self.run = run

    def _leaves(self) -> Iterator[cr.Tensor]:
        yield from self.inputs
        for layer in self.layers:
            yield from layer.parameters()

    def results(self) -> list[dict[str, Any]]:
        """For each case the result and the gradients, by name."""
        ys = self.run()
        return [
            {
                "y": y.numpy(),
                "dx": x.grad.numpy(),
                **{f"d{n}": p.grad.numpy() for n, p in layer.named_parameters()},
            }
            for layer, x, y in zip(self.layers, self.inputs, ys, strict=True)
        ]


@pytest.mark.parametrize("group", range(len(GROUPS)))
def test_compiled_layers_are_pytorchs(group: int) -> None:
    batch = Batch(GROUPS[group])
    for case, layer, found in zip(GROUPS[group], batch.layers, batch.results(), strict=True):
        assert set(found) == {k for k in case if k == "y" or k.startswith("d")}
        for name, array in found.items():
            ours, theirs = described(array), case[name]
            assert ours["shape"] == theirs["shape"], (case["name"], case["args"], name)
            # One element that is off by 1e-4 of the largest shows in one of the projections.
            scale = max(theirs["norm"], 1e-3)
            np.testing.assert_allclose(
                ours["on"], theirs["on"], rtol=0, atol=5e-7 * scale, err_msg=f"{case} {name}"
            )
        for name, theirs in case.get("running", {}).items():
            np.testing.assert_allclose(layer.state_dict()[name], theirs, rtol=1e-5, atol=1e-6)


def test_any_number_of_threads_gives_the_same_bits() -> None:
    cr.manual_seed(0)
    body = nn.Sequential(
        nn.Conv2d(3, 17, 3, padding=1), nn.BatchNorm2d(17), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(17, 17, 3, stride=2, groups=17), nn.ReLU(),
        nn.ConvTranspose2d(17, 5, 3, stride=2), nn.AvgPool2d(3, 2, 1), nn.Flatten(),
    )  # fmt: skip
    state = body.state_dict()
    x = values(1, (9, 3, 14, 13)).astype(np.float32)
    before, seen = get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            set_num_threads(threads)

            @cr.compile(keep_grads=True)
            def step(x: cr.Tensor) -> cr.Tensor:
                body.zero_grad()
                y = body(x)
                (y * y).sum().backward()
                return y

            body.load_state_dict(state)
            y = step(x).numpy()
            seen.append([y, *(p.grad.numpy() for p in body.parameters())])
    finally:
        set_num_threads(before)
    for other in seen[1:]:
        for a, b in zip(seen[0], other, strict=True):
            assert a.tobytes() == b.tobytes()


def drawn(*shape: int) -> Any:
    return values(sum(shape), shape).astype(np.float32)


@pytest.mark.parametrize(
    ("function", "shape", "weight"),
    [
        (lambda x, w: F.conv2d(x, w, None, 2, 1), (2, 3, 5, 4), (2, 3, 3, 3)),
        (lambda x, w: F.conv2d(x, w, None, 1, "same", 2).tanh(), (1, 2, 5, 4), (3, 2, 2, 3)),
        (lambda x, w: F.conv2d(x, w, None, 1, 1, 1, 4), (1, 4, 3, 4), (4, 1, 3, 3)),
        (lambda x, w: F.conv_transpose2d(x, w, None, 2, 1, 1), (1, 3, 3, 4), (3, 2, 3, 3)),
        (lambda x, w: F.max_pool2d(x * w, 3, 2, 1), (2, 2, 6, 5), (2, 2, 6, 5)),
        (lambda x, w: F.max_pool2d(x, 2) * w, (2, 2, 6, 5), (2, 2, 3, 2)),
        (lambda x, w: F.group_norm(x, 2, w), (2, 4, 3, 2), (4,)),
        (lambda x, w: F.interpolate(x, (5, 3), mode="bilinear") * w, (1, 2, 3, 4), (2, 5, 3)),
    ],
    ids=["stride", "same", "depthwise", "transposed", "max", "tiles", "group", "bilinear"],
)
def test_derivatives_of_both_orders(
    function: Callable[..., cr.Tensor], shape: tuple[int, ...], weight: tuple[int, ...]
) -> None:
    cr.check_grads(function, (drawn(*shape), drawn(*weight)), order=2)


def test_weights_lie_with_their_channels_last_and_copies_too() -> None:
    layer = nn.Conv2d(6, 5, (3, 2))
    strides = (36 * 4, 4, 12 * 4, 6 * 4)
    assert layer.weight.concrete.strides == strides
    assert copy.deepcopy(layer).weight.concrete.strides == strides
    layer.load_state_dict(nn.Conv2d(6, 5, (3, 2)).state_dict())
    assert layer.weight.concrete.strides == strides
    assert layer.weight.concrete.ctypes.data % 64 == 0
    assert layer.state_dict()["weight"].flags.c_contiguous
    opt = cr.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9)

    @cr.compile
    def step(x: cr.Tensor) -> cr.Tensor:
        opt.zero_grad()
        loss = (layer(x) ** 2).mean()
        loss.backward()
        opt.step()
        return loss

    x = drawn(4, 6, 7, 7)
    losses = [step(x).item() for _ in range(5)]
    assert losses == sorted(losses, reverse=True)
    assert layer.weight.concrete.strides == strides
    # the transposed layer's outputs are its second axis
    assert nn.ConvTranspose2d(6, 5, (3, 2)).weight.concrete.strides == (4, 36 * 4, 12 * 4, 6 * 4)


def test_first_values_are_uniform_within_the_root_of_the_fan_in() -> None:
    cr.manual_seed(0)
    layer = nn.Conv2d(16, 64, 3, groups=2)
    for array in layer.state_dict().values():
        bound = (8 * 9) ** -0.5
        assert 0.9 * bound < np.abs(array).max() <= bound
        assert abs(array.mean()) < 4 * bound / 3**0.5 / array.size**0.5


@pytest.mark.parametrize(
    ("make", "shape", "words"),
    [
        (lambda: nn.Conv2d(3, 4, 3), (2, 5, 8, 8), ["Conv2d", "5 channels", "take 3"]),
        (lambda: nn.Conv2d(3, 4, 3), (2, 8, 8, 3), ["Conv2d", "8 channels", "take 3"]),
        (lambda: nn.Conv2d(3, 4, 5), (2, 3, 4, 9), ["Conv2d", "(5, 5)", "(4, 9)", "larger"]),
        (lambda: nn.Conv2d(3, 4, 3, dilation=4), (2, 3, 8, 9), ["spans (9, 9)", "(8, 9)"]),
        (lambda: nn.Conv2d(3, 4, 5, padding=1), (1, 3, 2, 9), ["(4, 11) with its padding"]),
        (lambda: nn.Conv2d(3, 4, 3), (2, 24), ["Conv2d", "2 axes", "[batch, channels, height"]),
        (lambda: nn.Conv1d(3, 4, 3), (2, 3, 8, 8), ["Conv1d", "4 axes", "length"]),
        (lambda: nn.Conv2d(4, 6, 3, groups=4), (), ["Conv2d(4, 6)", "4 groups"]),
        (
            lambda: F.conv2d(cr.zeros(1, 4, 5, 5), cr.zeros(6, 4, 3, 3), cr.zeros(5)),
            (),
            ["(5,)", "6 output channels"],
        ),
        (lambda: nn.ConvTranspose2d(4, 6, 3), (2, 6, 5, 5), ["ConvTranspose2d", "6 channels"]),
        (lambda: nn.ConvTranspose2d(2, 2, 1, padding=2), (1, 2, 3, 3), ["leaves nothing"]),
        (lambda: nn.MaxPool2d(4), (1, 2, 3, 8), ["MaxPool2d", "(4, 4)", "(1, 2, 3, 8)"]),
        (lambda: nn.BatchNorm2d(3), (2, 4, 5, 5), ["BatchNorm2d", "4 channels", "3 features"]),
        (
            lambda: nn.BatchNorm2d(3),
            (2, 3, 5),
            ["3 axes", "[batch, 3, height, width]"],
        ),
        (lambda: nn.GroupNorm(2, 5), (), ["5 channels", "2 groups"]),
        (lambda: nn.PixelShuffle(2), (1, 6, 3, 3), ["PixelShuffle", "multiple of 4"]),
    ],
)
def test_shapes_that_do_not_fit_are_named(
    make: Callable[[], nn.Module], shape: tuple[int, ...], words: list[str]
) -> None:
    with pytest.raises(cr.ShapeError) as caught:
        make()(np.zeros(shape, np.float32))
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: nn.Conv2d(3, 4, 3, padding_mode="reflect"), "reflect"),
        (lambda: nn.Conv2d(3, 4, 3, padding="some"), "some"),
        (lambda: nn.Conv2d(3, 4, 3, padding="same", stride=2), "same"),
        (lambda: nn.Conv2d(3, 4, 3, stride=0), "stride of Conv2d is 0"),
        (lambda: nn.Conv2d(3, 4, 3.5), "kernel_size of Conv2d is 3.5"),
        (lambda: nn.Conv2d(3, 4, 3, padding=None), "padding of Conv2d is None"),
        (lambda: nn.Conv2d(3, 4, 3, groups=0), "groups of Conv2d is 0"),
        (lambda: nn.Conv2d(3, 4, 3, groups="1"), "groups of Conv2d is '1'"),
        (lambda: nn.Conv2d(0, 4, 3), "in_channels of Conv2d is 0"),
        (lambda: nn.ConvTranspose1d(3, -4, 3), "out_channels of ConvTranspose1d is -4"),
        (lambda: nn.Linear(3, 2.5), "out_features of Linear is 2.5"),
        (lambda: nn.MaxPool2d(0), "kernel_size of MaxPool2d is 0"),
        (lambda: nn.MaxPool1d(2, stride=(1, 2)), "stride of MaxPool1d is (1, 2)"),
        (lambda: nn.AvgPool2d(2, divisor_override=0), "divisor_override"),
        (lambda: nn.AdaptiveAvgPool2d(1.5), "output_size of AdaptiveAvgPool2d is 1.5"),
        (lambda: nn.BatchNorm2d(-1), "num_features of BatchNorm2d is -1"),
        (lambda: nn.BatchNorm2d(4, eps=-1.0), "eps of BatchNorm2d is -1.0"),
        (lambda: nn.BatchNorm2d(4, momentum=2.0), "momentum of BatchNorm2d is 2.0"),
        (lambda: nn.GroupNorm(2.0, 4), "num_groups of GroupNorm is 2.0"),
        (lambda: nn.PixelShuffle(0), "upscale_factor of PixelShuffle is 0"),
        (lambda: nn.ZeroPad2d((1, 2, 3)), "padding of ZeroPad2d is (1, 2, 3)"),
        (lambda: nn.Dropout2d("half"), "'half'"),
        (lambda: nn.Upsample(size=4, scale_factor=2), "both of size and scale_factor"),
        (lambda: nn.Upsample(4, mode="cubic"), "unknown interpolation mode 'cubic'"),
        (lambda: nn.Upsample(2.5)(np.zeros((1, 3, 4, 4))), "size is 2.5"),
        (lambda: F.pad(cr.zeros(1, 1, 4, 4), 3), "padding 3"),
        (lambda: models.MobileNet(width=0.01), "width of MobileNet is 0.01"),
        (lambda: models.MobileNet(depth=14), "depth of MobileNet is 14"),
        (lambda: models.ConvAutoencoder(size=30), "size of ConvAutoencoder is 30"),
        (lambda: models.ResNet((1, 1), (8,), 10), "depths (1, 1) and widths (8,)"),
        (lambda: nn.Conv2d(3, 4, (3, 3, 3)), "kernel_size"),
        (lambda: nn.ConvTranspose2d(3, 4, 3, padding="same"), "same"),
        (lambda: nn.ConvTranspose2d(3, 4, 3, output_padding=1)(np.zeros((1, 3, 4, 4))), "output"),
        (lambda: nn.MaxPool2d(2, padding=2)(np.zeros((1, 3, 4, 4))), "half the window"),
        (lambda: nn.Upsample()(np.zeros((1, 3, 4, 4))), "scale_factor"),
        (lambda: nn.Upsample(4, mode="bilinear")(np.zeros((1, 3, 4))), "bilinear"),
    ],
)
def test_settings_that_mean_nothing_are_refused(make: Callable[[], Any], word: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make()
    assert word in str(caught.value)


def test_a_wrong_setting_inside_a_model_names_the_layer_by_its_path() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Upsample(4, mode="linear"))
    with pytest.raises(ConfigError, match="Upsample `1` at"):
        model(np.zeros((1, 1, 9, 9), np.float32))


def test_numpys_whole_numbers_are_sizes() -> None:
    layer = nn.Conv2d(np.int64(2), np.int32(4), np.array([3, 1]), padding=np.int64(1))
    assert (layer.weight.shape, layer.padding) == ((4, 2, 3, 1), (1, 1))
    assert repr(layer) == "Conv2d(2, 4, kernel_size=(3, 1), stride=(1, 1), padding=(1, 1))"


def test_bytes_are_refused() -> None:
    with pytest.raises(cr.DTypeError, match="u8"):
        nn.Conv2d(1, 1, 1)(np.zeros((1, 1, 2, 2), np.uint8))


def test_an_error_inside_a_model_names_the_layer_by_its_path() -> None:
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.Sequential(nn.ReLU(), nn.Conv2d(9, 2, 3)))
    with pytest.raises(cr.ShapeError, match=r"Conv2d `1\.1`"):
        model(np.zeros((1, 1, 9, 9), np.float32))
