"""The checks of images before training."""

from .images import classes_and_sizes, copies

__all__ = ["CHECKS"]

CHECKS = (classes_and_sizes, copies)
