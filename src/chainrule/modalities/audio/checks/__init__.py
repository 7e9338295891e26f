"""The checks of recordings before training."""

from .recordings import classes_and_lengths, copies

__all__ = ["CHECKS"]

CHECKS = (classes_and_lengths, copies)
