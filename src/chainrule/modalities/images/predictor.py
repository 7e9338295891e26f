"""A trained network with its preprocessing: from images to labels, probabilities and metrics."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...data.images import Images, Room
from ...runs.predictor import Column, Predictor
from ...train import Scores
from .network import ImageNetwork
from .prepare import ImagePreprocessor
from .settings import ImageSettings
from .source import ImageSource

__all__ = ["ImagePredictor"]


class ImagePredictor(Predictor[ImageNetwork, ImagePreprocessor, ImageSettings]):
    """What ``fit_images`` and ``load_run`` give::

        model.predict("photos")        # the names of the classes
        model.predict_proba("a.png")   # (images, classes), in the order of model.classes
        model.evaluate("labelled")     # {"accuracy": 0.93, ...}

    Images are what ``read_images`` takes, or a pair of arrays (pixels, labels); they are brought to
    the size of the network. Files that cannot be read are left out: ``last_findings`` names them,
    and ``images(source).paths`` tells which are left. ``metrics`` hold the test images' metrics,
    ``baseline`` those of a constant guess; ``run`` is the run folder, if there is one.
    """

    def predict(self, source: object) -> npt.NDArray[Any]:
        """The name of a class for each image, in order, as an object array."""
        return self.decode(self.scores(source))

    def predict_proba(self, source: object) -> npt.NDArray[np.float64]:
        """The probability of each class, (images, classes)."""
        return self.scores(source).probabilities

    def evaluate(self, source: object) -> dict[str, float]:
        """Metrics on images with labels, whose classes the model must know."""
        images = self.images(source, True).labelled_as(self.classes)
        return self.goal.compute_metrics(
            images.labels, self.scores_of(ImageSource(images.pixels, images.labels))
        )

    def scores(self, source: object) -> Scores:
        """The network's outputs for all images of a source."""
        return self._scores(self.images(source))

    def _scores(self, images: Images) -> Scores:
        return self.scores_of(ImageSource(images.pixels, images.labels))

    def images(self, source: object, labelled: bool = False) -> Images:
        """The images of a source in the network's size: of a folder those in all folders below it,
        which are classes if they are ``labelled``."""
        room = Room(None, self.settings.data.limit)
        images = self.preprocessor.read(source, room=room, labelled=labelled)
        # That sizes differ from the network's is as usual here.
        self.last_findings = tuple(f for f in images.findings if f.code not in ("D304", "D305"))
        return images

    def columns(self, source: object, proba: bool = False) -> list[Column]:
        """The path of each image, its class, and how probable that is."""
        images = self.images(source)
        scores = self._scores(images)
        columns: list[Column] = [
            ("path", np.array(images.paths, object)),
            ("prediction", self.decode(scores)),
            ("probability", scores.probabilities.max(axis=1)),
        ]
        return columns + (self.probability_columns(scores) if proba else [])
