"""Training: the trainer, its callbacks, metrics, history, checkpoints, and weights on disk.

The names are loaded when first used: most commands train nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..lazily import loaded

if TYPE_CHECKING:
    from . import callbacks as callbacks
    from . import metrics as metrics
    from .batch_source import BatchSource as BatchSource
    from .batch_source import ByLength as ByLength
    from .batch_source import MemorySource as MemorySource
    from .callback import Callback as Callback
    from .callbacks.progress import Progress as Progress
    from .callbacks.stopping import EarlyStopping as EarlyStopping
    from .checkpoints.folder import Checkpoint as Checkpoint
    from .checkpoints.folder import Checkpoints as Checkpoints
    from .checkpoints.weights_file import load as load
    from .checkpoints.weights_file import save as save
    from .diagnosis.lrfinder import RateSearch as RateSearch
    from .diagnosis.overfit import Overfit as Overfit
    from .divided import OwnRows as OwnRows
    from .history import History as History
    from .metrics import Metric as Metric
    from .muon import muon_with_adamw as muon_with_adamw
    from .observation import Observation as Observation
    from .observation import Observe as Observe
    from .padded import Padded as Padded
    from .plan import bounds_for as bounds_for
    from .scores import Scores as Scores
    from .trainer import Trainer as Trainer

#: where each public name is defined; a module is named twice
_HOMES = {
    "callbacks": "callbacks",
    "metrics": "metrics",
    "BatchSource": "batch_source",
    "ByLength": "batch_source",
    "MemorySource": "batch_source",
    "Callback": "callback",
    "Progress": "callbacks.progress",
    "EarlyStopping": "callbacks.stopping",
    "Checkpoint": "checkpoints.folder",
    "Checkpoints": "checkpoints.folder",
    "load": "checkpoints.weights_file",
    "save": "checkpoints.weights_file",
    "RateSearch": "diagnosis.lrfinder",
    "Overfit": "diagnosis.overfit",
    "History": "history",
    "Metric": "metrics",
    "muon_with_adamw": "muon",
    "Observation": "observation",
    "Observe": "observation",
    "OwnRows": "divided",
    "Padded": "padded",
    "bounds_for": "plan",
    "Scores": "scores",
    "Trainer": "trainer",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    return loaded(name, _HOMES, __name__)
