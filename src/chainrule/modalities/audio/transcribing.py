"""Transcripts as what is learned: letters, targets, the network that writes, and its loss."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ... import nn
from ...data import Finding, Split
from ...data.audio import Alphabet, Recordings, Transcribed, read_audio, read_transcripts
from ...data.audio.transcripts import steps_needed
from ...data.listing import some
from ...errors import ConfigError, DataError
from ...frontend import Tensor
from ...frontend.functional.normalization import masked_batch_norm
from ...frontend.operations.arithmetic import where
from ...frontend.operations.creation import iota, tensor
from ...nn import functional as F
from ...runs.modality import PartName
from ...runs.parts import OpenedExamples, PreparedFiles
from ...runs.preprocessor import PlainPreprocessor
from ...tasks import Transcription
from ...train import bounds_for
from .network import Features
from .prepare import audio_facts, feature_moments, minutes, speakers_apart, usable
from .recognising import TABLES
from .settings import AudioDataSettings, AudioSettings
from .source import STRIDE, TranscriptSource, steps_of

__all__ = ["OpenedTranscripts", "PreparedTranscripts", "TranscriptLoss", "TranscriptPreprocessor",
           "WritingNetwork", "open_transcripts", "table_of"]  # fmt: skip

CHANNELS = 24


@dataclass(frozen=True)
class TranscriptPreprocessor(PlainPreprocessor):
    """``rate`` in samples per second, ``length`` of a clip in samples, the ``letters`` of the
    training transcripts; ``mean`` and ``std`` of each band."""

    FORMAT: ClassVar[str] = "chainrule.transcripts"
    OF: ClassVar[str] = "transcripts"
    SHAPE: ClassVar[Mapping[str, Any]] = {
        "rate": int, "length": int, "letters": str, "mean": [float], "std": [float]
    }  # fmt: skip

    rate: int
    length: int
    letters: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def read(self, source: object, labels: object = None, labelled: bool = False) -> Recordings:
        """The recordings of a source at the rate of the network; all but one may be unreadable."""
        if isinstance(source, str | os.PathLike) and str(source).lower().endswith(TABLES):
            return read_transcripts(source, rate=self.rate, most_bad=1.0).recordings
        return read_audio(source, rate=self.rate, labelled=False, most_bad=1.0)

    def holds_together(self) -> bool:
        letters = self.letters
        return usable(self.rate, self.length, self.mean, self.std) and (
            0 < len(set(letters)) == len(letters)
        )


class WritingNetwork(nn.Module):
    """Log-probabilities [N, steps, letters + 1] of clips int16 [N, samples] and the ``steps`` of
    each: two convolutions, then gated recurrent units in both directions (Amodei et al., 2016,
    "Deep Speech 2", much smaller). Beyond the steps of a clip there are zeros, in and between the
    layers too, which no batch statistic counts: what a clip gives, and what is learned from it,
    does not depend on how far it is padded."""

    def __init__(
        self,
        features: Features,
        scaling: tuple[Sequence[float], Sequence[float]],
        holes: nn.SpecAugment | None,
        letters: int,
        *,
        hidden: int,
        layers: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.features, self.holes = features, holes
        mean, std = (np.asarray(values, np.float64).reshape(-1, 1) for values in scaling)
        self.register_buffer("scale", tensor((1.0 / std).astype(np.float32)))
        self.register_buffer("shift", tensor((-mean / std).astype(np.float32)))
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, CHANNELS, 5, STRIDE, padding=2, bias=False),
            StepNorm(CHANNELS), nn.ReLU(),
            nn.Conv2d(CHANNELS, CHANNELS, 3, (2, 1), padding=1, bias=False),
            StepNorm(CHANNELS), nn.ReLU(),
        )  # fmt: skip
        width = CHANNELS * ((features.bands + 3) // 4)
        between = dropout if layers > 1 else 0.0
        self.gru = nn.GRU(
            width, hidden, layers, batch_first=True, dropout=between, bidirectional=True
        )
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(2 * hidden, letters + 1)

    def forward(self, clips: Tensor, steps: Tensor) -> Tensor:
        """The log-probabilities."""
        features = self.features(clips) * self.scale + self.shift
        if self.holes is not None:
            features = self.holes(features)
        maps = inside(features, steps * STRIDE).unsqueeze(1)
        for layer in self.convolutions:
            maps = layer(maps, steps) if isinstance(layer, StepNorm) else layer(maps)
            if isinstance(layer, nn.ReLU):
                maps = inside(maps, steps)
        outputs, _ = self.gru(maps.permute(0, 3, 1, 2).flatten(2), lengths=steps)
        scores = F.log_softmax(self.classifier(self.dropout(outputs)), -1)
        return inside(scores.transpose(1, 2), steps).transpose(1, 2)


class StepNorm(nn.BatchNorm2d):
    """`nn.BatchNorm2d` of maps [N, C, bands, times] by the ``steps`` [N] that clips have."""

    def forward(self, x: Tensor, steps: Tensor | None = None) -> Tensor:
        """The normalised maps; without ``steps`` all times count."""
        if steps is None:
            return super().forward(x)
        return masked_batch_norm(
            x, known(x, steps), self.running_mean, self.running_var, self.weight, self.bias,
            training=self.training, momentum=self._momentum(), eps=self.eps,
        )  # fmt: skip


def known(x: Tensor, steps: Tensor) -> Tensor:
    """Which times of ``x`` [N, ..., times] are before ``steps`` [N]: bool [N, 1, ..., times]."""
    rows, times = x.shape[0], x.shape[-1]
    between = [1] * (x.ndim - 2)
    before: Tensor = iota((rows, times), 1) < steps.unsqueeze(1)
    return before.reshape(rows, *between, times)


def inside(x: Tensor, steps: Tensor) -> Tensor:
    """``x`` [N, ..., times] with zeros from ``steps`` [N] on."""
    result: Tensor = where(known(x, steps), x, 0.0)
    return result


class TranscriptLoss(nn.Module):
    """`functional.ctc_loss` of log-probabilities [N, steps, letters + 1] and targets as
    `Transcription` describes them."""

    def forward(self, outputs: Tensor, target: Tensor) -> Tensor:
        """The mean over the rows of the loss by letter."""
        return F.ctc_loss(
            outputs.permute(1, 0, 2), target[:, 2:], target[:, 0], target[:, 1], zero_infinity=True
        )


@dataclass(frozen=True)
class OpenedTranscripts(OpenedExamples[AudioSettings, Transcribed]):
    """All recordings of a table with their transcripts."""

    def divide(self, settings: AudioSettings) -> Split:
        """At random, or with no speaker in two parts."""
        data, recordings = settings.data, self.examples.recordings
        if data.speaker:
            return speakers_apart(recordings, data, settings.split_seed)
        return data.divide(len(recordings), settings.split_seed, unit=recordings.UNIT)

    def prepare(self, settings: AudioSettings, folder: Path | None) -> PreparedTranscripts:
        """Splits the recordings, and measures the training part."""
        recordings = self.examples.recordings
        settings = settings.resolved(
            self.training_rows(), recordings.rate, int(recordings.lengths.max()), Transcription
        )
        length = settings.data.samples(recordings.rate)
        split = self.divide(settings)
        train, val, test = (
            self.examples.take(rows.tolist()) for rows in (split.train, split.val, split.test)
        )
        hop = recordings.rate * settings.hop // 1000
        train, findings = _sayable(train, Alphabet.of(train.texts), length, hop)
        alphabet = Alphabet.of(train.texts)
        findings += _unknown((val, test), alphabet)
        features = settings.features.build(recordings.rate, settings.hop)
        mean, std = feature_moments(features, train.recordings, length)
        preprocessor = TranscriptPreprocessor(recordings.rate, length, alphabet.letters, mean, std)
        return PreparedTranscripts(
            settings, recordings.name, self.examples.fingerprint(), (train, val, test),
            preprocessor, (*self.examples.findings, *findings),
        )  # fmt: skip


def table_of(source: object) -> str | os.PathLike[str]:
    """The path of a table. DataError for anything else."""
    if isinstance(source, str | os.PathLike):
        return source
    raise DataError(
        "transcripts come from a table", help="pass a csv with columns of files and texts"
    )


def open_transcripts(settings: AudioSettings, source: object) -> OpenedTranscripts:
    """The table of ``settings`` or of ``source``. DataError or ConfigError for what is none."""
    data = settings.data
    if data.test:
        raise ConfigError("`data.test` is for classes", help="transcripts are split: data.speaker")
    wanted = "" if data.target == AudioDataSettings().target else data.target
    read = read_transcripts(table_of(source), wanted, rate=data.fixed_rate, most_bad=data.most_bad)
    settings = replace(settings, data=replace(data, target=wanted or "text"))
    return OpenedTranscripts(read, settings.named(read.recordings.name).with_absolute_paths())


@dataclass(frozen=True)
class PreparedTranscripts(PreparedFiles[AudioSettings]):
    """``parts`` of the recordings: training, validation, test."""

    preprocessor: TranscriptPreprocessor

    @property
    def hop(self) -> int:
        """Samples from frame to frame."""
        return self.preprocessor.rate * self.settings.hop // 1000

    @property
    def room(self) -> int:
        """Samples after a recording that its last step sees."""
        return self.settings.room(self.preprocessor.rate)

    @cached_property
    def bounds(self) -> tuple[int, ...]:
        """The lengths at which batches are read, by the training part."""
        lengths = self.part("train").recordings.lengths
        return bounds_for(np.minimum(lengths, self.preprocessor.length) + self.room)

    def source(self, part: PartName) -> TranscriptSource:
        """A part, in batches of recordings of like length."""
        return TranscriptSource(
            self.part(part).recordings, self.preprocessor.length, self.hop, self.room,
            self.target(part), self.bounds,
        )  # fmt: skip

    def target(self, part: PartName) -> npt.NDArray[Any]:
        """Steps, the number of letters, and these. Letters without a number are left out: they
        count as errors of the test all the same, see `truth`."""
        data, letters = self.part(part), self.preprocessor.letters
        longest = max(len(text) for each in self.parts for text in each.texts)
        lengths = np.minimum(data.recordings.lengths, self.preprocessor.length)
        target = np.ones((len(data), 2 + longest), np.int32)
        target[:, 0] = steps_of(lengths, self.hop)
        for row, text in zip(target, data.texts, strict=True):
            codes = [letters.index(letter) + 1 for letter in text if letter in letters]
            row[1], row[2 : 2 + len(codes)] = len(codes), codes
        return target

    @property
    def truth(self) -> npt.NDArray[Any]:
        return np.array(self.parts[2].texts, object)

    def data_facts(self) -> dict[str, Any]:
        seconds = sum(part.recordings.seconds for part in self.parts)
        return {**super().data_facts(), **minutes(seconds)}

    def model_facts(self) -> dict[str, Any]:
        return audio_facts(self.settings, "up to ", self.preprocessor)


def _sayable(
    data: Transcribed, alphabet: Alphabet, length: int, hop: int
) -> tuple[Transcribed, list[Finding]]:
    """Without recordings in which there is no time for the transcript, or more than the length."""
    steps = steps_of(data.recordings.lengths, hop)
    short = [
        i for i, text in enumerate(data.texts) if steps_needed(alphabet.encode(text)) > steps[i]
    ]
    long = np.flatnonzero(data.recordings.lengths > length).tolist()
    left_out, findings = {*short, *long}, []
    for code, rows, message in (
        ("D514", short, "transcripts have more letters than their recordings have time for"),
        ("D512", long, f"recordings longer than {length} samples were not trained on"),
    ):
        if rows:
            names = some([data.recordings.paths[i] for i in rows])
            evidence = f"{len(rows)} of {len(data)} training recordings: {names}"
            findings.append(Finding(code, "warning", message, evidence))
    if len(left_out) == len(data):
        raise DataError(
            "no transcript fits its recording", help="compare a few of them; see data.length"
        )
    return data.take([i for i in range(len(data)) if i not in left_out]), findings


def _unknown(parts: Sequence[Transcribed], alphabet: Alphabet) -> list[Finding]:
    """Letters that only validation and test transcripts have."""
    others = set().union(*(set(text) for part in parts for text in part.texts))
    unknown = sorted(others - set(alphabet.letters))
    if not unknown:
        return []
    message = "letters that no training transcript has cannot be learned"
    return [Finding("D515", "warning", message, ", ".join(map(repr, unknown)))]
