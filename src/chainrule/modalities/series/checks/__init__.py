"""The checks of series before training."""

from .series import axis_and_parts, ordinary_values

__all__ = ["CHECKS"]

CHECKS = (axis_and_parts, ordinary_values)
