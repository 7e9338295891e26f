"""A trained network and its preprocessing: predicts, and evaluates, recordings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ...data.audio import Recordings, read_transcripts
from ...errors import ConfigError
from ...nn import Module
from ...runs.example import Example, Form
from ...runs.file_predictor import FilePredictor
from ...tasks import Transcription
from ...train import BatchSource, Scores, bounds_for
from .prepare import AudioPreprocessor, heard_in
from .settings import AudioSettings
from .source import AudioSource, TranscriptSource
from .transcribing import TranscriptPreprocessor, table_of

__all__ = ["AudioPredictor"]


class AudioPredictor(
    FilePredictor[Module, AudioPreprocessor | TranscriptPreprocessor, AudioSettings, Recordings]
):
    """What ``fit_audio`` and ``load_run`` return::

        model.predict("new.wav")       # the names of the classes
        model.predict_proba("folder")  # (recordings, classes), in the order of model.classes
        model.evaluate("labelled")     # {"accuracy": 0.93, ...}

    A source is anything that ``read_audio`` accepts, or a pair of (clips, labels). Recordings are
    brought to the rate and length of the network. Unreadable files are skipped: ``last_findings``
    names them, and ``recordings(source).paths`` lists the others. ``metrics`` are those of the test
    recordings, ``baseline`` those of a constant guess; ``run`` is the run folder, if there is one.
    """

    def evaluate(self, source: object) -> dict[str, float]:
        """Metrics on recordings with their classes, which must be known to the model, or on a table
        with their transcripts."""
        if not isinstance(self.goal, Transcription):
            return super().evaluate(source)
        data = read_transcripts(
            table_of(source), self.settings.data.target, rate=self.preprocessor.rate
        )
        self.last_findings = heard_in(data.recordings)
        scores = self.scores_of(self.batches(data.recordings))
        return self.goal.compute_metrics(np.array(data.texts, object), scores)

    def batches(self, examples: Recordings) -> BatchSource:
        pre = self.preprocessor
        if isinstance(pre, TranscriptPreprocessor):
            # Any length will do; whole seconds, so that few programs serve all.
            room, lengths = self.settings.room(pre.rate), examples.lengths
            bounds = bounds_for(-(-(lengths + room) // pre.rate) * pre.rate)
            hop = pre.rate * self.settings.hop // 1000
            return TranscriptSource(examples, int(lengths.max()), hop, room, bounds=bounds)
        return AudioSource(examples.fixed(pre.length), examples.labels)

    def form(self) -> Form:
        written = isinstance(self.goal, Transcription)
        aim = "what is said in it" if written else "a class"
        return replace(super().form(), whole="the path of a recording", aim=aim)

    def aim(self, text: str) -> npt.NDArray[Any]:
        pre = self.preprocessor
        if not isinstance(pre, TranscriptPreprocessor):
            return super().aim(text)
        if strange := sorted(set(text) - set(pre.letters)):
            raise ConfigError(
                f"the network writes no {strange[0]!r}", where="--target",
                help=f"its letters: {pre.letters}",
            )  # fmt: skip
        codes = [pre.letters.index(letter) + 1 for letter in text]
        return np.array([len(codes), *codes], np.int32)

    def example(self, given: Any, target: str | None = None) -> Example:
        read = super().example(given, target)
        if read.target is None or not isinstance(self.goal, Transcription):
            return read
        steps = read.inputs.arrays[1][:1]
        return replace(read, target=np.concatenate([steps, read.target])[None])

    def confidence(self, scores: Scores) -> npt.NDArray[np.float64]:
        if isinstance(self.goal, Transcription):
            return self.goal.confidence(scores)
        return super().confidence(scores)

    def recordings(self, source: object, labelled: bool = False) -> Recordings:
        """The recordings of a source at the rate of the network; see `examples`."""
        recordings = self.preprocessor.read(source, labelled=labelled)
        self.last_findings = heard_in(recordings)
        return recordings

    def examples(self, source: object, labelled: bool = False) -> Recordings:
        return self.recordings(source, labelled)
