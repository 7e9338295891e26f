"""What is between recordings and the network: rate, length, scaling, names of classes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ...data import Finding, Split
from ...data.audio import Recordings, read_audio
from ...data.audio.reading import heard
from ...data.files import MOST_BAD
from ...data.listing import some
from ...data.moments import Moments
from ...errors import DataError
from ...frontend import no_grad
from ...frontend.apply import from_array
from ...frontend.compiled import compile
from ...runs.modality import PartName, is_pair
from ...runs.parts import OpenedFiles, PreparedFiles, check_classes, divide_classes
from ...runs.preprocessor import PlainPreprocessor
from ...train.batch_source import spread_rows
from .network import Features
from .settings import AudioDataSettings, AudioSettings
from .source import AudioSource, frames_of

__all__ = ["AudioPreprocessor", "OpenedAudio", "PreparedAudio", "audio_facts", "feature_moments",
           "heard_in", "minutes", "speakers_apart", "split_recordings", "usable"]  # fmt: skip

LARGEST_RATE, LONGEST = 768_000, 1 << 24
#: the scaling is measured on so many recordings of the training part, a batch at a time
MEASURED, BATCH = 1024, 32
#: what the speaker of a recording is whose path the regular expression does not match
UNKNOWN = ""


@dataclass(frozen=True)
class AudioPreprocessor(PlainPreprocessor):
    """``rate`` in samples per second, ``length`` of a clip in samples. ``mean`` and ``std`` of each
    band are those of the features of training recordings."""

    FORMAT: ClassVar[str] = "chainrule.audio"
    OF: ClassVar[str] = "sound"
    SHAPE: ClassVar[Mapping[str, Any]] = {
        "rate": int, "length": int, "classes": [str], "mean": [float], "std": [float]
    }  # fmt: skip

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

    def holds_together(self) -> bool:
        return usable(self.rate, self.length, self.mean, self.std) and len(self.classes) >= 2


def usable(rate: int, length: int, mean: Sequence[float], std: Sequence[float]) -> bool:
    """Whether clips can have this rate and length, and bands these numbers."""
    return (
        1000 <= rate <= LARGEST_RATE
        and 1 <= length <= LONGEST
        and len(mean) == len(std) > 0
        and min(std) > 0
    )


@dataclass(frozen=True)
class OpenedAudio(OpenedFiles[AudioSettings, Recordings]):
    """All recordings of a source; ``settings`` have absolute paths."""

    def divide(self, settings: AudioSettings) -> Split:
        """With nearly equal shares of all classes, or with no speaker in two parts."""
        return split_recordings(self.examples, settings.data, settings.split_seed)

    def prepare(self, settings: AudioSettings, folder: Path | None) -> PreparedAudio:
        """Splits the recordings, and measures the training part."""
        recordings = self.examples
        split = self.divide(settings)
        train = recordings.take(split.train)
        val, test = (recordings.take(rows).whole() for rows in (split.val, split.test))
        settings = settings.resolved(len(train), recordings.rate, int(recordings.lengths.max()))
        length = settings.data.samples(recordings.rate)
        features = settings.features.build(recordings.rate, settings.hop)
        mean, std = feature_moments(features, train, length)
        preprocessor = AudioPreprocessor(recordings.rate, length, recordings.classes, mean, std)
        test, fingerprint, findings = self.tested_on(settings, test, preprocessor.read)
        return PreparedAudio(
            settings, recordings.name, fingerprint, (train, val, test), preprocessor,
            (*findings, *_cropped(recordings, length)),
        )  # fmt: skip


def audio_facts(settings: AudioSettings, clips: str, preprocessor: Any) -> dict[str, Any]:
    """`Prepared.model_facts` of networks for sound; ``clips`` says how long these are."""
    features = settings.features
    kind = f"{features.coefficients} MFCC" if features.coefficients else f"{features.bands} bands"
    seconds = preprocessor.length / preprocessor.rate
    return {
        "name": settings.model.name,
        "clips": f"{clips}{seconds:g} s at {preprocessor.rate:,} Hz",
        "features": f"{kind} every {settings.hop} ms",
    }


def minutes(seconds: float) -> dict[str, Any]:
    """A part of `Prepared.data_facts`."""
    return {"minutes": round(seconds / 60, 1)}


@dataclass(frozen=True)
class PreparedAudio(PreparedFiles[AudioSettings]):
    """``parts`` of the recordings: training, validation, test."""

    preprocessor: AudioPreprocessor

    def source(self, part: PartName) -> AudioSource:
        """A part as clips of one length."""
        recordings = self.part(part)
        clips = recordings.fixed(self.preprocessor.length)
        return AudioSource(clips, recordings.labels[recordings.here])

    def data_facts(self) -> dict[str, Any]:
        return {**super().data_facts(), **minutes(sum(part.seconds for part in self.parts))}

    def model_facts(self) -> dict[str, Any]:
        return audio_facts(self.settings, "", self.preprocessor)


def feature_moments(
    features: Features, recordings: Recordings, length: int, *, padded: bool = True
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of each band over frames of recordings, at most `MEASURED` of them, evenly
    spaced; the same bits on every machine. A band of one value has the deviation 1. Unless they
    count as ``padded`` to ``length``, frames after the end of a recording are left out."""
    chosen = recordings.take(spread_rows(len(recordings), MEASURED)).whole()
    clips = chosen.fixed(length) if padded else chosen.beginnings(length, length)
    frames = frames_of(np.full_like(chosen.lengths, length) if padded else chosen.lengths,
                       features.hop)  # fmt: skip
    moments = Moments(features.bands)
    step = compile(features)

    def chunks() -> Iterator[npt.NDArray[np.float64]]:
        for start in range(0, len(clips), BATCH):
            batch, known = clips[start : start + BATCH], frames[start : start + BATCH]
            together = np.zeros((BATCH, length), np.int16)  # one program for the last batch, too
            together[: len(batch)] = batch
            with no_grad():
                values = step(from_array(together)).numpy()[: len(batch)].transpose(0, 2, 1)
            yield values[np.arange(values.shape[1]) < known[:, None]].astype(np.float64)

    for chunk in chunks():
        moments.add(chunk)
    for chunk in chunks():
        moments.add_deviations(chunk)
    std = np.where(moments.std > 0, moments.std, 1.0)
    return tuple(moments.mean.tolist()), tuple(std.tolist())


def split_recordings(recordings: Recordings, data: AudioDataSettings, seed: int) -> Split:
    """Which recordings are for training, validation and test. DataError if there are fewer than two
    classes, or too few recordings or speakers."""
    if data.speaker:
        check_classes(recordings)
        return speakers_apart(recordings, data, seed)
    return divide_classes(recordings, data, seed)


def speakers_apart(recordings: Recordings, data: AudioDataSettings, seed: int) -> Split:
    """Three parts with no speaker in two of them. DataError for too few speakers."""
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
    of_speakers = data.divide(len(speakers), seed, unit="speaker", shares=data.shares)
    rows = [np.flatnonzero(np.isin(own, part)) for part in
            (of_speakers.train, of_speakers.val, of_speakers.test)]  # fmt: skip
    return Split(*rows)


def speaker_of(path: str, pattern: str) -> str:
    """What a regular expression finds in a path: its first group, or all that it matches."""
    match = re.search(pattern, path)
    if match is None:
        return UNKNOWN
    return match[1] if match.re.groups else match[0]


def _cropped(recordings: Recordings, length: int) -> list[Finding]:
    rows = np.flatnonzero(recordings.lengths > length + recordings.rate // 100)
    if not len(rows):
        return []
    message = f"recordings longer than {length / recordings.rate:g} s were cropped to their loudest"
    names = some([recordings.paths[i] for i in rows])
    evidence = f"{len(rows)} of {len(recordings)}: {names}"
    advice = "data.length sets another length"
    return [Finding("D512", "info", f"{message} part", evidence, advice)]


def heard_in(recordings: Recordings) -> tuple[Finding, ...]:
    """What there is to say before predictions are made of recordings."""
    known = {f.code for f in recordings.findings}
    more = [f for f in heard(recordings) if f.code not in known]
    return (*(f for f in recordings.findings if f.code not in ("D503", "D504")), *more)
