"""What is between recordings and the network: rate, length, scaling, names of classes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...data import Finding, Split
from ...data.audio import Recordings, read_audio
from ...data.audio.reading import MOST_BAD, heard
from ...data.listing import some
from ...data.moments import Moments
from ...errors import DataError, StateError
from ...frontend import no_grad
from ...frontend.apply import from_array
from ...frontend.compiled import compile
from ...records import check_shape, parsed
from ...runs.modality import PARTS, PartName, is_pair
from ...train.batch_source import spread_rows
from .network import Features
from .settings import AudioDataSettings, AudioSettings
from .source import AudioSource

__all__ = ["AudioPreprocessor", "OpenedAudio", "PreparedAudio", "speakers_apart"]

FORMAT = "chainrule.audio"
SHAPE = {"format": str, "version": int, "rate": int, "length": int, "classes": [str],
         "mean": [float], "std": [float]}  # fmt: skip
LARGEST_RATE, LONGEST = 768_000, 1 << 24
#: classes with fewer recordings are reported, and at most so many of them
FEW = 10
#: the scaling is measured on so many recordings of the training part, a batch at a time
MEASURED, BATCH = 1024, 32
#: what the speaker of a recording is whose path the regular expression does not match
UNKNOWN = ""


@dataclass(frozen=True)
class AudioPreprocessor:
    """``rate`` in samples per second, ``length`` of a clip in samples. ``mean`` and ``std`` of each
    band are those of the features of training recordings."""

    rate: int
    length: int
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def read(self, source: object, labels: object = None, labelled: bool = True) -> Recordings:
        """The recordings of a source at the rate of the network. Unless they are ``labelled``, they
        come from all folders, and all but one may be unreadable."""
        if is_pair(source):
            source, labels = source
        most_bad = MOST_BAD if labelled else 1.0
        return read_audio(source, labels, rate=self.rate, labelled=labelled, most_bad=most_bad)

    def to_json(self) -> str:
        """The text of ``pipeline.json``."""
        return json.dumps({"format": FORMAT, "version": 1, **asdict(self)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str) -> AudioPreprocessor:
        """From the text of `to_json`. StateError, naming ``where``, for anything else."""
        document = parsed(text, "pipeline.json", where)
        check_shape(document, SHAPE, where)
        classes, mean, std = (tuple(document[k]) for k in ("classes", "mean", "std"))
        rate, length = document["rate"], document["length"]
        known = (document["format"], document["version"]) == (FORMAT, 1)
        sized = 1000 <= rate <= LARGEST_RATE and 1 <= length <= LONGEST
        if not known or not sized or len(mean) != len(std) or len(classes) < 2:
            raise StateError(
                "pipeline.json does not belong to a run on sound",
                where=where,
                help="it was changed or cut off; copy it again",
            )
        return cls(rate, length, classes, mean, std)


@dataclass(frozen=True)
class OpenedAudio:
    """All recordings of a source; ``settings`` have absolute paths."""

    recordings: Recordings
    settings: AudioSettings

    @property
    def fingerprint(self) -> None:
        """Not known before separate test recordings have been read."""
        return None

    def training_rows(self) -> int:
        data, rows = self.settings.data, len(self.recordings)
        if data.test:
            return max(1, round(rows * data.split[0] / (data.split[0] + data.split[1])))
        return data.training_rows(rows)

    def divide(self, settings: AudioSettings) -> None:
        split_recordings(self.recordings, settings.data, settings.seed)

    def prepare(self, settings: AudioSettings, folder: Path | None) -> PreparedAudio:
        """Splits the recordings, and measures the training part."""
        recordings, data = self.recordings, settings.data
        split = split_recordings(recordings, data, settings.seed)
        findings = [*recordings.findings, *_findings_of(recordings)]
        fingerprint = recordings.fingerprint()
        train, val, test = (recordings.take(r) for r in (split.train, split.val, split.test))
        settings = settings.resolved(len(train), recordings.rate, int(recordings.lengths.max()))
        assert not isinstance(settings.data.length, str)
        length = round(settings.data.length * recordings.rate)
        cropped = np.flatnonzero(recordings.lengths > length + recordings.rate // 100)
        if len(cropped):
            findings.append(_cropped(recordings, cropped, length))
        features = settings.features.build(recordings.rate, settings.hop)
        mean, std = feature_moments(features, train, length)
        preprocessor = AudioPreprocessor(recordings.rate, length, recordings.classes, mean, std)
        if data.test:
            test = preprocessor.read(data.test).labelled_as(recordings.classes)
            findings += test.findings
            fingerprint += "+" + test.fingerprint()
        return PreparedAudio(
            settings,
            recordings.name,
            fingerprint,
            (train, val, test),
            preprocessor,
            tuple(findings),
        )


@dataclass(frozen=True)
class PreparedAudio:
    """``parts`` of the recordings: training, validation, test. ``fingerprint`` is of all."""

    settings: AudioSettings
    name: str
    fingerprint: str
    parts: tuple[Recordings, Recordings, Recordings]
    preprocessor: AudioPreprocessor
    findings: tuple[Finding, ...]

    def with_settings(self, settings: AudioSettings) -> PreparedAudio:
        return replace(self, settings=settings)

    def source(self, part: PartName) -> AudioSource:
        """A part as clips of one length."""
        recordings = self.parts[PARTS.index(part)]
        return AudioSource(recordings.fixed(self.preprocessor.length), recordings.labels)

    @property
    def train(self) -> AudioSource:
        return self.source("train")

    @property
    def validation(self) -> AudioSource:
        return self.source("validation")

    @property
    def test(self) -> AudioSource:
        return self.source("test")

    def target(self, part: PartName) -> npt.NDArray[Any]:
        return self.parts[PARTS.index(part)].labels

    @property
    def truth(self) -> npt.NDArray[Any]:
        return self.parts[2].labels

    @property
    def sizes(self) -> dict[str, int]:
        return {name: len(part) for name, part in zip(PARTS, self.parts, strict=True)}

    def data_facts(self) -> dict[str, Any]:
        return {
            "rows": sum(map(len, self.parts)),
            "minutes": round(sum(part.seconds for part in self.parts) / 60, 1),
        }

    def model_facts(self) -> dict[str, Any]:
        pre, features = self.preprocessor, self.settings.features
        kind = (
            f"{features.coefficients} MFCC" if features.coefficients else f"{features.bands} bands"
        )
        return {
            "name": self.settings.model.name,
            "clips": f"{pre.length / pre.rate:g} s at {pre.rate:,} Hz",
            "features": f"{kind} every {self.settings.hop} ms",
        }

    @property
    def model_name(self) -> str:
        return self.settings.model.name


def feature_moments(
    features: Features, recordings: Recordings, length: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of each band over frames of recordings, at most `MEASURED` of them, evenly
    spaced; the same bits on every machine. A band of one value has the deviation 1."""
    clips = recordings.take(spread_rows(len(recordings), MEASURED)).fixed(length)
    moments = Moments(features.bands)
    step = compile(features)

    def chunks() -> Iterator[npt.NDArray[np.float64]]:
        for start in range(0, len(clips), BATCH):
            batch = clips[start : start + BATCH]
            padded = np.zeros((BATCH, length), np.int16)  # one program for the last batch, too
            padded[: len(batch)] = batch
            with no_grad():
                values = step(from_array(padded)).numpy()[: len(batch)]
            yield values.transpose(0, 2, 1).reshape(-1, features.bands).astype(np.float64)

    for chunk in chunks():
        moments.add(chunk)
    for chunk in chunks():
        moments.add_deviations(chunk)
    std = np.where(moments.std > 0, moments.std, 1.0)
    return tuple(moments.mean.tolist()), tuple(std.tolist())


def split_recordings(recordings: Recordings, data: AudioDataSettings, seed: int) -> Split:
    """Which recordings are for training, validation and test. DataError if there are fewer than two
    classes, or too few recordings or speakers."""
    if len(recordings.classes) < 2:
        only = f"one class, {recordings.classes[0]}" if recordings.classes else "no classes"
        raise DataError(
            f"the recordings of {recordings.name} have {only}",
            help="pass a folder with a subfolder for each of two or more classes",
        )
    shares = data.split
    if data.test:
        held = shares[1] / (shares[0] + shares[1])
        shares = (1 - held, held, 0.0)
    return speakers_apart(recordings, data, seed, classes=recordings.labels, shares=shares)


def speakers_apart(
    recordings: Recordings,
    data: AudioDataSettings,
    seed: int,
    classes: npt.NDArray[np.integer[Any]] | None = None,
    shares: tuple[float, float, float] | None = None,
) -> Split:
    """Three parts, with no speaker in two of them if the settings say how to find one; else with
    nearly equal shares of ``classes``. DataError for too few recordings or speakers."""
    if not data.speaker:
        return data.divide(len(recordings), seed, classes=classes, unit="recording", shares=shares)
    names = [speaker_of(path, data.speaker) for path in recordings.paths]
    speakers, own = np.unique(np.array(names, object).astype(str), return_inverse=True)
    if len(speakers) < 3:
        raise DataError(
            f"`data.speaker` finds {len(speakers)} speaker{'s' * (len(speakers) > 1)}: "
            f"{', '.join(map(repr, speakers.tolist()))}",
            where=recordings.paths[0],
            help="the three parts need a speaker each; leave data.speaker empty for a split by "
            "recording",
        )
    of_speakers = data.divide(len(speakers), seed, unit="speaker", shares=shares)
    rows = [np.flatnonzero(np.isin(own, part)) for part in
            (of_speakers.train, of_speakers.val, of_speakers.test)]  # fmt: skip
    return Split(*rows)


def speaker_of(path: str, pattern: str) -> str:
    """What a regular expression finds in a path: its first group, or all that it matches."""
    match = re.search(pattern, path)
    if match is None:
        return UNKNOWN
    return match[1] if match.re.groups else match[0]


def _findings_of(recordings: Recordings) -> list[Finding]:
    findings = []
    if copies := recordings.copies():
        text = f"{copies} of {len(recordings)} recordings are exact copies of earlier ones"
        evidence = "a random split puts copies on both sides, which makes the test too easy"
        severe = copies > 0.02 * len(recordings)
        findings.append(Finding("D510", "warning" if severe else "info", text, evidence))
    counts = np.bincount(recordings.labels, minlength=len(recordings.classes))
    few = [f"{recordings.classes[k]} ({counts[k]})" for k in np.flatnonzero(counts < FEW)]
    if few:
        text = "classes with very few recordings are hard to learn"
        findings.append(Finding("D111", "warning", text, ", ".join(few[:FEW])))
    return findings


def _cropped(recordings: Recordings, rows: npt.NDArray[Any], length: int) -> Finding:
    names = some([recordings.paths[i] for i in rows])
    return Finding(
        "D512",
        "info",
        f"recordings longer than {length / recordings.rate:g} s were cropped to their loudest part",
        f"{len(rows)} of {len(recordings)}: {names}",
        "data.length sets another length",
    )


def heard_in(recordings: Recordings) -> tuple[Finding, ...]:
    """What there is to say before predictions are made of recordings."""
    known = {f.code for f in recordings.findings}
    more = [f for f in heard(recordings) if f.code not in known]
    return (*(f for f in recordings.findings if f.code not in ("D503", "D504")), *more)
