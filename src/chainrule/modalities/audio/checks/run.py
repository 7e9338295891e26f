"""What the checks of recordings are given."""

from __future__ import annotations

from dataclasses import dataclass

from ....runs.dry_run import PreparedRun
from ..prepare import PreparedAudio
from ..settings import AudioSettings
from ..transcribing import PreparedTranscripts

__all__ = ["AudioRun"]


@dataclass(frozen=True)
class AudioRun(PreparedRun[AudioSettings]):
    """A training on recordings that has not started."""

    prepared: PreparedAudio | PreparedTranscripts
