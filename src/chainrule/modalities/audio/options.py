"""The options that sound adds to the commands."""

from __future__ import annotations

from ...runs.option import Option, Options

__all__ = ["OPTIONS", "SOURCES"]

SOURCES = (
    "audio: a folder with one subfolder per word or other class (WAV, FLAC, Ogg);",
    "  bundled: digits-spoken",
)
SPEAKER = Option(
    "speaker",
    "Regular expression that finds the speaker in a path: no one is in two parts.",
    "REGEX",
)

OPTIONS: Options = {"train": (SPEAKER,), "init": (SPEAKER,), "check": (SPEAKER,)}
