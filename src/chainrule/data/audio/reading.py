"""Reading sound: folders, files, arrays and bundled recordings become `Recordings`."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from chainrule.arguments import user_path
from chainrule.data.audio.decoding import (
    ENDINGS,
    Header,
    Samples,
    UnreadableError,
    decode,
    inspect,
    soundfile,
)
from chainrule.data.audio.recordings import Recordings, joined
from chainrule.data.findings import Finding
from chainrule.data.listing import FileKind, Listing, holds, list_folder, some
from chainrule.errors import ConfigError, DataError

__all__ = ["BUNDLED_AUDIO", "MOST_BAD", "is_audio_source", "read_audio", "read_listed"]

T = TypeVar("T")

BUNDLED = Path(__file__).parent.parent / "bundled"
#: recordings that come with the package: a file of all, and a table of where each lies
BUNDLED_AUDIO = ("digits-spoken",)
AUDIO_FILES = FileKind(ENDINGS, "recordings", "D501", "D506", "D507", "D508")
#: of the files that look like sound, at most this share may be unreadable
MOST_BAD = 0.1
#: the highest rate that is chosen where none is wanted: speech has little above 8,000 Hz
HIGHEST_AUTO, LOWEST_AUTO = 16_000, 8_000
THREADS = 8
ENDED = ", ".join(ENDINGS)


def is_audio_source(source: object) -> float:
    """How surely a word on the command line means sound, from 0 to 1: a folder with sound files, a
    sound file, or the name of bundled recordings."""
    if not isinstance(source, str | os.PathLike) or not str(source):
        return 0.0
    path = user_path(source, "the data")
    if path.is_dir():
        return float(holds(path, ENDINGS))
    bundled = str(source) in BUNDLED_AUDIO and not path.exists()
    return float(path.suffix.lower() in ENDINGS or bundled)


def read_audio(
    source: object,
    labels: object = None,
    *,
    rate: int | None = None,
    most_bad: float = MOST_BAD,
    labelled: bool = True,
) -> Recordings:
    """Recordings of one channel and one rate, as 16-bit samples.

    ``source`` is a folder with one folder for each class, a folder of files without classes, one
    sound file (WAV, FLAC, Ogg Vorbis or Opus, AIFF, MP3), ``"digits-spoken"``, `Recordings`, or a
    sequence of arrays (int16, or floats from -1 to 1) with ``labels``, sampled at ``rate``.

    Channels are averaged. Without ``rate``, it is 16,000 samples a second, or what most of the
    files have if that is less, but at least 8,000; other rates are converted (`resampled`). Files
    that cannot be read are left out, with a finding that names them; more than the share
    ``most_bad`` of them is a DataError. With ``labelled`` False folders are no classes, and files
    in all of them are read. ConfigError when the package soundfile is needed and not there.
    """
    if rate is not None and (type(rate) is not int or not 1000 <= rate <= 768_000):
        raise ConfigError(f"the rate is {rate!r}", help="pass samples per second, 1000 to 768000")
    if isinstance(source, Recordings):
        return source
    if not isinstance(source, str | os.PathLike):
        if not isinstance(source, Sequence | np.ndarray):
            raise DataError(
                f"{type(source).__name__} is no sound",
                help=f"pass a folder, a file ({ENDED}), or arrays",
            )
        return Recordings.of_arrays(list(source), rate or HIGHEST_AUTO, labels)
    path = user_path(source, "the data")
    if labels is not None:
        raise ConfigError("the subfolders already name the classes", help="leave labels out")
    if str(source) in BUNDLED_AUDIO and not path.exists():
        return _bundled(str(source), rate)
    if not path.exists():
        raise DataError(f"no such file or folder: {path}", help="check the path")
    if path.is_file() and path.suffix.lower() not in ENDINGS:
        raise DataError(
            f"{path.name} is no sound file", where=str(path), help=f"sound files end in {ENDED}"
        )
    return _read_files(path, rate, most_bad, labelled)


# ----------------------------------------------------------------------------------- bundled


def _bundled(name: str, rate: int | None) -> Recordings:
    with (BUNDLED / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    own_rate = inspect(BUNDLED / f"{name}.flac").rate
    wanted = rate or min(own_rate, HIGHEST_AUTO)
    whole = decode(BUNDLED / f"{name}.flac", wanted)
    ends = [round(int(row["end"]) * wanted / own_rate) for row in rows]
    classes = tuple(sorted({row["word"] for row in rows}, key=[r["word"] for r in rows].index))
    return Recordings(
        name,
        wanted,
        whole[: ends[-1]],
        np.array([0, *ends], np.int64),
        np.array([classes.index(row["word"]) for row in rows], np.int32),
        classes,
        tuple(f"{row['speaker']}/{row['word']}" for row in rows),
    )


# ------------------------------------------------------------------------------------- files


def _read_files(path: Path, rate: int | None, most_bad: float, labelled: bool) -> Recordings:
    soundfile()
    try:
        listing = (
            list_folder(path, AUDIO_FILES, labelled)
            if path.is_dir()
            else Listing(path, [path], [-1])
        )
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    if not listing.files:
        wanted = "a folder of recordings for each class" if labelled else "recordings"
        raise DataError(
            f"{path} is a folder without recordings", help=f"put {wanted} ({ENDED}) in it"
        )
    name = path.name or str(path.resolve().name)
    return read_listed(name, listing, rate, most_bad)[0]


def read_listed(
    name: str, listing: Listing, rate: int | None, most_bad: float
) -> tuple[Recordings, list[int]]:
    """The recordings of files, and the numbers of those that could be read."""
    headers = _each(inspect, listing.files)
    readable = [h for h in headers if isinstance(h, Header)]
    bad = {i: str(h) for i, h in enumerate(headers) if isinstance(h, UnreadableError)}
    _check_share(bad, listing, most_bad)
    wanted_rate = rate or _auto_rate([h.rate for h in readable])
    rows = [i for i in range(len(headers)) if i not in bad]
    decoded = _each(lambda file: decode(file, wanted_rate), [listing.files[i] for i in rows])
    bad |= {i: str(d) for i, d in zip(rows, decoded, strict=True) if isinstance(d, UnreadableError)}
    _check_share(bad, listing, most_bad)
    kept = [i for i in rows if i not in bad]
    clips: list[Samples] = [d for d in decoded if not isinstance(d, UnreadableError)]
    recordings = Recordings(
        name,
        wanted_rate,
        *joined(clips),
        np.array([listing.labels[i] for i in kept], np.int32),
        listing.classes,
        tuple(listing.name_of(listing.files[i]) for i in kept),
    )
    findings = (*listing.findings, *_noticed(listing, headers, bad, recordings))
    return replace(recordings, findings=findings), kept


def _each(work: Callable[[Path], T], files: Sequence[Path]) -> list[T | UnreadableError]:
    """``work`` on each file, on several threads; what it raised stands where there is no result."""

    def one(file: Path) -> T | UnreadableError:
        try:
            return work(file)
        except UnreadableError as error:
            return error

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(one, files))


def _check_share(bad: dict[int, str], listing: Listing, most: float) -> None:
    if len(bad) > most * len(listing.files) or len(bad) == len(listing.files):
        first = min(bad)
        raise DataError(
            f"{len(bad)} of {len(listing.files)} recordings are unreadable",
            where=f"{listing.files[first]}: {bad[first]}",
            help="copy them again, or remove them from the folder",
        )


def _auto_rate(rates: Sequence[int]) -> int:
    """See `read_audio`."""
    [(usual, _)] = Counter(rates).most_common(1)
    return max(LOWEST_AUTO, min(usual, HIGHEST_AUTO))


def _noticed(
    listing: Listing,
    headers: Sequence[Header | UnreadableError],
    bad: dict[int, str],
    recordings: Recordings,
) -> list[Finding]:
    """What there is to say about the files."""
    findings = []
    if bad:
        reasons = [f"{listing.name_of(listing.files[i])}: {why}" for i, why in sorted(bad.items())]
        evidence = f"{len(bad)} of {len(listing.files)}: {some(reasons)}"
        message, advice = "unreadable recordings were skipped", "copy them again, or remove them"
        findings.append(Finding("D502", "warning", message, evidence, advice))
    read = [(i, h) for i, h in enumerate(headers) if isinstance(h, Header) and i not in bad]
    cut_off = [listing.name_of(listing.files[i]) for i, h in read if h.cut_off]
    if cut_off:
        message = "recordings were cut off: they are shorter than their files say"
        evidence = f"{len(cut_off)} files: {some(cut_off)}"
        findings.append(Finding("D505", "warning", message, evidence, "copy them again"))
    mixed = [listing.name_of(listing.files[i]) for i, h in read if h.channels > 1]
    if mixed:
        message = "several channels were mixed to one"
        findings.append(Finding("D503", "info", message, f"{len(mixed)} files: {some(mixed)}"))
    rates = Counter(h.rate for _, h in read)
    if set(rates) - {recordings.rate}:
        counts = some([f"{n} of {rate:,}" for rate, n in rates.most_common()])
        message = f"recordings were resampled to {recordings.rate:,} samples per second"
        findings.append(Finding("D504", "info", message, counts, "data.rate sets another rate"))
    return findings + heard(recordings)


def heard(recordings: Recordings) -> list[Finding]:
    """What there is to say about the sound itself."""
    findings = []
    for code, rows, message, advice in (
        ("D509", recordings.silent(), "recordings are silent", "remove them, or record them again"),
        ("D511", recordings.clipped(), "recordings were too loud and are clipped", ""),
    ):
        if rows:
            names = some([recordings.paths[i] for i in rows])
            evidence = f"{len(rows)} of {len(recordings)}: {names}"
            findings.append(Finding(code, "warning", message, evidence, advice))
    return findings
