"""Draws the next token from the logits of a network."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...errors import ConfigError

__all__ = ["Sampler"]

Floats = npt.NDArray[np.float64]


@dataclass
class Sampler:
    """Of the ``top_k`` likeliest tokens (0: all), and of those the fewest whose probabilities sum
    to ``top_p`` (Holtzman et al., 2020), one is drawn by softmax(logits / ``temperature``). At a
    temperature of 0 it is the likeliest. The same seed draws the same.

    ConfigError for a setting that makes no sense.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, legal, expected in (
            ("temperature", math.isfinite(self.temperature) and self.temperature >= 0, "0 or more"),
            ("top_k", self.top_k >= 0, "0 or more"),
            ("top_p", 0 < self.top_p <= 1, "above 0, up to 1"),
            ("seed", 0 <= self.seed < 2**63, "0 or more"),
        ):
            if not legal:
                raise ConfigError(f"{name} is {getattr(self, name)}", help=f"expected: {expected}")
        self._numbers = np.random.Philox(key=self.seed)

    def draw(self, logits: npt.NDArray[np.floating]) -> int:
        """The number of one token."""
        values = np.asarray(logits, np.float64)
        if self.temperature == 0:
            return int(values.argmax())
        order = np.argsort(-values, kind="stable")
        if self.top_k:
            order = order[: self.top_k]
        raised = np.exp((values[order] - values[order[0]]) / self.temperature)
        chances = np.cumsum(raised / raised.sum())
        kept = int(np.searchsorted(chances, self.top_p)) + 1 if self.top_p < 1 else len(order)
        kept = min(kept, len(order))
        number = float(self._numbers.random_raw() >> 11) * 2.0**-53 * chances[kept - 1]
        return int(order[min(int(np.searchsorted(chances, number, "right")), kept - 1)])
