"""A trained network and its preprocessing: predicts, and evaluates, images."""

from __future__ import annotations

import numpy as np

from ...data.images import Images, Room
from ...runs.predictor import Column, Predictor
from ...train import Scores
from .network import ImageNetwork
from .prepare import ImagePreprocessor
from .settings import ImageSettings
from .source import ImageSource

__all__ = ["ImagePredictor"]


class ImagePredictor(Predictor[ImageNetwork, ImagePreprocessor, ImageSettings]):
    """What ``fit_images`` and ``load_run`` return::

        model.predict("photos")        # the names of the classes
        model.predict_proba("a.png")   # (images, classes), in the order of model.classes
        model.evaluate("labelled")     # {"accuracy": 0.93, ...}

    A source is anything that ``read_images`` accepts, or a pair of arrays (pixels, labels). Images
    are brought to the size of the network. Unreadable files are skipped: ``last_findings`` names
    them, and ``images(source).paths`` lists the others. ``metrics`` are those of the test images,
    ``baseline`` those of a constant guess; ``run`` is the run folder, if there is one.
    """

    def evaluate(self, source: object) -> dict[str, float]:
        """Metrics on labelled images; their classes must be known to the model."""
        images = self.images(source, True).labelled_as(self.classes)
        return self.goal.compute_metrics(images.labels, self._scores(images))

    def scores(self, source: object) -> Scores:
        """The network's outputs for all images of a source."""
        return self._scores(self.images(source))

    def _scores(self, images: Images) -> Scores:
        return self.scores_of(ImageSource(images.pixels, images.labels))

    def images(self, source: object, labelled: bool = False) -> Images:
        """The images of a source in the size of the network. Those of a folder are in it and in all
        folders below, which are classes if the images are ``labelled``."""
        room = Room(None, self.settings.data.limit)
        images = self.preprocessor.read(source, room=room, labelled=labelled)
        # Here it is normal that images are resized.
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
