"""Optimizers and learning-rate schedules."""

from . import schedule
from .adaptive import Adagrad, Adam, AdamW, RMSprop
from .base import Optimizer
from .sgd import SGD

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "schedule"]
