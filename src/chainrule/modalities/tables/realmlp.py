"""RealMLP, a network for tables with tuned defaults, and as many of it as are wanted as one.

    numbers ── SmoothClip ── PeriodicEmbedding ─┐
    codes ──── embeddings ──────────────────────┴─ scale ─ (NTK layer, activation, dropout)³ ─ NTK

Holzmüller et al., 2024, "Better by default: strong pre-tuned MLPs and boosted trees on tabular
data". What it leaves out: the fall of dropout and weight decay over the second half.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy.typing as npt

from ... import nn
from ...frontend import Tensor, compile, no_grad
from ...frontend.operations.shaping import cat
from ...nn import functional as F
from ...nn.learning import Learning, LearningModule
from ...nn.members import Outputs
from ...train.batch_source import spread_rows

__all__ = ["RealMLP"]

EMBEDDING = 8
#: rows that first weights are adapted to
ADAPTED_ROWS = 1000
#: how parts of it learn, by the last or first word of their names
LEARNING: Mapping[str, Learning] = {
    "bias": Learning(0.1, 0.0), "waves": Learning(0.1), "scale": Learning(6.0),
    "activations": Learning(0.1),
}  # fmt: skip


class RealMLP(LearningModule):
    """Called as `TableNet`; ``columns`` are the places of numbers, as opposed to 0 and 1.

    In training the outputs are those of each member, (members, n, outputs); in evaluation they are
    averaged as ``kind`` asks for.
    """

    def __init__(
        self,
        numeric: int,
        columns: Sequence[int],
        cardinalities: Sequence[int],
        outputs: int,
        layers: Sequence[int],
        dropout: float,
        members: int,
        kind: Outputs,
        *,
        periodic: bool = True,
    ) -> None:
        super().__init__()
        self.numeric, self.coded = numeric, len(cardinalities)
        self.members, self.kind = members, kind
        self.clip = nn.SmoothClip(numeric, columns) if numeric else None
        width = numeric
        self.waves: nn.PeriodicEmbedding | None = None
        if periodic and columns:
            self.waves = nn.PeriodicEmbedding(members, numeric, columns)
            width = self.waves.width
        self.embeddings = nn.ModuleList(
            [nn.MemberEmbedding(members, c, EMBEDDING) for c in cardinalities]
        )
        width += EMBEDDING * self.coded
        self.scale = nn.MemberScale(members, width)
        widths = [width, *layers, outputs]
        self.layers = nn.ModuleList([nn.NTKLinear(members, a, b) for a, b in pairwise(widths)])
        function = F.mish if kind == "identity" else F.selu
        self.activations = nn.ModuleList(
            [nn.LearnedActivation(function, members, w) for w in layers]
        )
        self.dropout = nn.Dropout(dropout)

    def learning(self, name: str) -> Learning:
        """Biases, waves and activations learn slowly, the scale of the inputs fast."""
        first, last = name.partition(".")[0], name.rpartition(".")[2]
        return LEARNING.get(first, LEARNING.get(last, Learning()))

    def fit(self, numbers: npt.NDArray[Any], codes: npt.NDArray[Any]) -> None:
        """Takes center and scale of the columns from training rows, and adapts first weights to a
        few of them."""
        if self.clip is not None:
            self.clip.fit(numbers)
        chosen = spread_rows(max(len(numbers), len(codes)), ADAPTED_ROWS)
        inputs = [numbers[chosen]] if self.numeric else []
        inputs += [codes[chosen]] if self.coded else []
        mixings = [layer.draw_mixing(len(chosen)) for layer in self.layers]
        with no_grad():
            compile(self._adapt)(*inputs, *mixings)

    def _adapt(self, *arrays: Any) -> Tensor:
        """One pass in which each layer is adapted to its inputs, without dropout."""
        inputs = arrays[: -len(self.layers)]
        x = self._encoded(*inputs)
        for i, (layer, mixing) in enumerate(zip(self.layers, arrays[len(inputs) :], strict=True)):
            x = layer.adapted(x, mixing)
            x = self.activations[i](x) if i < len(self.activations) else x
        return x.mean()

    def _encoded(self, *inputs: Tensor) -> Tensor:
        """What the first layer takes, [members, n, width]."""
        parts: list[Tensor] = []
        if self.clip is not None:
            numbers = self.clip(inputs[0])
            shared = numbers.unsqueeze(0).expand(self.members, *numbers.shape)
            parts.append(shared if self.waves is None else self.waves(numbers))
        if self.coded:
            parts += [embed(inputs[-1][:, j]) for j, embed in enumerate(self.embeddings)]
        scaled: Tensor = self.scale(cat(parts, -1) if len(parts) > 1 else parts[0])
        return scaled

    def forward(self, *inputs: Tensor) -> Tensor:
        x = self._encoded(*inputs)
        for layer, activation in zip(self.layers, self.activations, strict=False):
            x = self.dropout(activation(layer(x)))
        result: Tensor = self.layers[len(self.activations)](x)
        return result if self.training else nn.average_members(result, self.kind)
