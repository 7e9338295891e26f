"""A trained network and its preprocessing: predicts, and evaluates, recordings."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...data.audio import Recordings, read_transcripts
from ...nn import Module
from ...runs.predictor import Column, Predictor
from ...tasks import Transcription
from ...train import Scores
from .prepare import AudioPreprocessor, heard_in
from .settings import AudioSettings
from .source import AudioSource
from .transcribing import TranscriptPreprocessor, TranscriptSource, clips_of, table_of

__all__ = ["AudioPredictor"]


class AudioPredictor(Predictor[Module, AudioPreprocessor | TranscriptPreprocessor, AudioSettings]):
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
        """Metrics on labelled recordings; their classes must be known to the model."""
        if isinstance(self.goal, Transcription):
            data = read_transcripts(
                table_of(source), self.settings.data.target, rate=self.preprocessor.rate
            )
            self.last_findings = heard_in(data.recordings)
            return self.goal.compute_metrics(
                np.array(data.texts, object), self._scores(data.recordings)
            )
        recordings = self.recordings(source, True).labelled_as(self.classes)
        return self.goal.compute_metrics(recordings.labels, self._scores(recordings))

    def scores(self, source: object) -> Scores:
        """The network's outputs for all recordings of a source."""
        return self._scores(self.recordings(source))

    def _scores(self, recordings: Recordings) -> Scores:
        if isinstance(self.preprocessor, TranscriptPreprocessor):
            pre = self.preprocessor
            # Any length will do; whole seconds, so that few programs serve all.
            longest = max(pre.length, -(-int(recordings.lengths.max()) // pre.rate) * pre.rate)
            hop = pre.rate * self.settings.hop // 1000
            clips, steps = clips_of(recordings, longest, hop)
            return self.scores_of(TranscriptSource((clips, steps, recordings.labels)))
        clips = recordings.fixed(self.preprocessor.length)
        return self.scores_of(AudioSource(clips, recordings.labels))

    def _confidence(self, scores: Scores) -> npt.NDArray[np.float64]:
        if isinstance(self.goal, Transcription):
            return self.goal.confidence(scores)
        return np.asarray(scores.probabilities.max(axis=1))

    def recordings(self, source: object, labelled: bool = False) -> Recordings:
        """The recordings of a source at the rate of the network. Those of a folder are in it and in
        all folders below, which are classes if the recordings are ``labelled``."""
        recordings = self.preprocessor.read(source, labelled=labelled)
        self.last_findings = heard_in(recordings)
        return recordings

    def columns(self, source: object, proba: bool = False) -> list[Column]:
        """The path of each recording, its class, and how probable that is."""
        recordings = self.recordings(source)
        scores = self._scores(recordings)
        columns: list[Column] = [
            ("path", np.array(recordings.paths, object)),
            ("prediction", self.decode(scores)),
            ("probability", self._confidence(scores)),
        ]
        return columns + (self.probability_columns(scores) if proba else [])
