"""Networks that read a text: from the vectors of its tokens to one vector.

Each takes ``vectors`` [rows, tokens, width] and ``there`` [rows, tokens, 1], which is 1 for tokens
and 0 for padding, and gives [rows, `out`]. Padding changes nothing, however much of it there is.
"""

from __future__ import annotations

import math
from abc import abstractmethod

from ... import nn
from ...frontend import Tensor
from ...frontend.operations.creation import zeros
from ...frontend.operations.shaping import cat

__all__ = ["Attending", "Bag", "Body", "Convolutional", "Recurrent", "Weighed"]

#: below all activations: where there is only padding, the largest value of a row
NEVER = -1e4
#: waves for so many places are made
MOST_PLACES = 4096


class Body(nn.Module):
    """What all of them have: the width of their outputs."""

    out: int

    @abstractmethod
    def forward(self, vectors: Tensor, there: Tensor) -> Tensor:
        """[rows, out]."""


class Bag(Body):
    """The mean of the vectors (Joulin et al., 2017): order counts where runs of tokens have vectors
    of their own."""

    def __init__(self, width: int, *, dropout: float) -> None:
        super().__init__()
        self.out = width
        self.dropout = nn.Dropout(dropout)

    def forward(self, vectors: Tensor, there: Tensor) -> Tensor:
        mean = (vectors * there).sum(1) / there.sum(1).clamp(min=1.0)
        result: Tensor = self.dropout(mean)
        return result


class Weighed(Body):
    """The sum of the vectors over the root of their number, and a bias (Wang and Manning, 2012):
    each is the log-ratio of a feature by naive Bayes, times a weight."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.out = width
        self.bias = nn.Parameter(zeros(width))

    def forward(self, vectors: Tensor, there: Tensor) -> Tensor:
        sums = (vectors * there).sum(1)
        result: Tensor = sums / there.sum(1).clamp(min=1.0).sqrt() + self.bias
        return result


class Convolutional(Body):
    """Filters over three, four and five tokens, of each the largest answer (Kim, 2014)."""

    SIZES = (3, 4, 5)

    def __init__(self, width: int, *, filters: int, dropout: float) -> None:
        super().__init__()
        self.out = filters * len(self.SIZES)
        self.filters = nn.ModuleList(
            [nn.Conv1d(width, filters, size, padding=size // 2) for size in self.SIZES]
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, vectors: Tensor, there: Tensor) -> Tensor:
        x = (vectors * there).permute(0, 2, 1)
        inside = there.permute(0, 2, 1)
        answers = []
        for layer in self.filters:
            # Filters of even size have one answer more than there are tokens.
            answer = nn.functional.relu(layer(x))[:, :, : x.shape[2]]
            answers.append((answer * inside).amax(2))
        result: Tensor = self.dropout(cat(answers, 1))
        return result


class Recurrent(Body):
    """Gated recurrent units in both directions: the mean and the maximum of their outputs."""

    def __init__(self, width: int, *, hidden: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.out = 4 * hidden
        between = dropout if layers > 1 else 0.0
        self.gru = nn.GRU(
            width, hidden, layers, batch_first=True, dropout=between, bidirectional=True
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, vectors: Tensor, there: Tensor) -> Tensor:
        lengths = there.sum((1, 2)).int()
        outputs, _ = self.gru(self.dropout(vectors), lengths=lengths)
        mean = outputs.sum(1) / there.sum(1).clamp(min=1.0)
        largest = (outputs + (1.0 - there) * NEVER).amax(1)
        result: Tensor = self.dropout(cat([mean, largest], 1))
        return result


class Attending(Body):
    """A transformer of ``layers`` pre-norm blocks: the mean of what comes out (Vaswani et al.,
    2017), with waves of the places added to the vectors."""

    def __init__(self, width: int, *, layers: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.out, self.scale = width, math.sqrt(width)
        self.positions = nn.SinusoidalPositions(MOST_PLACES, width, batch_first=True)
        layer = nn.TransformerEncoderLayer(
            width, heads, 4 * width, dropout, "gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width))
        self.encoder.reset_parameters()
        self.dropout = nn.Dropout(dropout)

    def forward(self, vectors: Tensor, there: Tensor) -> Tensor:
        x = self.dropout(self.positions(vectors * self.scale))
        hidden = there[:, :, 0] == 0
        states = self.encoder(x, src_key_padding_mask=hidden)
        mean = (states * there).sum(1) / there.sum(1).clamp(min=1.0)
        result: Tensor = self.dropout(mean)
        return result
