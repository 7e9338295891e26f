"""The network for tables: numbers and embedded categories, then an MLP.

z = [x, E_1[c_1], ..., E_k[c_k]],   h = dropout(f(norm(W h + b))) for each hidden layer,   W h + b
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from ... import nn
from ...data import Features, Preprocessor
from ...frontend import Tensor
from ...frontend.operations.shaping import cat
from .settings import ModelSettings

__all__ = ["TableNet", "build", "embedding_width", "inputs_of"]

MAX_EMBEDDING = 32

ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "elu": nn.ELU, "selu": nn.SELU, "gelu": nn.GELU,
    "silu": nn.SiLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid,
}  # fmt: skip
#: the gain that a scheme uses before an activation; those like ReLU use that of ReLU
GAIN_OF: Mapping[str, str] = {
    "leaky_relu": "leaky_relu", "selu": "linear", "tanh": "tanh", "sigmoid": "sigmoid",
}  # fmt: skip
NORMALISATIONS: Mapping[str, Callable[[int], list[nn.Module]]] = {
    "none": lambda width: [],
    "batch": lambda width: [nn.BatchNorm1d(width)],
    "layer": lambda width: [nn.LayerNorm(width)],
}


def initialise(linear: nn.Linear, init: str, activation: str) -> None:
    """Initial weights by the scheme ``init``, the bias 0; ``default`` keeps PyTorch's."""
    if init == "default":
        return
    scheme: Callable[..., object] = getattr(nn.init, f"{init}_")
    gain = GAIN_OF.get(activation, "relu")
    if init.startswith("kaiming"):
        scheme(linear.weight, nonlinearity=gain)
    elif init.startswith("lecun"):
        scheme(linear.weight)
    else:
        scheme(linear.weight, gain=nn.init.calculate_gain(gain))
    if linear.bias is not None:
        nn.init.zeros_(linear.bias)


def embedding_width(cardinality: int) -> int:
    """The width of an embedding of n categories: about 1.6 n^0.56, from 2 to 32."""
    return min(MAX_EMBEDDING, max(2, round(1.6 * math.pow(cardinality, 0.56))))


class TableNet(nn.Module):
    """``numeric`` numbers and one embedding for each of ``cardinalities``; ``outputs`` outputs.

    Called with the numbers (n, numeric) float32 and the codes (n, k) int32, in this order, without
    the one that the table does not have.
    """

    def __init__(
        self,
        numeric: int,
        cardinalities: Sequence[int],
        outputs: int,
        layers: Sequence[int],
        dropout: float,
        activation: str = "relu",
        init: str = "default",
        normalisation: str = "none",
    ) -> None:
        super().__init__()
        self.numeric, self.coded = numeric, len(cardinalities)
        widths = [embedding_width(c) for c in cardinalities]
        self.embeddings = nn.ModuleList(
            [nn.Embedding(c, w) for c, w in zip(cardinalities, widths, strict=True)]
        )
        parts: list[nn.Module] = []
        width = numeric + sum(widths)
        for hidden in layers:
            linear = nn.Linear(width, hidden)
            initialise(linear, init, activation)
            parts += [linear, *NORMALISATIONS[normalisation](hidden), ACTIVATIONS[activation]()]
            # SELU preserves mean and variance only if dropout does (Klambauer et al. 2017).
            dropout_class = nn.AlphaDropout if activation == "selu" else nn.Dropout
            parts += [dropout_class(dropout)] if dropout else []
            width = hidden
        self.body = nn.Sequential(*parts, nn.Linear(width, outputs))

    def forward(self, *inputs: Tensor) -> Tensor:
        parts = [inputs[0]] if self.numeric else []
        if self.coded:
            codes = inputs[-1]
            parts += [embed(codes[:, j]) for j, embed in enumerate(self.embeddings)]
        result: Tensor = self.body(cat(parts, 1) if len(parts) > 1 else parts[0])
        return result


def build(preprocessor: Preprocessor, outputs: int, settings: ModelSettings) -> TableNet:
    """The network for the output of ``preprocessor``."""
    return TableNet(
        len(preprocessor.names), preprocessor.cardinalities, outputs, settings.widths,
        settings.dropout_rate, settings.activation, settings.init, settings.normalisation,
    )  # fmt: skip


def inputs_of(features: Features) -> tuple[object, ...]:
    """The arguments of `TableNet` for these rows."""
    parts: list[object] = [features.numeric] if features.names else []
    return (*parts, features.codes) if features.code_names else tuple(parts)
