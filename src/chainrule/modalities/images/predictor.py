"""A trained network with its pipeline: from images to labels, probabilities and metrics."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...data import Task
from ...data.images import Images, Room
from ...runs.predictor import Trained
from ...tasks import scoring
from ...train import Scores
from .network import ImageNetwork
from .pipeline import ImagePipeline
from .settings import ImageSettings
from .trainer import ImageTrainer, judging_trainer

__all__ = ["ImagePredictor", "baseline", "judge"]

TASK: Task = "multiclass"


class ImagePredictor(Trained[ImageNetwork, ImagePipeline, ImageSettings]):
    """What ``fit_images`` and ``load_run`` give::

        model.predict("photos")        # the names of the classes
        model.predict_proba("a.png")   # (images, classes), in the order of model.classes
        model.evaluate("labelled")     # {"accuracy": 0.93, ...}

    Images are what ``read_images`` takes, or a pair of arrays (pixels, labels); they are brought to
    the size of the network. Files that cannot be read are left out: ``last_findings`` names them,
    and ``images(source).paths`` tells which are left. ``metrics`` hold the test images' metrics,
    ``baseline`` those of a constant guess; ``run`` is the run folder, if there is one.
    """

    def judging(self) -> ImageTrainer:
        return judging_trainer(self.model)

    def learned(self) -> str:
        return f"{len(self.classes)} classes"

    @property
    def task(self) -> Task:
        """Always ``multiclass``: two classes, too, have an output each."""
        return TASK

    @property
    def classes(self) -> tuple[str, ...]:
        """The names in the order of the columns of `predict_proba`."""
        return self.pipeline.classes

    @property
    def target(self) -> str:
        """What the classes are called."""
        return self.settings.data.target

    def predict(self, source: object) -> npt.NDArray[Any]:
        """The name of a class for each image, in order, as an object array."""
        return self.decode(self.scores(source))

    def predict_proba(self, source: object) -> npt.NDArray[np.float64]:
        """The probability of each class, (images, classes)."""
        return self.scores(source).probabilities

    def evaluate(self, source: object) -> dict[str, float]:
        """Metrics on images with labels, whose classes the model must know."""
        images = self.images(source, True).labelled_as(self.classes)
        return judge(images, self.scores_of(images))

    def scores(self, source: object) -> Scores:
        """The network's outputs for all images of a source."""
        return self.scores_of(self.images(source))

    def images(self, source: object, labelled: bool = False) -> Images:
        """The images of a source in the network's size: of a folder those in all folders below it,
        which are classes if they are ``labelled``."""
        room = Room(None, self.settings.data.limit)
        images = self.pipeline.read(source, room=room, labelled=labelled)
        # That sizes differ from the network's is as usual here.
        self.last_findings = tuple(f for f in images.findings if f.code not in ("D304", "D305"))
        return images

    def scores_of(self, images: Images) -> Scores:
        """The network's outputs for images of its size."""
        return self.trainer.scores(images.pixels)

    def decode(self, scores: Scores) -> npt.NDArray[Any]:
        """Outputs as names of classes."""
        return np.array(self.classes, object)[scores.labels]


def judge(images: Images, scores: Scores) -> dict[str, float]:
    """Metrics of outputs against the labels of images."""
    return scoring.classification(TASK, images.labels, scores)


def baseline(train: Images, judged: Images) -> dict[str, float]:
    """Metrics of always giving the training images' shares of the classes."""
    shares = np.bincount(train.labels, minlength=len(train.classes)) / len(train)
    with np.errstate(divide="ignore"):
        logs = np.tile(np.log(shares), (len(judged), 1))
    return judge(judged, Scores(logs, "exp"))
