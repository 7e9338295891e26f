"""Every module of `nn`: its terms add up to what the step computed, and the finite difference of
the whole loss agrees with the gradient."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from adding import check_sums
from chainrule import nn
from chainrule.microscope import Scope

rng = np.random.default_rng(11)
Make = Callable[[], nn.Module]


def real(*shape: int) -> Any:
    return rng.normal(size=shape).astype(np.float32)


def words(*shape: int) -> Any:
    return rng.integers(0, 5, shape).astype(np.int32)


class Called(nn.Module):
    """A module with the arguments that it takes, behind a factor that learns."""

    def __init__(
        self, inner: nn.Module, *more: Any, factor: bool = True, members: str = ""
    ) -> None:
        super().__init__()
        self.inner, self.factor = inner, nn.Parameter(np.ones(1, np.float32))
        self.more, self.scaled, self.members = more, factor, members

    def forward(self, x: Any) -> Any:
        given = x * self.factor if self.scaled else x
        given = given.transpose(0, 1) if "in" in self.members else given
        y = self.inner(given, *[given if m is SAME else m for m in self.more])
        while isinstance(y, tuple):
            y = y[0]
        return (y.transpose(0, 1) if "out" in self.members else y) * self.factor


def membered(make: Make, members: str) -> Called:
    return Called(make(), members=members, factor=not members.startswith("whole"))


SAME = object()
FLAT, IMAGE, SIGNAL, STEPS = real(3, 6), real(2, 4, 5, 5), real(2, 4, 9), real(2, 5, 6)
MEMBERS = real(3, 2, 6)

#: an example of each module, with what it gets
EXAMPLES: dict[str, tuple[Make, Any]] = {
    **{
        name: (getattr(nn, name), FLAT)
        for name in (
            "ReLU", "ReLU6", "LeakyReLU", "ELU", "CELU", "SELU", "GELU", "SiLU", "Mish", "Sigmoid",
            "Tanh", "Softplus", "LogSigmoid", "Softsign", "Tanhshrink", "Hardtanh", "Hardsigmoid",
            "Hardswish", "Hardshrink", "Softshrink", "PReLU", "RReLU", "GLU", "Identity", "Flatten",
            "GaussianNoise", "DropPath", "Dropout", "AlphaDropout", "FeatureAlphaDropout",
            "GaussianDropout",
        )
    },
    **{
        name: (partial(getattr(nn, name), -1), FLAT)
        for name in ("Softmax", "LogSoftmax", "Softmin")
    },
    "Threshold": (lambda: nn.Threshold(0.1, 0.0), FLAT),
    "Linear": (lambda: nn.Linear(6, 4), FLAT),
    "Bilinear": (lambda: Called(nn.Bilinear(6, 6, 3), SAME, factor=False), FLAT),
    "Unflatten": (lambda: nn.Unflatten(1, (2, 3)), FLAT),
    "Conv1d": (lambda: nn.Conv1d(4, 4, 3, stride=2, padding=1, groups=2), SIGNAL),
    "Conv2d": (lambda: nn.Conv2d(4, 3, 3, padding=1, dilation=2), IMAGE),
    "Conv3d": (lambda: nn.Conv3d(2, 2, 2), real(1, 2, 3, 3, 3)),
    "CausalConv1d": (lambda: nn.CausalConv1d(4, 3, 3), SIGNAL),
    "ConvTranspose1d": (lambda: nn.ConvTranspose1d(4, 3, 3), SIGNAL),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(4, 2, 2, stride=2), IMAGE),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(6), FLAT),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(4), IMAGE),
    "BatchNorm3d": (lambda: nn.BatchNorm3d(2), real(2, 2, 2, 2, 2)),
    "InstanceNorm1d": (lambda: nn.InstanceNorm1d(4, affine=True), SIGNAL),
    "InstanceNorm2d": (lambda: nn.InstanceNorm2d(4), IMAGE),
    "GroupNorm": (lambda: nn.GroupNorm(2, 4), IMAGE),
    "LayerNorm": (lambda: nn.LayerNorm(6), FLAT),
    "RMSNorm": (lambda: nn.RMSNorm(6), FLAT),
    "MaxPool1d": (lambda: nn.MaxPool1d(2), SIGNAL),
    "MaxPool2d": (lambda: nn.MaxPool2d(2), IMAGE),
    "MaxPool3d": (lambda: nn.MaxPool3d(2), real(1, 2, 4, 4, 4)),
    "AvgPool1d": (lambda: nn.AvgPool1d(3), SIGNAL),
    "AvgPool2d": (lambda: nn.AvgPool2d(2), IMAGE),
    "AvgPool3d": (lambda: nn.AvgPool3d(2), real(1, 2, 4, 4, 4)),
    "AdaptiveAvgPool1d": (lambda: nn.AdaptiveAvgPool1d(3), SIGNAL),
    "AdaptiveAvgPool2d": (lambda: nn.AdaptiveAvgPool2d(1), IMAGE),
    "AdaptiveMaxPool1d": (lambda: nn.AdaptiveMaxPool1d(3), SIGNAL),
    "AdaptiveMaxPool2d": (lambda: nn.AdaptiveMaxPool2d(1), IMAGE),
    "Upsample": (lambda: nn.Upsample(scale_factor=2), IMAGE),
    "PixelShuffle": (lambda: nn.PixelShuffle(2), IMAGE),
    "ZeroPad1d": (lambda: nn.ZeroPad1d(1), SIGNAL),
    "ZeroPad2d": (lambda: nn.ZeroPad2d(1), IMAGE),
    "Dropout1d": (lambda: nn.Dropout1d(), SIGNAL),
    "Dropout2d": (lambda: nn.Dropout2d(), IMAGE),
    "Dropout3d": (lambda: nn.Dropout3d(), real(1, 2, 2, 2, 2)),
    "Embedding": (lambda: nn.Embedding(5, 3), words(2, 4)),
    "EmbeddingBag": (lambda: nn.EmbeddingBag(5, 3), words(2, 4)),
    "WordDropout": (
        lambda: nn.Sequential(nn.WordDropout(0.1, 4), nn.Embedding(5, 3)), words(2, 4),
    ),
    "RNN": (lambda: nn.RNN(6, 4, batch_first=True), STEPS),
    "LSTM": (lambda: nn.LSTM(6, 4, num_layers=2), STEPS),
    "GRU": (lambda: nn.GRU(6, 4, bidirectional=True, batch_first=True), STEPS),
    "RNNCell": (lambda: nn.RNNCell(6, 4), FLAT),
    "LSTMCell": (lambda: nn.LSTMCell(6, 4), FLAT),
    "GRUCell": (lambda: nn.GRUCell(6, 4), FLAT),
    "MultiheadAttention": (
        lambda: Called(nn.MultiheadAttention(6, 2, batch_first=True), SAME, SAME, factor=False),
        STEPS,
    ),
    "AdditiveAttention": (
        lambda: Called(nn.AdditiveAttention(6, 6, 4), SAME, factor=False), STEPS,
    ),
    "MultiplicativeAttention": (
        lambda: Called(nn.MultiplicativeAttention(6, 6), SAME, factor=False), STEPS,
    ),
    "TransformerEncoderLayer": (
        lambda: nn.TransformerEncoderLayer(6, 2, 8, batch_first=True), STEPS,
    ),
    "TransformerDecoderLayer": (
        lambda: Called(nn.TransformerDecoderLayer(6, 2, 8, batch_first=True), SAME, factor=False),
        STEPS,
    ),
    "LearnedPositions": (lambda: nn.LearnedPositions(5, 6), STEPS),
    "SinusoidalPositions": (lambda: nn.SinusoidalPositions(5, 6, batch_first=True), STEPS),
    "RotaryPositions": (lambda: nn.RotaryPositions(5, 6), STEPS),
    "TransformerEncoder": (
        lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(6, 2, 8), 1), STEPS,
    ),
    "TransformerDecoder": (
        lambda: Called(nn.TransformerDecoder(nn.TransformerDecoderLayer(6, 2, 8), 1), SAME,
                       factor=False),
        STEPS,
    ),
    "Transformer": (
        lambda: Called(nn.Transformer(6, 2, 1, 1, 8, batch_first=True), SAME, factor=False), STEPS,
    ),
    "TemporalBlock": (lambda: nn.TemporalBlock(4, 3), SIGNAL),
    "MovingAverage": (lambda: nn.MovingAverage(3), SIGNAL),
    "SeriesDecomposition": (lambda: nn.SeriesDecomposition(3), SIGNAL),
    "RevIN": (lambda: nn.RevIN(6, affine=True), STEPS),
    "MelSpectrogram": (lambda: nn.MelSpectrogram(n_fft=16, n_mels=4), real(1, 64)),
    "MFCC": (lambda: nn.MFCC(n_mfcc=3, mel=nn.MelSpectrogram(n_fft=16, n_mels=4)), real(1, 64)),
    "SpecAugment": (lambda: nn.SpecAugment(), SIGNAL),
    "SmoothClip": (lambda: nn.SmoothClip(6), FLAT),
    "PiecewiseLinear": (lambda: nn.PiecewiseLinear(6, 3), FLAT),
    **{
        name: (partial(membered, make, where), x)
        for name, make, where, x in (
            ("MemberLinear", lambda: nn.MemberLinear([nn.Linear(6, 4), nn.Linear(6, 4)]), "out",
             FLAT),
            ("MemberScale", lambda: nn.MemberScale(2, 6), "in out", MEMBERS),
            ("MemberLayerNorm", lambda: nn.MemberLayerNorm(2, 6), "in out", MEMBERS),
            ("MemberBatchNorm", lambda: nn.MemberBatchNorm(2, 6), "in out", MEMBERS),
            ("MemberEmbedding", lambda: nn.MemberEmbedding(2, 5, 3), "whole out", words(4)),
            ("BatchEnsembleLinear", lambda: nn.BatchEnsembleLinear(2, 6, 4), "out", FLAT),
            ("NTKLinear", lambda: nn.NTKLinear(2, 6, 4), "in out", MEMBERS),
            ("PeriodicEmbedding", lambda: nn.PeriodicEmbedding(2, 6, frequencies=3), "out", FLAT),
            ("LearnedActivation", lambda: nn.LearnedActivation(cr.tanh, 2, 6), "in out", MEMBERS),
        )
    },
}  # fmt: skip


def looked_at(make: Make, x: Any) -> Scope:
    module = make()
    module = module if isinstance(module, Called) else Called(module, factor=x.dtype.kind == "f")
    module.eval()
    weights = rng.normal(size=module(cr.tensor(x)).shape).astype(np.float32)

    def loss(y: cr.Tensor, t: cr.Tensor) -> cr.Tensor:
        return (y * y * weights + y * weights).mean() + 0.0 * t.sum()

    return cr.scope(module, x, np.zeros(len(x), np.float32), loss)


@pytest.mark.parametrize("name", EXAMPLES)
def test_terms_add_up_and_differences_agree(name: str) -> None:
    scope = looked_at(*EXAMPLES[name])
    calls = [c for c in scope.step.calls if c.name.startswith("inner")]
    assert calls, "the module was not heard"
    views = [view for call in calls for view in (scope.layer(call.name), scope.unit(call.name))]
    views += [scope.weight(name) for name in list(scope.step.parameters)[:4]]
    assert check_sums(views)
    assert "cannot be split" not in "\n".join(map(str, views))
    strongest = sorted(
        (p for p in scope.step.parameters.values() if p.grad is not None),
        key=lambda p: -float(np.abs(p.grad).max()),
    )
    for parameter in strongest[:3]:
        assert scope.check(parameter.name).digits >= 3, scope.check(parameter.name)
    if scope.step.inputs[0].grad is not None:
        check_sums([scope.input()])


#: losses, containers, what is no layer, and what has a test of its own elsewhere
APART = {
    "Sequential", "ModuleList", "ModuleDict", "Module",
}  # fmt: skip


def test_every_layer_has_an_example() -> None:
    kinds = {
        name for name in nn.__all__ for kind in [getattr(nn, name)]
        if isinstance(kind, type) and issubclass(kind, nn.Module) and not name.endswith("Loss")
    }  # fmt: skip
    assert kinds - set(EXAMPLES) - APART == set()
