"""One sound file as 16-bit samples, through libsndfile; nothing in a file can run code.

In this order: whatever the file holds becomes numbers with full scale 32768, channels are averaged,
the rate is changed, and the result is rounded to 16 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.audio.resampling import resampled
from chainrule.data.files import UnreadableError
from chainrule.errors import ConfigError

__all__ = ["ENDINGS", "Header", "Samples", "decode", "inspect", "rounded", "soundfile"]

Samples = NDArray[np.int16]

ENDINGS = (".wav", ".flac", ".ogg", ".oga", ".opus", ".aiff", ".aif", ".mp3")
FULL_SCALE = 32768.0
LOUDEST = 32767
#: longer files are refused before memory is reserved: a damaged header may claim anything
MOST_SECONDS = 3600
#: from this share of samples at full scale on, a recording was too loud for its recorder
CLIPPED = 1e-3
#: peaks below -60 decibels of full scale: nothing was said
SILENT = 33


@dataclass(frozen=True)
class Header:
    """What the head of a file says; ``cut_off`` if the file is shorter than that."""

    rate: int
    channels: int
    frames: int
    cut_off: bool = False

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.frames / self.rate


def soundfile() -> ModuleType:
    """The package soundfile. ConfigError if it is not installed."""
    try:
        import soundfile as module
    except ImportError:
        raise ConfigError(
            "sound files need the soundfile package", help='pip install "chainrule[audio]"'
        ) from None
    except OSError as error:  # the library that it wraps
        raise ConfigError(
            f"soundfile finds no libsndfile ({error})", help="apt-get install libsndfile1"
        ) from None
    checked: ModuleType = module
    return checked


def inspect(path: Path) -> Header:
    """The head of a sound file. Raises UnreadableError."""
    info = _attempt(path, lambda module: module.info(str(path), verbose=True))
    header = Header(
        int(info.samplerate), int(info.channels), int(info.frames), "should be" in info.extra_info
    )
    if header.frames <= 0:
        raise UnreadableError("it holds no sound: its length is zero")
    if header.seconds > MOST_SECONDS:
        raise UnreadableError(f"it claims to last {header.seconds / 3600:,.1f} hours: cut it up")
    return header


def decode(path: Path, rate: int) -> Samples:
    """The samples of a file as one channel at ``rate`` a second. Raises UnreadableError."""
    # libsndfile's own conversion to 16 bits wraps around where ogg exceeds full scale.
    frames, own_rate = _attempt(
        path, lambda module: module.read(str(path), dtype="float32", always_2d=True)
    )
    if len(frames) == 0:
        raise UnreadableError("it holds no sound: its length is zero")
    if not np.isfinite(frames).all():
        raise UnreadableError("it holds NaN or infinity")
    return rounded(resampled(_mixed(frames * np.float32(FULL_SCALE)), int(own_rate), rate))


def rounded(values: NDArray[np.floating[Any]]) -> Samples:
    """To 16 bits; what is louder is cut to full scale."""
    whole: Samples = np.rint(values).clip(-FULL_SCALE, LOUDEST).astype(np.int16)
    return whole


def _mixed(frames: NDArray[np.float32]) -> Samples:
    """The mean of the channels, summed in their order."""
    total = np.zeros(len(frames))
    for channel in frames.T:
        total += channel
    return rounded(total / frames.shape[1])


def _attempt(path: Path, work: Any) -> Any:
    module = soundfile()
    try:
        if not path.is_file():  # also for a pipe, which would wait for ever
            raise UnreadableError("there is no such file")
        if path.stat().st_size == 0:
            raise UnreadableError("it is empty")
        return work(module)
    except (
        module.SoundFileError,
        RuntimeError,
        OSError,
        ValueError,
        TypeError,
        MemoryError,
    ) as error:
        text = str(error).removeprefix(f"Error opening '{path}': ").split("\n")[0]
        reason = text.replace(str(path), path.name).strip(" .")[:80] or type(error).__name__
        raise UnreadableError(f"it is no sound file, or damaged ({reason})") from None
