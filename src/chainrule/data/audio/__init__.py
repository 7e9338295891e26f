"""Sound: reading folders, files and arrays as 16-bit samples. Independent of the engine.

recordings = read_audio("words")
recordings.samples, recordings.starts, recordings.labels, recordings.classes, recordings.findings

The names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chainrule.lazily import loaded

if TYPE_CHECKING:
    from chainrule.data.audio.reading import BUNDLED_AUDIO as BUNDLED_AUDIO
    from chainrule.data.audio.reading import is_audio_source as is_audio_source
    from chainrule.data.audio.reading import read_audio as read_audio
    from chainrule.data.audio.recordings import Recordings as Recordings
    from chainrule.data.audio.resampling import resampled as resampled
    from chainrule.data.audio.transcripts import Alphabet as Alphabet
    from chainrule.data.audio.transcripts import Transcribed as Transcribed
    from chainrule.data.audio.transcripts import read_transcripts as read_transcripts

#: where each public name is defined
_HOMES = {
    "BUNDLED_AUDIO": "reading",
    "is_audio_source": "reading",
    "read_audio": "reading",
    "Recordings": "recordings",
    "resampled": "resampling",
    "Alphabet": "transcripts",
    "Transcribed": "transcripts",
    "read_transcripts": "transcripts",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    return loaded(name, _HOMES, __name__)
