"""What is between images and the network: one size, channels, scaling, names of classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ... import nn
from ...data import Finding, Setting
from ...data.files import MOST_BAD
from ...data.images import BUNDLED_IMAGES, Images, Room, read_images
from ...data.images.decoding import FITS
from ...data.images.memory import MEMORY, in_file
from ...errors import ConfigError
from ...frontend.operations.creation import tensor
from ...runs.modality import PartName, is_pair
from ...runs.parts import OpenedFiles, PreparedFiles
from ...runs.preprocessor import PlainPreprocessor
from .network import class_weights
from .settings import ImageSettings
from .source import ImageSource

__all__ = ["ImagePreprocessor", "OpenedImages", "PreparedImages", "loss_of"]

LARGEST_SIDE = 1 << 15


@dataclass(frozen=True)
class ImagePreprocessor(PlainPreprocessor):
    """``mean`` and ``std`` of each channel are those of the training images, in levels from 0 to
    255. If it is ``numbered``, numeric labels index ``classes``; otherwise they are names.
    """

    FORMAT: ClassVar[str] = "chainrule.images"
    OF: ClassVar[str] = "images"
    SHAPE: ClassVar[Mapping[str, Any]] = {
        "size": [int], "channels": int, "fit": str, "classes": [str], "mean": [float],
        "std": [float], "numbered?": bool,
    }  # fmt: skip

    size: tuple[int, int]
    channels: int
    fit: str
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    numbered: bool = False

    def read(
        self, source: object, labels: object = None, room: Room = MEMORY, labelled: bool = True
    ) -> Images:
        """The images of a source in the size of the network. Unless they are ``labelled``, they
        come from all folders, and all but one may be unreadable."""
        if is_pair(source):
            source, labels = source
        return read_images(
            source, labels, classes=self.classes if self.numbered else None, size=self.size,
            channels=self.channels, fit=self.fit, room=room, labelled=labelled,
            most_bad=MOST_BAD if labelled else 1.0,
        )  # fmt: skip

    def holds_together(self) -> bool:
        sized = len(self.size) == 2 and all(1 <= n <= LARGEST_SIDE for n in self.size)
        counts = {len(self.mean), len(self.std), self.channels}
        return sized and self.fit in FITS and len(counts) == 1 and len(self.classes) >= 2


@dataclass(frozen=True)
class OpenedImages(OpenedFiles[ImageSettings, Images]):
    """All images of a source; ``settings`` have absolute paths."""

    def prepare(self, settings: ImageSettings, folder: Path | None) -> PreparedImages:
        """Splits the images, stratified by class, and measures the training part."""
        images, data, room = self.examples, settings.data, Room(folder, settings.data.limit)
        split = self.divide(settings)
        train = images.take(split.train, room)
        val, test = (images.take(rows, room).whole(room) for rows in (split.val, split.test))
        mean, std = train.moments()
        numbered = bool(data.classes) or images.classes == BUNDLED_IMAGES.get(images.name)
        preprocessor = ImagePreprocessor(
            images.size, images.channels, data.fit, images.classes, mean, std, numbered
        )
        test, fingerprint, findings = self.tested_on(
            settings, test, lambda source: preprocessor.read(source, room=room)
        )
        return PreparedImages(
            settings.resolved(len(train), images.size, images.channels), images.name, fingerprint,
            (train, val, test), preprocessor, (*_kept_in_file(images, data.memory), *findings),
        )  # fmt: skip


@dataclass(frozen=True)
class PreparedImages(PreparedFiles[ImageSettings]):
    """``parts`` of the images: training, validation, test."""

    preprocessor: ImagePreprocessor

    def source(self, part: PartName) -> ImageSource:
        images = self.part(part)
        return ImageSource(images.pixels, images.labels[images.here])

    def model_facts(self) -> dict[str, Any]:
        height, width = self.preprocessor.size
        colour = "grey" if self.preprocessor.channels == 1 else "RGB"
        return {"name": self.model_name, "images": f"{width} x {height} {colour} pixels"}


def loss_of(prepared: PreparedImages) -> Any:
    """Cross-entropy, weighted by class if the settings say so. ConfigError if it cannot be."""
    settings = prepared.settings
    if settings.data.class_weights != "balanced":
        return settings.train.objective
    if settings.augment.mixup or settings.augment.cutmix:
        raise ConfigError(
            "class weights cannot be combined with mixed images",
            help='set data.class_weights = "none", or augment.mixup and augment.cutmix to 0',
        )
    weights = class_weights(prepared.parts[0].labels, len(prepared.preprocessor.classes))
    return nn.CrossEntropyLoss(weight=tensor(weights))


def _kept_in_file(images: Images, memory: int) -> list[Finding]:
    if not in_file(images.pixels):
        return []
    text = "the pixels are kept in a file instead of in memory; it is removed at the end"
    evidence = f"{images.pixels.nbytes / 2**20:,.0f} MB, and data.memory is {memory} MB"
    setting = Setting(("data", "memory"), _sufficient_memory(images))
    return [Finding("D312", "info", text, evidence, setting=setting)]


def _sufficient_memory(images: Images) -> int:
    """The ``data.memory`` that would keep these images in memory."""
    return 2 * -(-images.pixels.nbytes // 2**20)
