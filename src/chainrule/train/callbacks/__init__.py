"""All callbacks, by the names that Keras gives those it has too."""

from ..callback import Callback, CallbackList, Logs
from .guard import DivergenceGuard
from .rates import LearningRateScheduler, ReduceLROnPlateau
from .recording import BackupAndRestore, CSVLogger, LambdaCallback, ModelCheckpoint
from .stopping import Converged, EarlyStopping, LastEpoch, TerminateOnNaN, TimeLimit

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "Converged",
    "DivergenceGuard",
    "EarlyStopping",
    "LambdaCallback",
    "LastEpoch",
    "LearningRateScheduler",
    "Logs",
    "ModelCheckpoint",
    "ReduceLROnPlateau",
    "TerminateOnNaN",
    "TimeLimit",
]
