"""Training: the trainer, its callbacks, metrics, history, checkpoints, and weights on disk."""

from . import callbacks, metrics
from .batch_source import BatchSource, ByLength, MemorySource
from .callback import Callback
from .callbacks.progress import Progress
from .callbacks.stopping import EarlyStopping
from .checkpoints.folder import Checkpoint, Checkpoints
from .checkpoints.weights_file import load, save
from .diagnosis.lrfinder import RateSearch
from .diagnosis.overfit import Overfit
from .history import History
from .metrics import Metric
from .muon import muon_with_adamw
from .observation import Observation, Observe
from .padded import Padded
from .plan import bounds_for
from .scores import Scores
from .trainer import Trainer

__all__ = [
    "BatchSource",
    "ByLength",
    "Callback",
    "Checkpoint",
    "Checkpoints",
    "EarlyStopping",
    "History",
    "MemorySource",
    "Metric",
    "Observation",
    "Observe",
    "Overfit",
    "Padded",
    "Progress",
    "RateSearch",
    "Scores",
    "Trainer",
    "bounds_for",
    "callbacks",
    "load",
    "metrics",
    "muon_with_adamw",
    "save",
]
