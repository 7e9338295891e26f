"""Images: ``fit_images`` on a folder, changes of images inside the step, networks for bytes."""

from .augment import Augment
from .fit import fit_image_settings, fit_images
from .network import NETWORKS, Cnn, ImageNetwork, class_weights
from .predictor import ImagePredictor
from .repeating import cross_validate_images, repeat_images

__all__ = [
    "NETWORKS",
    "Augment",
    "Cnn",
    "ImageNetwork",
    "ImagePredictor",
    "class_weights",
    "cross_validate_images",
    "fit_image_settings",
    "fit_images",
    "repeat_images",
]
