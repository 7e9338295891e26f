"""All callbacks, by the names that Keras gives those it has too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...lazily import loaded
from ..callback import Callback, CallbackList, Logs

if TYPE_CHECKING:
    from .guard import DivergenceGuard as DivergenceGuard
    from .rates import LearningRateScheduler as LearningRateScheduler
    from .rates import ReduceLROnPlateau as ReduceLROnPlateau
    from .recording import BackupAndRestore as BackupAndRestore
    from .recording import CSVLogger as CSVLogger
    from .recording import LambdaCallback as LambdaCallback
    from .recording import ModelCheckpoint as ModelCheckpoint
    from .stopping import Converged as Converged
    from .stopping import EarlyStopping as EarlyStopping
    from .stopping import LastEpoch as LastEpoch
    from .stopping import TerminateOnNaN as TerminateOnNaN
    from .stopping import TimeLimit as TimeLimit

#: where each public name is defined
_HOMES = {
    "DivergenceGuard": "guard",
    "LearningRateScheduler": "rates",
    "ReduceLROnPlateau": "rates",
    "BackupAndRestore": "recording",
    "CSVLogger": "recording",
    "LambdaCallback": "recording",
    "ModelCheckpoint": "recording",
    "Converged": "stopping",
    "EarlyStopping": "stopping",
    "LastEpoch": "stopping",
    "TerminateOnNaN": "stopping",
    "TimeLimit": "stopping",
}

__all__ = ["Callback", "CallbackList", "Logs", *_HOMES]


def __getattr__(name: str) -> Any:
    return loaded(name, _HOMES, __name__)
