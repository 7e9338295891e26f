"""A convolution, then gated recurrent units in both directions, over spectrograms."""

from __future__ import annotations

from typing import Any

from ...frontend.tensor import Tensor
from ..activation import ReLU
from ..container import Sequential
from ..conv import Conv2d
from ..dropout import Dropout
from ..linear import Linear
from ..module import Module
from ..norm import BatchNorm2d
from ..recurrent import GRU

#: channels of the convolution, which takes every other band and frame
CHANNELS = 16


class ConvGRU(Module):
    """Logits [N, num_classes] of features [N, 1, bands, frames].

    A 3x3 convolution halves bands and frames; ``layers`` of ``hidden`` units read what is left in
    both directions; the mean of their outputs over time is classified. Arik et al., 2017,
    "Convolutional recurrent neural networks for small-footprint keyword spotting", with a mean in
    place of their dense layer over all frames, so that any number of frames fits.
    """

    def __init__(
        self,
        num_classes: int = 12,
        bands: int = 40,
        hidden: int = 64,
        layers: int = 1,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.features = Sequential(
            Conv2d(1, CHANNELS, 3, 2, padding=1, bias=False), BatchNorm2d(CHANNELS), ReLU()
        )
        between = dropout if layers > 1 else 0.0
        width = CHANNELS * ((bands + 1) // 2)
        self.gru = GRU(width, hidden, layers, batch_first=True, dropout=between, bidirectional=True)
        self.dropout = Dropout(dropout)
        self.classifier = Linear(2 * hidden, num_classes)

    def forward(self, x: Any) -> Tensor:
        """Logits."""
        maps: Tensor = self.features(x)
        steps = maps.permute(0, 3, 1, 2).flatten(2)
        outputs, _ = self.gru(steps)
        logits: Tensor = self.classifier(self.dropout(outputs.mean(1)))
        return logits
