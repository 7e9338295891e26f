"""Learning rates as functions of the step number.

A schedule stands where a learning rate stands: ``SGD(params, lr=Exponential(0.1, 0.999))``, and
may differ from group to group. It is a pure function, so the rates of many coming steps can be
written before they run in one call, and no change of the rate compiles anything anew.
"""

from .base import Schedule
from .compose import Sequential, Warmup
from .cycles import Cosine, CosineWarmRestarts, Coslog, Cyclical, OneCycle
from .decay import Constant, Exponential, InverseSquareRoot, Linear, MultiStep, Polynomial, Step
from .plateau import ReduceOnPlateau
from .registry import SCHEDULES, check_length, from_dict, make
from .sketching import sketch

__all__ = [
    "SCHEDULES",
    "Constant",
    "Cosine",
    "CosineWarmRestarts",
    "Coslog",
    "Cyclical",
    "Exponential",
    "InverseSquareRoot",
    "Linear",
    "MultiStep",
    "OneCycle",
    "Polynomial",
    "ReduceOnPlateau",
    "Schedule",
    "Sequential",
    "Step",
    "Warmup",
    "check_length",
    "from_dict",
    "make",
    "sketch",
]
