"""The network for tables: numbers and embedded categories, then an MLP, or several as one.

z = [x, E_1[c_1], ..., E_k[c_k]],   h = dropout(f(norm(W h + b))) for each hidden layer,   W h + b
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy.typing as npt

from ... import nn
from ...data import Features, PreparedRows, Preprocessor
from ...data.tables.encode import CategoryEncoder, NumberEncoder, TextEncoder
from ...frontend import Tensor
from ...frontend.operations.shaping import cat
from ...nn.members import Outputs
from ...train.batch_source import spread_rows
from .realmlp import RealMLP
from .settings import ModelSettings

__all__ = ["TableNet", "build", "embedding_width", "inputs_of", "products_of"]

Encoding: TypeAlias = nn.PiecewiseLinear | nn.PeriodicEmbedding

MAX_EMBEDDING = 32
MOST_ROWS = 100_000

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
#: the same for as many networks at once
MEMBER_NORMALISATIONS: Mapping[str, Callable[[int, int], list[nn.Module]]] = {
    "none": lambda members, width: [],
    "batch": lambda members, width: [nn.MemberBatchNorm(members, width)],
    "layer": lambda members, width: [nn.MemberLayerNorm(members, width)],
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
    the one that the table does not have. ``encoding`` is what becomes of the numbers first.

    With more than one of ``members`` it is as many networks that differ in first weights and
    dropout alone; if they are ``alike`` they share all weights but scales, as in TabM (see
    `nn.BatchEnsembleLinear`), and the last layer is each one's own. In training the outputs are
    then those of each, (members, n, outputs), as `nn.EnsembleLoss` takes them; in evaluation they
    are averaged as their ``kind`` asks for.
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
        *,
        encoding: Encoding | None = None,
        members: int = 1,
        alike: bool = False,
        kind: Outputs = "identity",
    ) -> None:
        super().__init__()
        self.numeric, self.coded = numeric, len(cardinalities)
        self.members, self.alike, self.kind = members, alike, kind
        self.together = members > 1 or alike
        self.encoding: Encoding | None = encoding
        widths = [embedding_width(c) for c in cardinalities]
        self.embeddings = nn.ModuleList(
            [self._embedding(c, w) for c, w in zip(cardinalities, widths, strict=True)]
        )
        parts: list[nn.Module] = []
        width = (numeric if encoding is None else encoding.width) + sum(widths)
        for i, hidden in enumerate(layers):
            start: nn.FirstScales = "ones" if i else "signs" if encoding is None else "normal"
            parts += [self._hidden(width, hidden, init, activation, start)]
            parts += [*self._norm(normalisation, hidden), ACTIVATIONS[activation]()]
            # SELU preserves mean and variance only if dropout does (Klambauer et al. 2017).
            dropout_class = nn.AlphaDropout if activation == "selu" else nn.Dropout
            parts += [dropout_class(dropout)] if dropout else []
            width = hidden
        self.body = nn.Sequential(*parts, self._last(width, outputs))

    def _embedding(self, categories: int, width: int) -> nn.Module:
        if self.together and not self.alike:
            return nn.MemberEmbedding(self.members, categories, width)
        return nn.Embedding(categories, width)

    def _hidden(
        self, width: int, outputs: int, init: str, activation: str, start: nn.FirstScales
    ) -> nn.Module:
        """A hidden layer of all members."""
        if self.alike:
            return nn.BatchEnsembleLinear(self.members, width, outputs, start)
        layers = [nn.Linear(width, outputs) for _ in range(self.members)]
        for layer in layers:
            initialise(layer, init, activation)
        return nn.MemberLinear(layers) if self.together else layers[0]

    def _last(self, width: int, outputs: int) -> nn.Module:
        layers = [nn.Linear(width, outputs) for _ in range(self.members)]
        return nn.MemberLinear(layers) if self.together else layers[0]

    def _norm(self, name: str, width: int) -> list[nn.Module]:
        if self.together:
            return MEMBER_NORMALISATIONS[name](self.members, width)
        return NORMALISATIONS[name](width)

    def fit(self, numbers: npt.NDArray[Any], codes: npt.NDArray[Any]) -> None:
        """Takes from training rows what is not learned step by step."""
        if isinstance(self.encoding, nn.PiecewiseLinear):
            self.encoding.fit(numbers)

    def forward(self, *inputs: Tensor) -> Tensor:
        parts = [self._numbers(inputs[0])] if self.numeric else []
        if self.coded:
            codes = inputs[-1]
            parts += [embed(codes[:, j]) for j, embed in enumerate(self.embeddings)]
        if len({part.ndim for part in parts}) > 1:
            parts = [self._of_each(part) for part in parts]
        result: Tensor = self.body(cat(parts, -1) if len(parts) > 1 else parts[0])
        averaged = self.together and not self.training
        return nn.average_members(result, self.kind) if averaged else result

    def _of_each(self, part: Tensor) -> Tensor:
        """What all members share, once for each."""
        shared = part.ndim == 2
        return part.unsqueeze(0).expand(self.members, *part.shape) if shared else part

    def _numbers(self, numbers: Tensor) -> Tensor:
        if self.encoding is None:
            return numbers
        encoded: Tensor = self.encoding(numbers)
        return encoded[0] if encoded.ndim == 3 and encoded.shape[0] == 1 else encoded


def build(
    preprocessor: Preprocessor, outputs: int, settings: ModelSettings, kind: Outputs
) -> TableNet | RealMLP:
    """The network for the output of ``preprocessor``."""
    if settings.network == "realmlp":
        return RealMLP(
            len(preprocessor.names), number_places(preprocessor), preprocessor.cardinalities,
            outputs, settings.widths, settings.dropout_rate, settings.members, kind,
            periodic=settings.numbers == "periodic",
        )  # fmt: skip
    return TableNet(
        len(preprocessor.names), preprocessor.cardinalities, outputs, settings.widths,
        settings.dropout_rate, settings.activation, settings.init, settings.normalisation,
        encoding=_encoding(preprocessor, settings), members=settings.members,
        alike=settings.network == "tabm", kind=kind,
    )  # fmt: skip


def _encoding(preprocessor: Preprocessor, settings: ModelSettings) -> Encoding | None:
    """What becomes of the numbers before the first layer; None if they stay as they are."""
    columns, numeric = number_places(preprocessor), len(preprocessor.names)
    if settings.numbers == "plain" or not columns:
        return None
    if settings.numbers == "piecewise":
        return nn.PiecewiseLinear(numeric, settings.intervals, columns)
    members = settings.members if settings.network == "mlp" else 1
    return nn.PeriodicEmbedding(members, numeric, columns)


def fit_network(network: TableNet | RealMLP, part: PreparedRows) -> None:
    """Lets a network take what it needs from training rows: from at most `MOST_ROWS` of them,
    evenly spaced, which is enough for quantiles and cheap to sort."""
    features = part.some(spread_rows(len(part), MOST_ROWS))
    network.fit(features.numeric, features.codes)


def number_places(preprocessor: Preprocessor) -> list[int]:
    """The places of columns of numbers and of years among the numbers of an encoded row."""
    places, first = [], 0
    for encoder in preprocessor.encoders:
        if isinstance(encoder, CategoryEncoder):
            first += len(encoder.names) if encoder.one_hot else 0
            continue
        if isinstance(encoder, TextEncoder):
            first += len(encoder.names)
            continue
        varying = isinstance(encoder, NumberEncoder) or "year" in encoder.parts
        places += [first] if varying else []
        first += len(encoder.names)
    return places


def inputs_of(features: Features) -> tuple[object, ...]:
    """The arguments of `TableNet` for these rows."""
    parts: list[object] = [features.numeric] if features.names else []
    return (*parts, features.codes) if features.code_names else tuple(parts)


def products_of(network: TableNet | RealMLP) -> int:
    """About how many multiplications the prediction of a row takes: one for each weight, and for
    those that members share as many as there are members."""
    weights = sum(math.prod(p.shape) for p in network.parameters())
    shared = isinstance(network, TableNet) and network.alike
    return max(1, weights * network.members if shared else weights)
