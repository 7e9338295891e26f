"""Transcripts as what is learned: letters, targets, the network that writes, and its loss."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ... import nn
from ...data import Finding, Split
from ...data.audio import Alphabet, Recordings, Transcribed, read_audio, read_transcripts
from ...data.audio.transcripts import steps_needed
from ...data.listing import some
from ...errors import ConfigError, DataError, StateError
from ...frontend import Tensor
from ...frontend.operations.arithmetic import where
from ...frontend.operations.creation import iota, tensor
from ...nn import functional as F
from ...records import check_shape, parsed
from ...runs.modality import PARTS, PartName
from ...train.examples import Examples
from .network import Features
from .prepare import feature_moments, speakers_apart
from .settings import AudioDataSettings, AudioSettings
from .source import EVALUATION_SAMPLES

__all__ = ["OpenedTranscripts", "PreparedTranscripts", "TranscriptLoss", "TranscriptPreprocessor",
           "WritingNetwork", "clips_of",
           "open_transcripts", "table_of"]  # fmt: skip

Array = npt.NDArray[Any]
FORMAT = "chainrule.transcripts"
#: how the names of tables end
TABLES = (".csv", ".tsv")
SHAPE = {"format": str, "version": int, "rate": int, "length": int, "letters": str,
         "mean": [float], "std": [float]}  # fmt: skip
#: frames to a step of the network
STRIDE = 2
CHANNELS = 24
#: the log-probability of what cannot be
NEVER = -1e4


@dataclass(frozen=True)
class TranscriptPreprocessor:
    """``rate`` in samples per second, ``length`` of a clip in samples, the ``letters`` of the
    training transcripts; ``mean`` and ``std`` of each band."""

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

    def to_json(self) -> str:
        """The text of ``pipeline.json``."""
        return json.dumps({"format": FORMAT, "version": 1, **asdict(self)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str) -> TranscriptPreprocessor:
        """From the text of `to_json`. StateError, naming ``where``, for anything else."""
        document = parsed(text, "pipeline.json", where)
        check_shape(document, SHAPE, where)
        mean, std = tuple(document["mean"]), tuple(document["std"])
        letters = document["letters"]
        known = (document["format"], document["version"]) == (FORMAT, 1)
        sized = 1000 <= document["rate"] <= 768_000 and 1 <= document["length"] <= 1 << 24
        if not known or not sized or len(mean) != len(std) or len(set(letters)) != len(letters):
            raise StateError(
                "pipeline.json does not belong to a run on transcripts",
                where=where,
                help="it was changed or cut off; copy it again",
            )
        return cls(document["rate"], document["length"], letters, mean, std)


class WritingNetwork(nn.Module):
    """Log-probabilities [N, steps, letters + 1] of clips int16 [N, samples] and the ``steps`` of
    each: two convolutions, then gated recurrent units in both directions (Amodei et al., 2016,
    "Deep Speech 2", much smaller). Steps beyond those of a clip are certain blanks."""

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
            nn.BatchNorm2d(CHANNELS), nn.ReLU(),
            nn.Conv2d(CHANNELS, CHANNELS, 3, (2, 1), padding=1, bias=False),
            nn.BatchNorm2d(CHANNELS), nn.ReLU(),
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
        maps = self.convolutions(features.unsqueeze(1)).permute(0, 3, 1, 2).flatten(2)
        rows, available = maps.shape[0], maps.shape[1]
        outputs, _ = self.gru(maps, lengths=steps)
        scores = F.log_softmax(self.classifier(self.dropout(outputs)), -1)
        inside = (iota((rows, available), 1) < steps.unsqueeze(1)).unsqueeze(2)
        blank = iota((1, 1, scores.shape[2]), 2) == 0
        result: Tensor = where(inside, scores, where(blank, 0.0, NEVER))
        return result


class TranscriptLoss(nn.Module):
    """`functional.ctc_loss` of log-probabilities [N, steps, letters + 1] and targets as
    `Transcription` describes them."""

    def forward(self, outputs: Tensor, target: Tensor) -> Tensor:
        """The mean over the rows of the loss by letter."""
        return F.ctc_loss(
            outputs.permute(1, 0, 2), target[:, 2:], target[:, 0], target[:, 1], zero_infinity=True
        )


def steps_of(samples: npt.NDArray[np.integer[Any]], hop: int) -> npt.NDArray[np.int32]:
    """The steps of the network for so many samples, ``hop`` samples between frames."""
    frames = 1 + samples // hop
    return np.asarray((frames + STRIDE - 1) // STRIDE, np.int32)


class TranscriptSource(Examples):
    """Clips, the steps of each, and targets; long ones are evaluated a few at a time."""

    @property
    def evaluation_rows(self) -> int:
        """A power of two."""
        fitting = EVALUATION_SAMPLES // int(self.arrays[0].shape[1])
        return 1 << max(0, fitting.bit_length() - 1)


def clips_of(recordings: Recordings, length: int, hop: int) -> tuple[Array, Array]:
    """Recordings from their beginning, as [N, length], and the steps of each."""
    clips = np.zeros((len(recordings), length), np.int16)
    for i in range(len(recordings)):
        own = recordings[i][:length]
        clips[i, : len(own)] = own
    return clips, steps_of(np.minimum(recordings.lengths, length), hop)


@dataclass(frozen=True)
class OpenedTranscripts:
    """All recordings of a table with their transcripts."""

    data: Transcribed
    settings: AudioSettings

    @property
    def fingerprint(self) -> None:
        """Not known before it is asked for all."""
        return None

    def training_rows(self) -> int:
        return self.settings.data.training_rows(len(self.data))

    def divide(self, settings: AudioSettings) -> Split:
        """Which rows are for training, validation and test."""
        return speakers_apart(self.data.recordings, settings.data, settings.seed)

    def prepare(self, settings: AudioSettings, folder: Path | None) -> PreparedTranscripts:
        """Splits the recordings, and measures the training part."""
        recordings = self.data.recordings
        settings = settings.resolved_for_transcripts(
            self.training_rows(), recordings.rate, int(recordings.lengths.max())
        )
        assert not isinstance(settings.data.length, str)
        length = round(settings.data.length * recordings.rate)
        split = self.divide(settings)
        parts = tuple(
            self.data.take(rows.tolist()) for rows in (split.train, split.val, split.test)
        )
        hop = recordings.rate * settings.hop // 1000
        train, findings = _sayable(parts[0], Alphabet.of(parts[0].texts), length, hop)
        alphabet = Alphabet.of(train.texts)
        findings += _unknown(parts[1:], alphabet)
        features = settings.features.build(recordings.rate, settings.hop)
        mean, std = feature_moments(features, train.recordings, length)
        preprocessor = TranscriptPreprocessor(recordings.rate, length, alphabet.letters, mean, std)
        return PreparedTranscripts(
            settings, recordings.name, self.data.fingerprint(), (train, parts[1], parts[2]),
            preprocessor, (*self.data.findings, *findings),
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
class PreparedTranscripts:
    """``parts`` of the recordings: training, validation, test."""

    settings: AudioSettings
    name: str
    fingerprint: str
    parts: tuple[Transcribed, Transcribed, Transcribed]
    preprocessor: TranscriptPreprocessor
    findings: tuple[Finding, ...]

    def with_settings(self, settings: AudioSettings) -> PreparedTranscripts:
        return replace(self, settings=settings)

    @property
    def hop(self) -> int:
        """Samples from frame to frame."""
        return self.preprocessor.rate * self.settings.hop // 1000

    def source(self, part: PartName) -> TranscriptSource:
        """A part as clips of one length."""
        clips, steps = clips_of(
            self.parts[PARTS.index(part)].recordings, self.preprocessor.length, self.hop
        )
        return TranscriptSource((clips, steps, self.target(part)))

    @property
    def train(self) -> TranscriptSource:
        return self.source("train")

    @property
    def validation(self) -> TranscriptSource:
        return self.source("validation")

    @property
    def test(self) -> TranscriptSource:
        return self.source("test")

    def target(self, part: PartName) -> npt.NDArray[Any]:
        """Steps, the number of letters, and these. Letters without a number are left out: they
        count as errors of the test all the same, see `truth`."""
        data, letters = self.parts[PARTS.index(part)], self.preprocessor.letters
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

    @property
    def sizes(self) -> dict[str, int]:
        return {name: len(part) for name, part in zip(PARTS, self.parts, strict=True)}

    def data_facts(self) -> dict[str, Any]:
        seconds = sum(part.recordings.seconds for part in self.parts)
        return {"rows": sum(map(len, self.parts)), "minutes": round(seconds / 60, 1)}

    def model_facts(self) -> dict[str, Any]:
        pre = self.preprocessor
        return {
            "name": self.settings.model.name,
            "clips": f"up to {pre.length / pre.rate:g} s at {pre.rate:,} Hz",
            "features": f"{self.settings.features.bands} bands every {self.settings.hop} ms",
        }

    @property
    def model_name(self) -> str:
        return self.settings.model.name


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
