"""The networks for texts by name, and what each is for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import ConfigError
from .bodies import Attending, Bag, Body, Convolutional, Recurrent, Weighed
from .language_net import GPTLanguage, LanguageNet, RecurrentLanguage
from .translating import RecurrentTranslator, TransformerTranslator, Translator

__all__ = ["NETWORKS", "Network", "networks_for"]


@dataclass(frozen=True)
class Network:
    """``settings`` with their defaults, within `LIMITS`.

    ``families`` are the tasks that it is for: ``classes``, ``numbers``, ``language`` or
    ``translation``; it learns well at the ``rates`` of these optimizers, best with the first.
    ``body(**settings)`` reads vectors of texts with a label; n-grams have some, too, for a network
    of ``features``. ``language(size, length, **settings)`` continues a text, ``translator`` of the
    same translates.
    """

    settings: Mapping[str, Any]
    families: tuple[str, ...]
    rates: Mapping[str, float]
    words: str
    body: Callable[..., Body] | None = None
    language: Callable[..., LanguageNet] | None = None
    translator: Callable[..., Translator] | None = None
    features: bool = False

    @property
    def weighs(self) -> bool:
        """Whether its vectors are the ratios of naive Bayes, each with a weight."""
        return self.body is Weighed

    @property
    def optimizer(self) -> str:
        """The one to take."""
        return next(iter(self.rates))

    def check(self, settings: Mapping[str, Any]) -> None:
        """ConfigError for a setting out of its bounds."""
        for name, value in settings.items():
            low, high = LIMITS[name]
            if not low <= value <= high:
                raise ConfigError(
                    f"`model.{name}` is {value!r}", help=f"expected: from {low:g} to {high:g}"
                )
        heads = settings.get("heads", 1)
        if settings.get("width", heads) % heads:
            raise ConfigError(
                f"`model.heads` is {heads}, which does not divide a width of {settings['width']}",
                help="each head takes an equal share of model.width",
            )


LIMITS: Mapping[str, tuple[float, float]] = {
    "width": (1, 4096), "hidden": (1, 4096), "layers": (1, 64), "filters": (1, 4096),
    "heads": (1, 256), "dropout": (0, 0.95),
}  # fmt: skip

#: by the name in ``run.toml``; of each family the default comes first
NETWORKS: Mapping[str, Network] = {
    "bag": Network(
        {"width": 64, "dropout": 0.5}, ("classes", "numbers"), {"adamw": 1e-3},
        "a bag of embeddings", Bag, features=True,
    ),
    "nbsvm": Network(
        {}, ("classes",), {"adamw": 4e-3}, "a linear model", Weighed, features=True
    ),
    "conv": Network(
        {"width": 128, "filters": 100, "dropout": 0.5}, ("classes", "numbers"), {"adamw": 1e-3},
        "a convolutional network", Convolutional,
    ),
    "gpt": Network(
        {"width": 128, "layers": 4, "heads": 4, "dropout": 0.0}, ("language",),
        {"muon": 1.2e-2, "adamw": 1e-3},
        "a transformer", language=GPTLanguage,
    ),
    "transformer": Network(
        {"width": 128, "layers": 2, "heads": 4, "dropout": 0.2},
        ("translation", "classes", "numbers"), {"adamw": 1e-3},
        "a transformer", Attending, translator=TransformerTranslator,
    ),
    "gru": Network(
        {"width": 128, "hidden": 128, "layers": 1, "dropout": 0.3},
        ("classes", "numbers", "language", "translation"), {"adamw": 2e-3}, "a recurrent network",
        Recurrent, RecurrentLanguage, RecurrentTranslator,
    ),
}  # fmt: skip


def networks_for(family: str) -> tuple[str, ...]:
    """The names of the networks for a family of tasks, the default first."""
    return tuple(name for name, network in NETWORKS.items() if family in network.families)
