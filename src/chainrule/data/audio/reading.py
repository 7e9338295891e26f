"""Reading sound: folders, files, arrays and bundled recordings become `Recordings`."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from chainrule.arguments import user_path
from chainrule.data.audio.decoding import ENDINGS, Header, decode, inspect, soundfile
from chainrule.data.audio.recordings import Recordings, joined
from chainrule.data.files import MOST_BAD, Files
from chainrule.data.findings import Finding
from chainrule.data.gathering import ALONE, Gathering, divisible
from chainrule.data.listing import FileKind, holds, some
from chainrule.errors import ConfigError, DataError

__all__ = ["AUDIO_FILES", "BUNDLED_AUDIO", "heard", "is_audio_source", "read_audio", "read_listed"]

BUNDLED = Path(__file__).parent.parent / "bundled"
#: recordings that come with the package: a file of all, and a table of where each lies
BUNDLED_AUDIO = ("digits-spoken",)
AUDIO_FILES = FileKind(ENDINGS, "recordings", "D501", "D506", "D507", "D508", "D502")
#: the highest rate that is chosen where none is wanted: speech has little above 8,000 Hz
HIGHEST_AUTO, LOWEST_AUTO = 16_000, 8_000
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
    gathering: Gathering = ALONE,
) -> Recordings:
    """Recordings of one channel and one rate, as 16-bit samples.

    ``source`` is a folder with one folder for each class, a folder of files without classes, one
    sound file (WAV, FLAC, Ogg Vorbis or Opus, AIFF, MP3), ``"digits-spoken"``, `Recordings`, or a
    sequence of arrays (int16, or floats from -1 to 1) with ``labels``, sampled at ``rate``.

    Channels are averaged. Without ``rate``, it is 16,000 samples a second, or what most of the
    files have if that is less, but at least 8,000; other rates are converted (`resampled`). Files
    that cannot be read are left out, with a finding that names them; more than the share
    ``most_bad`` of them is a DataError. With ``labelled`` False folders are no classes, and files
    in all of them are read. Of a folder of many files each process that is ``gathering`` with
    others reads its share alone. ConfigError when the package soundfile is needed and not there.
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
    if path.is_file() and path.suffix.lower() not in ENDINGS:
        raise DataError(
            f"{path.name} is no sound file", where=str(path), help=f"sound files end in {ENDED}"
        )
    return _read_files(Files.at(path, AUDIO_FILES, labelled, most_bad, gathering), rate, labelled)


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


def _read_files(files: Files, rate: int | None, labelled: bool) -> Recordings:
    soundfile()
    if not files:
        wanted = "a folder of recordings for each class" if labelled else "recordings"
        raise DataError(
            f"{files.listing.root} is a folder without recordings",
            help=f"put {wanted} ({ENDED}) in it",
        )
    return read_listed(files, rate)


def read_listed(files: Files, rate: int | None, name: str = "") -> Recordings:
    """The recordings of files, those alone that can be read."""
    heads = files.read_shared(inspect, Header)
    files.check()
    wanted = rate or _auto_rate([head.rate for head in heads.values()])
    rows = files.good
    samples = sum(heads[i].seconds for i in rows) * wanted
    share = files.share(len(rows), round(samples) * np.dtype(np.int16).itemsize)
    gathering, own = (ALONE, rows) if share is None else (share.gathering, rows[share.slice])
    clips = files.read(lambda file: decode(file, wanted), own)
    files.check()
    kept = [place for place, i in enumerate(rows) if i not in files.bad]
    rows = [rows[place] for place in kept]
    lengths = [n for theirs in gathering.each([*map(len, clips.values())]) for n in theirs]
    recordings = Recordings(
        name or files.name, wanted, joined(list(clips.values()))[0],
        np.cumsum([0, *lengths], dtype=np.int64), files.labels(rows), files.listing.classes,
        files.names(rows), share=share and share.of(np.array(kept)),
    )  # fmt: skip
    if not divisible(recordings.nbytes):
        recordings = recordings.whole()
    findings = (*files.findings, *_noticed(files, heads, recordings))
    return replace(recordings, findings=findings)


def _auto_rate(rates: Sequence[int]) -> int:
    """See `read_audio`."""
    [(usual, _)] = Counter(rates).most_common(1)
    return max(LOWEST_AUTO, min(usual, HIGHEST_AUTO))


def _noticed(files: Files, heads: Mapping[int, Header], recordings: Recordings) -> list[Finding]:
    """What there is to say about the files."""
    findings = []
    read = [(i, heads[i]) for i in files.good]
    cut_off = files.names([i for i, h in read if h.cut_off])
    if cut_off:
        message = "recordings were cut off: they are shorter than their files say"
        evidence = f"{len(cut_off)} files: {some(cut_off)}"
        findings.append(Finding("D505", "warning", message, evidence, "copy them again"))
    mixed = files.names([i for i, h in read if h.channels > 1])
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
