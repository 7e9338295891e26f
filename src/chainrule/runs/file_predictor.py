"""A trained network for examples that are files of classes: predicts and evaluates them."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Generic, TypeVar

import numpy as np

from ..data.labelled import Labelled
from ..nn import Module
from ..train import BatchSource, Scores
from .predictor import Array, Column, Predictor
from .settings.document import RunSettings

__all__ = ["FilePredictor"]

Model = TypeVar("Model", bound=Module)
Pre = TypeVar("Pre")
S = TypeVar("S", bound=RunSettings)
E = TypeVar("E", bound=Labelled)


class FilePredictor(Predictor[Model, Pre, S], Generic[Model, Pre, S, E]):
    """A `Predictor` whose sources become `Labelled` examples."""

    @abstractmethod
    def examples(self, source: object, labelled: bool = False) -> E:
        """The examples of a source as the network takes them. Those of a folder are in it and in
        all folders below, which are classes if the examples are ``labelled``."""

    @abstractmethod
    def batches(self, examples: E) -> BatchSource:
        """How the step reads them."""

    def evaluate(self, source: object) -> dict[str, float]:
        """Metrics on labelled examples; their classes must be known to the model."""
        examples = self.examples(source, True).labelled_as(self.classes)
        return self.goal.compute_metrics(examples.labels, self._answers(examples))

    def inputs(self, source: object) -> BatchSource:
        return self.batches(self.examples(source))

    def scores(self, source: object) -> Scores:
        """The network's outputs for all examples of a source."""
        return self._answers(self.examples(source))

    def _answers(self, examples: E) -> Scores:
        return self.joint(lambda one: one.scores_of(one.batches(examples)))

    def confidence(self, scores: Scores) -> Array:
        """How sure each prediction is, from 0 to 1."""
        return np.asarray(scores.probabilities.max(axis=1))

    def columns(self, source: object, proba: bool = False) -> list[Column]:
        """The path of each example, its prediction, and how probable that is."""
        examples = self.examples(source)
        scores = self._answers(examples)
        columns: list[Any] = [
            ("path", np.array(examples.paths, object)),
            ("prediction", self.decode(scores)),
            ("probability", self.confidence(scores)),
        ]
        return columns + (self.probability_columns(scores) if proba else [])
