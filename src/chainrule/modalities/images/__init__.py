"""Images: ``fit_images``, augmentation inside the step, networks for bytes.

The names are loaded when first used: this folder also holds options of commands, and ``--help``
must be quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...lazily import loaded

if TYPE_CHECKING:
    from .augment import Augment as Augment
    from .fit import fit_images as fit_images
    from .kind import IMAGES as IMAGES
    from .network import NETWORKS as NETWORKS
    from .network import Cnn as Cnn
    from .network import ImageNetwork as ImageNetwork
    from .network import class_weights as class_weights
    from .predictor import ImagePredictor as ImagePredictor
    from .settings import ImageSettings as ImageSettings

#: where each public name is defined
_HOMES = {
    "Augment": "augment",
    "fit_images": "fit",
    "IMAGES": "kind",
    "NETWORKS": "network",
    "Cnn": "network",
    "ImageNetwork": "network",
    "class_weights": "network",
    "ImagePredictor": "predictor",
    "ImageSettings": "settings",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    return loaded(name, _HOMES, __name__)
