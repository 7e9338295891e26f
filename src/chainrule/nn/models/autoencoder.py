"""Images squeezed through a short code and drawn again (Hinton and Salakhutdinov, 2006)."""

from __future__ import annotations

from typing import Any

from ...errors import ConfigError
from ...frontend.tensor import Tensor
from ..activation import ReLU
from ..container import Sequential
from ..conv import Conv2d, ConvTranspose2d
from ..linear import Flatten, Linear, Unflatten
from ..module import Module


class ConvAutoencoder(Module):
    """Images [N, channels, size, size] to themselves, through ``code`` numbers each.

    Two convolutions of stride 2 make the image four times smaller, their transposes make it as
    large again (Zeiler et al., 2010); the results are logits, for
    `binary_cross_entropy_with_logits`. ``size`` is a multiple of 4. 256,001 weights.
    """

    def __init__(self, code: int = 32, channels: int = 1, size: int = 28) -> None:
        super().__init__()
        if size < 4 or size % 4:
            raise ConfigError(
                f"size of ConvAutoencoder is {size!r}",
                help="pass a multiple of 4: images are downsampled by 4 and upsampled again",
            )
        side = size // 4
        self.encoder = Sequential(
            Conv2d(channels, 32, 3, stride=2, padding=1),
            ReLU(),
            Conv2d(32, 64, 3, stride=2, padding=1),
            ReLU(),
            Flatten(),
            Linear(64 * side * side, code),
        )
        self.decoder = Sequential(
            Linear(code, 64 * side * side),
            ReLU(),
            Unflatten(1, (64, side, side)),
            ConvTranspose2d(64, 32, 4, stride=2, padding=1),
            ReLU(),
            ConvTranspose2d(32, channels, 4, stride=2, padding=1),
        )

    def forward(self, x: Any) -> Tensor:
        """Logits of the drawn image."""
        image: Tensor = self.decoder(self.encoder(x))
        return image
