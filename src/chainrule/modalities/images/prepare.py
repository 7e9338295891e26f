"""What is between images and the network: one size, channels, scaling, names of classes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ... import nn
from ...data import Finding, Setting, Split
from ...data.images import BUNDLED_IMAGES, Images, Room, read_images
from ...data.images.decoding import FITS
from ...data.images.memory import MEMORY, in_file
from ...data.images.reading import MOST_BAD
from ...errors import ConfigError, DataError, StateError
from ...frontend.operations.creation import tensor
from ...records import check_shape, parsed
from ...runs.modality import PARTS, PartName, is_pair
from .network import class_weights
from .settings import ImageDataSettings, ImageSettings
from .source import ImageSource

__all__ = ["ImagePreprocessor", "OpenedImages", "PreparedImages", "loss_of"]

FORMAT = "chainrule.images"
SHAPE = {"format": str, "version": int, "size": [int], "channels": int, "fit": str,
         "classes": [str], "mean": [float], "std": [float], "numbered?": bool}  # fmt: skip
LARGEST_SIDE = 1 << 15
#: classes with fewer images are reported, and at most so many of them
FEW = 10


@dataclass(frozen=True)
class ImagePreprocessor:
    """``mean`` and ``std`` of each channel are those of the training images, in levels from 0 to
    255. If it is ``numbered``, numeric labels index ``classes``; otherwise they are names.
    """

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

    def to_json(self) -> str:
        """The text of ``pipeline.json``."""
        return json.dumps({"format": FORMAT, "version": 1, **asdict(self)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str) -> ImagePreprocessor:
        """From the text of `to_json`. StateError, naming ``where``, for anything else."""
        document = parsed(text, "pipeline.json", where)
        check_shape(document, SHAPE, where)
        size, classes, mean, std = (tuple(document[k]) for k in ("size", "classes", "mean", "std"))
        pipeline = cls(
            size, document["channels"], document["fit"], classes, mean, std,
            document.get("numbered", False),
        )  # fmt: skip
        counts = {len(pipeline.mean), len(pipeline.std), pipeline.channels}
        has_size = len(pipeline.size) == 2 and all(1 <= n <= LARGEST_SIDE for n in pipeline.size)
        known = (document["format"], document["version"]) == (FORMAT, 1) and pipeline.fit in FITS
        if not known or not has_size or len(counts) > 1 or len(pipeline.classes) < 2:
            raise StateError(
                "pipeline.json does not belong to a run on images",
                where=where,
                help="it was changed or cut off; copy it again",
            )
        return pipeline


@dataclass(frozen=True)
class OpenedImages:
    """All images of a source; ``settings`` have absolute paths."""

    images: Images
    settings: ImageSettings

    @property
    def fingerprint(self) -> None:
        """Not known before separate test images have been resized."""
        return None

    def training_rows(self) -> int:
        data, rows = self.settings.data, len(self.images)
        if data.test:
            return max(1, round(rows * data.split[0] / (data.split[0] + data.split[1])))
        return data.training_rows(rows)

    def divide(self, settings: ImageSettings) -> None:
        split_images(self.images, settings.data, settings.seed)

    def prepare(self, settings: ImageSettings, folder: Path | None) -> PreparedImages:
        """Splits the images, stratified by class, and measures the training part."""
        images, data, room = self.images, settings.data, Room(folder, settings.data.limit)
        split = split_images(images, data, settings.seed)
        findings = [*images.findings, *_findings_of(images, data.memory)]
        fingerprint = images.fingerprint()
        train, val, test = (images.take(r, room) for r in (split.train, split.val, split.test))
        mean, std = train.moments()
        numbered = bool(data.classes) or images.classes == BUNDLED_IMAGES.get(images.name)
        preprocessor = ImagePreprocessor(
            images.size, images.channels, data.fit, images.classes, mean, std, numbered
        )
        if data.test:
            test = preprocessor.read(data.test, room=room).labelled_as(images.classes)
            findings += test.findings
            fingerprint += "+" + test.fingerprint()
        return PreparedImages(
            settings.resolved(len(train), images.size, images.channels), images.name, fingerprint,
            (train, val, test), preprocessor, tuple(findings),
        )  # fmt: skip


@dataclass(frozen=True)
class PreparedImages:
    """``parts`` of the images: training, validation, test. ``fingerprint`` is of all."""

    settings: ImageSettings
    name: str
    fingerprint: str
    parts: tuple[Images, Images, Images]
    preprocessor: ImagePreprocessor
    findings: tuple[Finding, ...]

    def with_settings(self, settings: ImageSettings) -> PreparedImages:
        return replace(self, settings=settings)

    @property
    def train(self) -> ImageSource:
        return ImageSource(self.parts[0].pixels, self.parts[0].labels)

    @property
    def validation(self) -> ImageSource:
        return ImageSource(self.parts[1].pixels, self.parts[1].labels)

    @property
    def test(self) -> ImageSource:
        return ImageSource(self.parts[2].pixels, self.parts[2].labels)

    def target(self, part: PartName) -> npt.NDArray[Any]:
        return self.parts[PARTS.index(part)].labels

    @property
    def truth(self) -> npt.NDArray[Any]:
        return self.parts[2].labels

    @property
    def sizes(self) -> dict[str, int]:
        return {name: len(part) for name, part in zip(PARTS, self.parts, strict=True)}

    def data_facts(self) -> dict[str, Any]:
        return {"rows": sum(map(len, self.parts))}

    def model_facts(self) -> dict[str, Any]:
        height, width = self.preprocessor.size
        colour = "grey" if self.preprocessor.channels == 1 else "RGB"
        return {"name": self.settings.model.name, "images": f"{width} x {height} {colour} pixels"}

    @property
    def model_name(self) -> str:
        return self.settings.model.name


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


def split_images(images: Images, data: ImageDataSettings, seed: int) -> Split:
    """Which images are for training, validation and test. DataError if there are fewer than two
    classes, or too few images."""
    if len(images.classes) < 2:
        only = f"one class, {images.classes[0]}" if images.classes else "no classes"
        raise DataError(
            f"the images of {images.name} have {only}",
            help="pass a folder with a subfolder for each of two or more classes, an IDX file next "
            "to its labels, or arrays with labels",
        )
    shares = data.split
    if data.test:
        held = shares[1] / (shares[0] + shares[1])
        shares = (1 - held, held, 0.0)
    return data.divide(len(images), seed, classes=images.labels, unit="image", shares=shares)


def _findings_of(images: Images, memory: int) -> list[Finding]:
    findings = []
    if in_file(images.pixels):
        text = "the pixels are kept in a file instead of in memory; it is removed at the end"
        evidence = f"{images.pixels.nbytes / 2**20:,.0f} MB, and data.memory is {memory} MB"
        setting = Setting(("data", "memory"), _sufficient_memory(images))
        findings.append(Finding("D312", "info", text, evidence, setting=setting))
    if copies := images.copies():
        text = f"{copies} of {len(images)} images are exact copies of earlier ones"
        evidence = "a random split puts copies on both sides, which makes the test too easy"
        findings.append(
            Finding("D310", "warning" if copies > 0.02 * len(images) else "info", text, evidence)
        )
    counts = np.bincount(images.labels, minlength=len(images.classes))
    few = [f"{images.classes[k]} ({counts[k]})" for k in np.flatnonzero(counts < FEW)]
    if few:
        text = "classes with very few images are hard to learn"
        findings.append(Finding("D111", "warning", text, ", ".join(few[:FEW])))
    return findings


def _sufficient_memory(images: Images) -> int:
    """The ``data.memory`` that would keep these images in memory."""
    return 2 * -(-images.pixels.nbytes // 2**20)
