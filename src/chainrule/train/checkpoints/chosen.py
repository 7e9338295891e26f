"""Which checkpoints a training has: those that are given, or those of a callback."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import ConfigError
from ..callback import Callback
from ..callbacks.recording import BackupAndRestore
from .folder import Checkpoints

__all__ = ["checkpoints_of"]


def checkpoints_of(
    callbacks: Sequence[Callback], checkpoints: Checkpoints | None, resume: bool
) -> tuple[Checkpoints | None, bool]:
    """The checkpoints of this training, given or those of a callback, and whether to resume."""
    if checkpoints is not None and not isinstance(checkpoints, Checkpoints):
        raise ConfigError(
            f"checkpoints is {checkpoints!r}", help="pass Checkpoints(folder), or leave it out"
        )
    for backup in (c for c in callbacks if isinstance(c, BackupAndRestore)):
        checkpoints, resume = checkpoints or backup.checkpoints, True
    if resume and checkpoints is None:
        raise ConfigError(
            "no checkpoints to resume from",
            help="call fit(..., checkpoints=Checkpoints(folder), resume=True)",
        )
    return checkpoints, resume
