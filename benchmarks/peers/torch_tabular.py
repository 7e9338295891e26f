"""The networks for tables as PyTorch modules."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.tabular import RealMLP, TabM


def empty(*shape: int) -> nn.Parameter:
    """To be loaded."""
    return nn.Parameter(torch.zeros(*shape))


class Waves(nn.Module):
    """RealMLP."""

    def __init__(self, model: RealMLP) -> None:
        super().__init__()
        inputs, frequencies, embedded = model.inputs, model.frequencies, model.embedded
        self.frequency, self.phase = empty(inputs, 1, frequencies), empty(inputs, 1, frequencies)
        self.weight, self.bias = empty(inputs, frequencies, embedded), empty(inputs, 1, embedded)
        self.scale = empty(model.width)
        self.layers = nn.ParameterList([empty(*s) for a, b in model.pairs for s in ((a, b), (b,))])
        self.activations = nn.ParameterList([empty(width) for width in model.hidden])

    def forward(self, x: Tensor) -> Tensor:
        waves = torch.cos(x.T.unsqueeze(-1) * (2 * math.pi * self.frequency) + self.phase)
        embedded = torch.baddbmm(self.bias, waves, self.weight)
        h = torch.cat([x, embedded.transpose(0, 1).flatten(1)], 1) * self.scale
        for i in range(len(self.activations)):
            h = self.product(h, i)
            h = torch.lerp(h, F.selu(h), self.activations[i])
        return self.product(h, len(self.activations))

    def product(self, h: Tensor, i: int) -> Tensor:
        weight, bias = self.layers[2 * i], self.layers[2 * i + 1]
        return torch.addmm(bias, h, weight, alpha=weight.shape[0] ** -0.5)


class Members(nn.Module):
    """TabM; the scores of the members [rows, classes, members]."""

    def __init__(self, model: TabM) -> None:
        super().__init__()
        members = model.members
        each = [((a, b), (members, a), (members, b), (members, b)) for a, b in model.pairs]
        shapes = [shape for layer in each for shape in layer]
        last = (members, model.hidden[-1], model.outputs), (members, model.outputs)
        self.weights = nn.ParameterList([empty(*shape) for shape in (*shapes, *last)])

    def forward(self, x: Tensor) -> Tensor:
        h = x.unsqueeze(0)
        *hidden, head, last = self.weights
        for i in range(0, len(hidden), 4):
            weight, before, after, bias = hidden[i : i + 4]
            product = (h * before.unsqueeze(1)) @ weight
            h = F.relu(torch.addcmul(bias.unsqueeze(1), product, after.unsqueeze(1)))
        return torch.baddbmm(last.unsqueeze(1), h, head).permute(1, 2, 0)
