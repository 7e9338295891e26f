"""Images as a kind of data: all that runs, reports and commands know about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from ...data.gathering import Gathering
from ...data.images import Room, read_images
from ...runs.modality import Batch, Modality, Words, is_pair
from ...runs.readers import readers
from ...runs.settings.arguments import COMMON_ARGUMENTS
from ...runs.settings.sources import Key
from ...runs.space import Space
from ...runs.task import Task
from ...tasks import Multiclass
from ...tasks.mistakes import worst_mistakes
from ...train import Scores
from .checks import CHECKS
from .network import ImageNetwork, build
from .options import OPTIONS, SOURCES
from .predictor import ImagePredictor
from .prepare import ImagePreprocessor, OpenedImages, PreparedImages, loss_of
from .recognising import recognises
from .settings import ImageSettings
from .space import space_for
from .words import words_for

__all__ = ["IMAGES", "KIND", "ImageKind"]


class ImageKind(Modality[ImageSettings, ImagePredictor]):
    """Folders of image files, IDX files, arrays of bytes."""

    name = "images"
    settings = ImageSettings
    sources, options = SOURCES, OPTIONS
    arguments: Mapping[str, Key] = {
        **COMMON_ARGUMENTS,
        "test": ("data", "test"),
        "target": ("data", "target"),
        "classes": ("data", "classes"),
        "size": ("data", "size"),
        "network": ("model", "name"),
    }
    tasks: Mapping[str, type[Task]] = {Multiclass.name: Multiclass}
    facts: ClassVar[Mapping[str, Any]] = {"model": {"images": str, "name": str}}
    predictor = ImagePredictor
    checks: Sequence[Any] = CHECKS

    def recognises(self, source: object) -> float:
        return recognises(source)

    def open(self, settings: ImageSettings, source: object, folder: Path | None) -> OpenedImages:
        data, labels = settings.data, None
        origin = data.path if source is None else source
        if is_pair(origin):
            origin, labels = origin
        images = read_images(
            origin, labels, classes=data.classes or None, size=data.fixed_size,
            channels=data.fixed_channels, fit=data.fit, most_bad=data.most_bad,
            room=Room(folder, data.limit), gathering=Gathering(readers(settings)),
        )  # fmt: skip
        return OpenedImages(images, settings.named(images.name).with_absolute_paths())

    def build(self, preprocessor: ImagePreprocessor, settings: ImageSettings) -> ImageNetwork:
        network = settings.model
        return build(
            network.name, network.settings, preprocessor.size, len(preprocessor.classes),
            preprocessor.mean, preprocessor.std,
        )  # fmt: skip

    def read_preprocessor(self, text: str, where: str) -> ImagePreprocessor:
        return ImagePreprocessor.from_json(text, where)

    def goal(self, preprocessor: ImagePreprocessor) -> Task:
        return Multiclass(preprocessor.classes)

    def describe(self, facts: Mapping[str, Any]) -> Words:
        return words_for(facts)

    def loss(self, prepared: PreparedImages) -> Any:
        return loss_of(prepared)

    def space(self, settings: ImageSettings) -> Space:
        return space_for(settings)

    def transform(self, prepared: PreparedImages) -> Callable[..., Batch] | None:
        preprocessor, settings = prepared.preprocessor, prepared.settings
        fill = [round(m) for m in preprocessor.mean]
        smoothing = settings.train.label_smoothing
        return settings.augment.augment(fill, smoothing, len(preprocessor.classes))

    def evaluation(self, prepared: PreparedImages, scores: Scores) -> dict[str, Any]:
        test = prepared.parts[2]
        return {
            "mistakes": worst_mistakes(
                test.paths, test.labels, test.classes, scores, test.pixels.__getitem__
            )
        }


KIND = IMAGES = ImageKind()
