"""Sound as a kind of data: all that runs, reports and commands know about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from ... import nn
from ...data.audio import BUNDLED_AUDIO, read_audio
from ...data.gathering import Gathering
from ...records import parsed
from ...runs.modality import Batch, Modality, Words, is_pair
from ...runs.readers import readers
from ...runs.settings.arguments import COMMON_ARGUMENTS
from ...runs.settings.sources import Key
from ...runs.space import Space
from ...runs.task import Task
from ...tasks import Multiclass, Transcription
from ...tasks.mistakes import worst_mistakes
from ...train import Scores
from .checks import CHECKS
from .network import AudioNetwork, build
from .options import OPTIONS, SOURCES
from .pictures import picture
from .predictor import AudioPredictor
from .prepare import AudioPreprocessor, OpenedAudio, PreparedAudio
from .recognising import recognises
from .settings import BUNDLED_SPEAKER, AudioSettings
from .space import space_for
from .transcribing import (
    OpenedTranscripts,
    PreparedTranscripts,
    TranscriptLoss,
    TranscriptPreprocessor,
    WritingNetwork,
    open_transcripts,
)
from .words import words_for

__all__ = ["AUDIO", "KIND", "AudioKind"]

#: how likely a table is one of files and transcripts
Opened = OpenedAudio | OpenedTranscripts
AnyPrepared = PreparedAudio | PreparedTranscripts
AnyPreprocessor = AudioPreprocessor | TranscriptPreprocessor


class AudioKind(Modality[AudioSettings, AudioPredictor]):
    """Folders of sound files, and arrays of samples."""

    name = "audio"
    settings = AudioSettings
    sources, options = SOURCES, OPTIONS
    prepared_by: ClassVar[tuple[str, ...]] = ("data", "features", "model.name")
    arguments: Mapping[str, Key] = {
        **COMMON_ARGUMENTS,
        "test": ("data", "test"),
        "target": ("data", "target"),
        "task": ("data", "task"),
        "speaker": ("data", "speaker"),
        "rate": ("data", "rate"),
        "length": ("data", "length"),
        "network": ("model", "name"),
    }
    tasks: Mapping[str, type[Task]] = {task.name: task for task in (Multiclass, Transcription)}
    facts: ClassVar[Mapping[str, Any]] = {
        "model": {"name": str, "clips": str, "features": str}, "data": {"minutes": float}
    }  # fmt: skip
    predictor = AudioPredictor
    checks: Sequence[Any] = CHECKS

    def recognises(self, source: object) -> float:
        return recognises(source)

    def open(self, settings: AudioSettings, source: object, folder: Path | None) -> Opened:
        data, labels = settings.data, None
        origin = data.path if source is None else source
        if data.task == Transcription.name:
            return open_transcripts(settings, origin)
        if is_pair(origin):
            origin, labels = origin
        recordings = read_audio(
            origin, labels, rate=data.fixed_rate, most_bad=data.most_bad,
            gathering=Gathering(readers(settings)),
        )  # fmt: skip
        if recordings.name in BUNDLED_AUDIO and not data.speaker:
            settings = replace(settings, data=replace(data, speaker=BUNDLED_SPEAKER))
        return OpenedAudio(recordings, settings.named(recordings.name).with_absolute_paths())

    def build(self, preprocessor: AnyPreprocessor, settings: AudioSettings) -> nn.Module:
        network = settings.model
        features = settings.features.build(preprocessor.rate, settings.hop)
        if isinstance(preprocessor, TranscriptPreprocessor):
            return WritingNetwork(
                features, (preprocessor.mean, preprocessor.std),
                settings.augment.holes(settings.hop), len(preprocessor.letters),
                **network.settings,
            )  # fmt: skip
        net = build(network.name, network.settings, len(preprocessor.classes), features.bands)
        holes = settings.augment.holes(settings.hop)
        return AudioNetwork(features, net, preprocessor.mean, preprocessor.std, holes)

    def read_preprocessor(self, text: str, where: str) -> AnyPreprocessor:
        document = parsed(text, "pipeline.json", where)
        if (
            isinstance(document, Mapping)
            and document.get("format") == TranscriptPreprocessor.FORMAT
        ):
            return TranscriptPreprocessor.from_json(text, where)
        return AudioPreprocessor.from_json(text, where)

    def goal(self, preprocessor: AnyPreprocessor) -> Task:
        if isinstance(preprocessor, TranscriptPreprocessor):
            return Transcription(preprocessor.letters)
        return Multiclass(preprocessor.classes)

    def loss(self, prepared: AnyPrepared) -> Any:
        if isinstance(prepared, PreparedTranscripts):
            return TranscriptLoss()
        return super().loss(prepared)

    def describe(self, facts: Mapping[str, Any]) -> Words:
        return words_for(facts)

    def space(self, settings: AudioSettings) -> Space:
        return space_for(settings)

    def transform(self, prepared: AnyPrepared) -> Callable[..., Batch] | None:
        preprocessor, settings = prepared.preprocessor, prepared.settings
        if isinstance(preprocessor, TranscriptPreprocessor):
            return settings.augment.of_transcripts()
        smoothing = settings.train.label_smoothing
        return settings.augment.augment(preprocessor.rate, smoothing, len(preprocessor.classes))

    def evaluation(self, prepared: AnyPrepared, scores: Scores) -> dict[str, Any]:
        """The worst mistakes, as pictures of what the network saw; or transcripts."""
        test = prepared.part("test")
        if isinstance(prepared, PreparedTranscripts):
            goal = Transcription(prepared.preprocessor.letters)
            names, unit = test.recordings.paths, test.recordings.UNIT
            return {"tables": goal.transcripts(names, unit, prepared.truth, scores)}
        clips = prepared.test.arrays[0]
        features = prepared.settings.features.build(test.rate, prepared.settings.hop)
        mistakes = worst_mistakes(
            test.paths, test.labels, test.classes, scores, lambda i: picture(features, clips[i])
        )
        return {"mistakes": mistakes}


KIND = AUDIO = AudioKind()
