"""The networks for tables in Chainrule, of the layers that its presets are made of."""

from __future__ import annotations

from typing import Any

from benchmarks.tabular import RealMLP, TabM
from chainrule import nn
from chainrule.nn import functional as F


class Waves(nn.Module):
    """RealMLP with one member."""

    def __init__(self, model: RealMLP) -> None:
        super().__init__()
        self.waves = nn.PeriodicEmbedding(
            1, model.inputs, frequencies=model.frequencies, embedded=model.embedded
        )
        self.scale = nn.MemberScale(1, model.width)
        self.layers = nn.ModuleList([nn.NTKLinear(1, a, b) for a, b in model.pairs])
        self.activations = nn.ModuleList(
            [nn.LearnedActivation(F.selu, 1, width) for width in model.hidden]
        )

    def forward(self, x: Any) -> Any:
        x = self.scale(self.waves(x))
        for layer, activation in zip(self.layers, self.activations, strict=False):
            x = activation(layer(x))
        return self.layers[len(self.activations)](x)[0]


class Members(nn.Module):
    """TabM; the scores of the members [rows, classes, members]."""

    def __init__(self, model: TabM) -> None:
        super().__init__()
        self.hidden = nn.ModuleList(
            [nn.BatchEnsembleLinear(model.members, a, b) for a, b in model.pairs]
        )
        self.heads = nn.MemberLinear.drawn(model.members, model.hidden[-1], model.outputs)

    def forward(self, x: Any) -> Any:
        for layer in self.hidden:
            x = F.relu(layer(x))
        return self.heads(x).permute(1, 2, 0)
