"""The gallery: trainings that are ill in a known way, and healthy ones."""

from . import data, fit, gradients, speed, steps, well
from .case import FAULTS, HEALTHY, Case
from .parts import set_aside

__all__ = ["FAULTS", "HEALTHY", "Case", "set_aside"]
_ = (data, fit, gradients, speed, steps, well)
