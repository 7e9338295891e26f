"""Sound: reading folders, files and arrays as 16-bit samples. Independent of the engine.

recordings = read_audio("words")
recordings.samples, recordings.starts, recordings.labels, recordings.classes, recordings.findings
"""

from chainrule.data.audio.reading import BUNDLED_AUDIO, is_audio_source, read_audio
from chainrule.data.audio.recordings import Recordings
from chainrule.data.audio.resampling import resampled
from chainrule.data.audio.transcripts import Alphabet, Transcribed, read_transcripts

__all__ = [
    "BUNDLED_AUDIO",
    "Alphabet",
    "Recordings",
    "Transcribed",
    "is_audio_source",
    "read_audio",
    "read_transcripts",
    "resampled",
]
