"""Images: networks that take bytes, and changes of images inside the compiled step."""

from .augment import Augment
from .network import NETWORKS, ImageNetwork, class_weights

__all__ = ["NETWORKS", "Augment", "ImageNetwork", "class_weights"]
