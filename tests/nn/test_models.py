"""The model zoo: sizes known from the papers, and steps that go downhill.

Steps are interpreted: `tests/test_compared.py` compares the native code of each model with that.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

import chainrule as cr
import chainrule.nn.functional as F
from chainrule import nn, optim
from chainrule.frontend.interpreted import interpreter_backend
from chainrule.nn import models


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def test_numbers_of_weights() -> None:
    assert count(models.LeNet5()) == 61_706
    assert count(models.resnet20()) == 272_474
    assert count(models.MobileNet()) == 4_231_976
    assert count(models.MobileNet(width=0.25)) == 470_072
    assert count(models.vgg11()) == 9_231_114
    assert count(models.BCResNet()) == 9_232  # the paper: 9.2 k
    assert count(models.BCResNet(width=8)) == 321_068  # 321 k
    assert count(models.DSCNN(10)) == 23_050
    gru = 2 * 3 * 64 * (320 + 64 + 2)
    assert count(models.ConvGRU(10)) == 144 + 32 + gru + 1290
    widths = [3, 32, 32, 64, 64, 128, 128]
    convolutions = sum((9 * a + 1) * b + 2 * b for a, b in pairwise(widths))
    block = 12 * 128**2 + 13 * 128
    assert count(models.GPT(65)) == (65 + 64) * 128 + 4 * block + 2 * 128 == 809_856
    assert count(models.GPT(65, bias=False, tied=False)) == 809_856 - 4 * 1280 - 5 * 128 + 65 * 128
    assert count(models.vgg_small()) == convolutions + 129 * 10 == 289_194


def test_resnet18_has_the_names_and_shapes_that_trained_weights_come_with() -> None:
    state = models.resnet18().state_dict()
    learned = {k: v for k, v in state.items() if "running" not in k and "num_batches" not in k}
    assert sum(v.size for v in learned.values()) == 11_689_512
    assert len(state) == 122
    assert state["conv1.weight"].shape == (64, 3, 7, 7)
    assert state["layer2.0.downsample.0.weight"].shape == (128, 64, 1, 1)
    assert state["layer4.1.bn2.running_var"].shape == (512,)
    assert state["fc.weight"].shape == (1000, 512)
    assert "layer1.0.downsample.0.weight" not in state
    spread = state["layer3.0.conv2.weight"].std()
    assert spread == pytest.approx((2 / (9 * 256)) ** 0.5, rel=0.01)


MODELS: list[tuple[str, Callable[[], nn.Module], tuple[int, ...]]] = [
    ("lenet", models.LeNet5, (8, 1, 28, 28)),
    ("vgg", models.vgg_small, (4, 3, 16, 16)),
    ("resnet20", models.resnet20, (4, 3, 16, 16)),
    ("resnet", lambda: models.ResNet((1, 1), (8, 16), 10, stem=7), (4, 3, 33, 35)),
    ("mobilenet", lambda: models.MobileNet(10, width=0.25, depth=5, stride=1), (4, 3, 16, 16)),
    ("convgru", lambda: models.ConvGRU(10, 12, 8, 2, 0.0), (4, 1, 12, 15)),
    ("dscnn", lambda: models.DSCNN(10, width=16, depth=2), (4, 1, 20, 31)),
]


@pytest.mark.parametrize(("name", "make", "shape"), MODELS, ids=[m[0] for m in MODELS])
def test_a_step_lowers_the_loss(
    name: str, make: Callable[[], nn.Module], shape: tuple[int, ...]
) -> None:
    cr.manual_seed(0)
    model = make()
    opt = optim.SGD(model.parameters(), lr=0.02)
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(np.float32)
    y = rng.integers(0, 10, len(x)).astype(np.int32)

    @cr.compile(backend=interpreter_backend)
    def step(x: cr.Tensor, y: cr.Tensor) -> cr.Tensor:
        opt.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        opt.step()
        return loss

    before, after = step(x, y).item(), step(x, y).item()
    assert after < before
    logits = model.eval()(x)
    assert logits.shape == (len(x), 10)
    assert np.isfinite(logits.numpy()).all()


def test_the_autoencoder_learns_to_draw_what_it_sees() -> None:
    cr.manual_seed(0)
    model = models.ConvAutoencoder(code=8)
    opt = optim.Adam(model.parameters(), lr=2e-3)
    rows, columns = np.mgrid[:28, :28]
    x = np.stack([np.hypot(rows - a, columns - b) < 6 for a in (8, 19) for b in (8, 19)])
    x = x[:, None].astype(np.float32)

    @cr.compile
    def step(x: cr.Tensor) -> cr.Tensor:
        opt.zero_grad()
        loss = F.binary_cross_entropy_with_logits(model(x), x)
        loss.backward()
        opt.step()
        return loss

    losses = [step(x).item() for _ in range(80)]
    assert losses[1] < losses[0]
    assert losses[-1] < 0.3 * losses[0]
    drawn = model(x)
    assert drawn.shape == x.shape
    assert ((drawn.numpy() > 0) == (x > 0.5)).mean() > 0.95


def test_bc_resnet_reaches_all_weights() -> None:
    cr.manual_seed(0)
    model = models.BCResNet(3, width=0.5)
    x = np.random.default_rng(0).standard_normal((2, 1, 40, 9)).astype(np.float32)
    loss = F.cross_entropy(model(cr.tensor(x)), cr.tensor(np.array([0, 2], np.int32)))
    loss.backward()
    assert all(np.abs(p.grad.numpy()).max() > 0 for p in model.parameters())
