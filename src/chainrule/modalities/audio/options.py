"""The options that sound adds to the commands."""

from __future__ import annotations

from ...runs.option import Option, Options

__all__ = ["OPTIONS", "SOURCES"]

SOURCES = (
    "audio: a folder with one subfolder per word or other class (WAV, FLAC, Ogg);",
    "  or a csv of files and what is said in them (--task transcription);",
    "  bundled: digits-spoken",
)
SPEAKER = Option(
    "speaker",
    "Regular expression that finds the speaker in a path: no one is in two parts.",
    "REGEX",
)

TARGET = Option("target", "Column to predict.", "COLUMN")
TASK = Option(
    "task", "Override the task inferred from the target.", choices=("multiclass", "transcription")
)

OPTIONS: Options = {
    "train": (TARGET, TASK, SPEAKER),
    "init": (TARGET, TASK, SPEAKER),
    "check": (TARGET, TASK, SPEAKER),
    "find-lr": (TARGET, TASK, SPEAKER),
}
