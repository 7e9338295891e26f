"""Tuning: a search for better settings through Optuna (the extra ``tune``). A rim: nothing below
knows it."""

from .door import tune
from .listeners import TuningListener
from .result import Tuned

__all__ = ["Tuned", "TuningListener", "tune"]
