"""Training: the trainer, its callbacks, metrics, history, checkpoints, and weights on disk."""

from . import callbacks, metrics
from .callback import Callback
from .checkpoints import Checkpoint, Checkpoints
from .history import History
from .lrfinder import RateSearch
from .metrics import Metric
from .overfit import Overfit
from .progress import Progress
from .scores import Scores
from .stopping import EarlyStopping
from .trainer import Trainer
from .weights_file import load, save

__all__ = [
    "Callback",
    "Checkpoint",
    "Checkpoints",
    "EarlyStopping",
    "History",
    "Metric",
    "Overfit",
    "Progress",
    "RateSearch",
    "Scores",
    "Trainer",
    "callbacks",
    "load",
    "metrics",
    "save",
]
