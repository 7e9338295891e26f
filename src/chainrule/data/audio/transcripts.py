"""Recordings with what is said in them: a table with a file and a transcript in each row."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from chainrule.arguments import user_path
from chainrule.data.audio.reading import AUDIO_FILES, read_listed
from chainrule.data.audio.recordings import Recordings
from chainrule.data.files import MOST_BAD, Files
from chainrule.data.filetable import read_file_table
from chainrule.data.findings import Finding
from chainrule.data.gathering import Share
from chainrule.data.listing import some
from chainrule.errors import DataError

__all__ = ["Alphabet", "Transcribed", "normalised", "read_transcripts", "steps_needed"]

#: what the column of the files may be called
FILE_COLUMNS = ("path", "file", "audio", "filename", "file_name", "wav")
TEXT_COLUMNS = ("text", "transcript", "sentence", "transcription")
#: besides letters and digits, what a transcript may hold
KEPT = " '"


@dataclass(frozen=True)
class Transcribed:
    """``texts[i]`` is what is said in recording i, `normalised`."""

    recordings: Recordings
    texts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What there is to say about files and transcripts."""
        return self.recordings.findings

    @property
    def share(self) -> Share | None:
        """Which of them are here; None: all."""
        return self.recordings.share

    def fingerprint(self) -> str:
        """``sha256:...`` of the recordings, and of what is said in them."""
        said = hashlib.sha256("\n".join(self.texts).encode()).hexdigest()
        return f"{self.recordings.fingerprint()}+sha256:{said}"

    def take(self, rows: Sequence[int] | NDArray[np.integer]) -> Transcribed:
        """These rows alone."""
        texts = tuple(self.texts[int(i)] for i in rows)
        return Transcribed(self.recordings.take(rows), texts)


def normalised(text: str) -> str:
    """In small letters (NFC, as Unicode folds them), without what is not heard: letters, digits and
    apostrophes stay, anything else is a space, and several spaces are one."""
    folded = unicodedata.normalize("NFC", text.replace("’", "'").lower())
    kept = (c if c in KEPT or c.isalnum() or unicodedata.combining(c) else " " for c in folded)
    return " ".join("".join(kept).split())


@dataclass(frozen=True)
class Alphabet:
    """The letters of transcripts, numbered from 1: 0 is the blank of CTC."""

    letters: str

    @classmethod
    def of(cls, texts: Iterable[str]) -> Alphabet:
        """All letters of ``texts``, sorted. DataError if there are none."""
        letters = "".join(sorted(set().union(*texts)))
        if not letters:
            raise DataError("all transcripts are empty", help="say in each what is heard")
        return cls(letters)

    def encode(self, text: str) -> list[int]:
        """The numbers of its letters. DataError for letters that are not in the alphabet."""
        if unknown := sorted(set(text) - set(self.letters)):
            raise DataError(
                f"no letter {', '.join(map(repr, unknown))} in the alphabet of the training "
                f"transcripts: {text!r}",
                help="leave such transcripts out, or have some in the training part",
            )
        return [self.letters.index(letter) + 1 for letter in text]

    def decode(self, codes: Iterable[int]) -> str:
        """The text of numbers."""
        return "".join(self.letters[code - 1] for code in codes)


def steps_needed(codes: Sequence[int]) -> int:
    """The fewest steps of a network in which CTC can say ``codes``: one for each, and one between
    two that are equal."""
    return len(codes) + sum(a == b for a, b in pairwise(codes))


def read_transcripts(
    table: str | os.PathLike[str],
    target: str = "",
    *,
    rate: int | None = None,
    most_bad: float = MOST_BAD,
) -> Transcribed:
    """Reads a csv or tsv file with a header: a column of files, whose paths are relative to it, and
    the column ``target`` of transcripts (by default the one called text, transcript or sentence).

    Files are read as by `read_audio`. Rows without a transcript, and files that cannot be read, are
    left out with a finding that names their lines; more than the share ``most_bad`` of such files
    is a DataError, and so is a table without the columns.
    """
    path = user_path(table, "the table")
    read = read_file_table(path, AUDIO_FILES, "transcripts", target, TEXT_COLUMNS, FILE_COLUMNS)
    texts = [normalised(text) for text in read.values]
    empty = [i for i, text in enumerate(texts) if not text]
    kept = [i for i, text in enumerate(texts) if text]
    if not kept:
        raise DataError("all transcripts are empty", where=str(path))
    files = Files(AUDIO_FILES, read.listing(kept), most_bad)
    recordings = read_listed(files, rate, path.stem)
    if empty:
        evidence = f"{len(empty)} of {len(texts)}: "
        evidence += some([f"line {read.lines[i]}" for i in empty])
        message = "rows without a transcript were left out"
        finding = Finding("D513", "warning", message, evidence)
        recordings = replace(recordings, findings=(*recordings.findings, finding))
    return Transcribed(recordings, tuple(texts[kept[i]] for i in files.good))
