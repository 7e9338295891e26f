"""Training: the trainer, its callbacks, metrics, history, and weights on disk."""

from . import callbacks, metrics
from .callbacks import Callback, EarlyStopping
from .checkpoint import load, save
from .history import History
from .metrics import Metric
from .progress import Progress
from .scores import Scores
from .trainer import Trainer

__all__ = [
    "Callback",
    "EarlyStopping",
    "History",
    "Metric",
    "Progress",
    "Scores",
    "Trainer",
    "callbacks",
    "load",
    "metrics",
    "save",
]
