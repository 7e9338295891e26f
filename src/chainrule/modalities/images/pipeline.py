"""What stands between images and the network: one size, channels, scaling, names of classes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ...data import Finding, Split, split_rows
from ...data.images import BUNDLED_IMAGES, Images, Room, read_images
from ...data.images.decoding import FITS
from ...data.images.memory import MEMORY, in_file
from ...data.images.reading import MOST_BAD
from ...data.split import fold_rows
from ...errors import DataError, StateError
from ...records import check_shape, parsed
from .network import ImageNetwork, build
from .settings import ImageDataSettings, ImageSettings

__all__ = ["ImagePipeline", "PreparedImages", "divided", "prepare_images"]

FORMAT = "chainrule.images"
SHAPE = {"format": str, "version": int, "size": [int], "channels": int, "fit": str,
         "classes": [str], "mean": [float], "std": [float], "numbered?": bool}  # fmt: skip
MOST_PIXELS = 1 << 15  # of a side
#: a class of fewer images is told of
FEW = 10


@dataclass(frozen=True)
class ImagePipeline:
    """``mean`` and ``std`` of each channel are those of the training images, from 0 to 255.

    ``numbered``: whether whole numbers, such as those of IDX files, index ``classes``; otherwise
    they are names themselves.
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
        """Images of any source in the size that the network takes; not ``labelled``, they come
        from all folders, and all but one may be unreadable."""
        if isinstance(source, tuple) and len(source) == 2:
            source, labels = source
        return read_images(
            source, labels, classes=self.classes if self.numbered else None, size=self.size,
            channels=self.channels, fit=self.fit, room=room, labelled=labelled,
            most_bad=MOST_BAD if labelled else 1.0,
        )  # fmt: skip

    def network(self, settings: ImageSettings) -> ImageNetwork:
        """The network that the settings describe, with first weights."""
        chosen = settings.model
        return build(
            chosen.name, chosen.settings, self.size, len(self.classes), self.mean, self.std
        )

    def to_json(self) -> str:
        """The text of ``pipeline.json``."""
        return json.dumps({"format": FORMAT, "version": 1, **asdict(self)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str) -> ImagePipeline:
        """From what `to_json` gave. StateError, naming ``where``, for anything else."""
        found = parsed(text, "pipeline.json", where)
        check_shape(found, SHAPE, where)
        sizes, classes, mean, std = (tuple(found[k]) for k in ("size", "classes", "mean", "std"))
        pipeline = cls(
            sizes, found["channels"], found["fit"], classes, mean, std,
            found.get("numbered", False),
        )  # fmt: skip
        counts = {len(pipeline.mean), len(pipeline.std), pipeline.channels}
        sides = len(pipeline.size) == 2 and all(1 <= n <= MOST_PIXELS for n in pipeline.size)
        known = (found["format"], found["version"]) == (FORMAT, 1) and pipeline.fit in FITS
        if not known or not sides or len(counts) > 1 or len(pipeline.classes) < 2:
            raise StateError(
                "pipeline.json is not that of a run on images",
                where=where,
                help="it was changed or cut off; copy it again",
            )
        return pipeline


@dataclass(frozen=True)
class PreparedImages:
    """The parts of the images, and what was noticed; ``name`` and ``fingerprint`` are of all."""

    name: str
    fingerprint: str
    train: Images
    val: Images
    test: Images
    pipeline: ImagePipeline
    findings: tuple[Finding, ...]

    @property
    def rows(self) -> int:
        """All images together."""
        return len(self.train) + len(self.val) + len(self.test)


def prepare_images(
    source: object, data: ImageDataSettings, seed: int, folder: Path | None = None
) -> PreparedImages:
    """Reads images, divides them by class as tables are, and measures the training part.

    ``source`` is what `read_images` takes, or a pair (pixels, labels). Raises DataError for images
    without classes, or of one class alone.
    """
    labels, room = None, Room(folder, data.limit)
    if isinstance(source, tuple) and len(source) == 2:
        source, labels = source
    images = read_images(
        source, labels, classes=data.classes or None, size=data.wanted_size,
        channels=data.wanted_channels, fit=data.fit, most_bad=data.most_bad, room=room,
    )  # fmt: skip
    split = divided(images, data, seed)
    findings = [*images.findings, *_noticed(images, data.memory)]
    fingerprint = images.fingerprint()
    train, val, test = (images.take(r, room) for r in (split.train, split.val, split.test))
    mean, std = train.moments()
    numbered = bool(data.classes) or images.classes == BUNDLED_IMAGES.get(images.name)
    pipeline = ImagePipeline(
        images.size, images.channels, data.fit, images.classes, mean, std, numbered
    )
    if data.test:
        test = pipeline.read(data.test, room=room).labelled_as(images.classes)
        findings += test.findings
        fingerprint += "+" + test.fingerprint()
    return PreparedImages(images.name, fingerprint, train, val, test, pipeline, tuple(findings))


def divided(images: Images, data: ImageDataSettings, seed: int) -> Split:
    """Which images are for training, validation and test. DataError if they have no two classes,
    or are too few."""
    if len(images.classes) < 2:
        only = f"one class, {images.classes[0]}" if images.classes else "no classes"
        raise DataError(
            f"the images of {images.name} have {only}",
            help="give a folder with one folder for each of two classes or more, or an IDX file "
            "beside its labels",
        )
    shares, rows, classes = data.split, len(images), images.labels
    held = shares[1] / (shares[0] + shares[1])
    if data.fold:
        fold, folds = data.fold
        return fold_rows(
            rows, fold, folds, classes=classes, validation=held, seed=seed, unit="image"
        )
    if data.test:
        shares = (1 - held, held, 0.0)
    return split_rows(rows, classes=classes, fractions=shares, seed=seed, unit="image")


def _noticed(images: Images, memory: int) -> list[Finding]:
    found = []
    if in_file(images.pixels):
        text = "the pixels lie in a file and not in memory; it is removed at the end"
        seen = f"{images.pixels.nbytes / 2**20:,.0f} MB, and data.memory is {memory} MB"
        found.append(Finding("D312", "info", text, seen, f"data.memory={_enough(images)}"))
    if copies := images.copies():
        text = f"{copies} of {len(images)} images are exact copies of earlier ones"
        seen = "a random split puts copies on both sides, which makes the test too easy"
        found.append(
            Finding("D310", "warning" if copies > 0.02 * len(images) else "info", text, seen)
        )
    counts = np.bincount(images.labels, minlength=len(images.classes))
    few = [f"{images.classes[k]} ({counts[k]})" for k in np.flatnonzero(counts < FEW)]
    if few:
        text = "classes with very few images are hardly learned"
        found.append(Finding("D111", "warning", text, ", ".join(few[:FEW])))
    return found


def _enough(images: Images) -> int:
    """The ``data.memory`` with which these images would be held in memory."""
    return 2 * -(-images.pixels.nbytes // 2**20)
