"""Text: ``fit_text`` learns labels of texts, to continue texts, and to translate them.

The names are loaded when first used: this folder also holds options of commands, and ``--help``
must be quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...lazily import loaded

if TYPE_CHECKING:
    from .classifier import Classifier as Classifier
    from .fit import fit_text as fit_text
    from .kind import TEXT as TEXT
    from .networks import NETWORKS as NETWORKS
    from .predictor import TextPredictor as TextPredictor
    from .settings import TextSettings as TextSettings

#: where each public name is defined
_HOMES = {
    "Classifier": "classifier",
    "fit_text": "fit",
    "TEXT": "kind",
    "NETWORKS": "networks",
    "TextPredictor": "predictor",
    "TextSettings": "settings",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    return loaded(name, _HOMES, __name__)
