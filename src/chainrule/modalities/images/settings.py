"""The settings of a run on images: ``run.toml`` with ``[data] kind = "images"``."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Literal

from ...data.images import BUNDLED_IMAGES
from ...data.images.decoding import Fit
from ...errors import ConfigError
from ...nn.models.mobilenet import SEPARABLE
from ...runs.settings.document import RunSettings
from ...runs.settings.fields import About, Within
from ...runs.settings.files import FileDataSettings
from ...runs.settings.network import Network, NetworkChoice
from ...runs.settings.section import Section
from ...runs.settings.sections import (
    Auto,
    Fold,
    ObserveSettings,
    OutputSettings,
    RunName,
    Seed,
    Split,
    SplitSeed,
)
from ...runs.settings.training import MostEpochs, OneCycleSettings, OptimizerSettings, TrainSettings
from ...tasks import Multiclass
from .augment import Augment, check_images
from .network import NETWORKS

__all__ = ["AugmentSettings", "ImageDataSettings", "ImageSettings", "ImageTrainSettings",
           "NetworkSettings"]  # fmt: skip

EPOCHS = 15
MEMORY = 2048
LARGEST_BATCH = 128
SMALLEST_BATCH = 32

Amount = Annotated[float, Within(0.0, 1.0)]
Count = Annotated[int, Within(0, 4096)]
Alpha = Annotated[float, Within(0.0, 1e3)]
Side = Annotated[int, Within(1, 4096)]


@dataclass(frozen=True)
class ImageDataSettings(FileDataSettings):
    """The images, and how to split them."""

    UNITS: ClassVar[str] = "images"
    BUNDLED: ClassVar[Container[str]] = BUNDLED_IMAGES

    kind: Annotated[Literal["images"], About("marks a run on images; tables leave it out")] = (
        "images"
    )
    path: Annotated[
        str, About("a folder with one subfolder per class, or an IDX file; relative to this file")
    ] = ""
    test: Annotated[str, About("separate test images; empty: part of the images is held out")] = ""
    target: Annotated[str, About("name of the predicted label")] = "label"
    classes: Annotated[
        tuple[str, ...],
        About("names of classes 0, 1, ... of IDX files; []: the numbers, or folder names"),
    ] = ()
    size: Annotated[
        Side | tuple[Side, Side] | Auto, About("side length, or height and width; auto: at most 96")
    ] = "auto"
    channels: Annotated[
        Literal[1, 3] | Auto, About("1: grey, 3: RGB; auto: same as the images")
    ] = "auto"
    fit: Annotated[Fit, About("how images are resized: crop or stretch")] = "crop"
    split: Split = (0.7, 0.15, 0.15)
    fold: Fold = ()
    split_seed: SplitSeed = "auto"
    class_weights: Annotated[
        Literal["none", "balanced"], About("balanced: rare classes count as much as common ones")
    ] = "none"
    most_bad: Annotated[Amount, About("fraction of files that may be unreadable")] = 0.1
    memory: Annotated[
        Annotated[int, Within(1, 1 << 24)],
        About("maximum MB for pixels and their copies; beyond that they go to a file"),
    ] = MEMORY

    @property
    def limit(self) -> int:
        """Bytes of images to keep in memory: half of ``memory``, because splitting copies them."""
        return self.memory * 2**20 // 2

    @property
    def fixed_size(self) -> int | tuple[int, int] | None:
        """``size``; None if the images decide."""
        return None if isinstance(self.size, str) else self.size

    @property
    def fixed_channels(self) -> int | None:
        """``channels``; None if the images decide."""
        return None if isinstance(self.channels, str) else self.channels


@dataclass(frozen=True)
class NetworkSettings(NetworkChoice):
    """The network. ``cnn`` has a convolution, batch normalisation and a pooling for each of
    ``widths``; the others are those of ``chainrule.nn.models``."""

    NETWORKS: ClassVar[Mapping[str, Network]] = NETWORKS
    LIMITS: ClassVar[Mapping[str, tuple[float, float]]] = {
        "widths": (1, 65_536), "dropout": (0, 0.95), "width": (0.125, 4), "stride": (1, 4),
        "depth": (1, len(SEPARABLE)),
    }  # fmt: skip

    name: str = "cnn"


@dataclass(frozen=True)
class AugmentSettings(Section):
    """Random augmentation of the training images, drawn anew in each step: ``docs/images.md``."""

    TABLE: ClassVar[str] = "augment"

    flip: Annotated[bool, About("mirror half of the images left to right")] = True
    vertical_flip: Annotated[bool, About("mirror half of the images top to bottom")] = False
    shift: Annotated[Count, About("maximum shift in pixels")] = 0
    rotate: Annotated[Annotated[float, Within(0.0, 45.0)], About("maximum rotation in degrees")] = (
        0.0
    )
    brightness: Annotated[Amount, About("maximum change, as a fraction of white")] = 0.0
    contrast: Annotated[Amount, About("scale by up to 1 plus or minus this")] = 0.0
    saturation: Annotated[Amount, About("scale by up to 1 plus or minus this")] = 0.0
    cutout: Annotated[Count, About("side of the square that is blanked out")] = 0
    mixup: Annotated[Alpha, About("alpha of mixup; 0: off")] = 0.0
    cutmix: Annotated[Alpha, About("alpha of CutMix; 0: off")] = 0.0

    def augment(self, fill: Sequence[int], smoothing: float, classes: int) -> Augment | None:
        """The augmentation of batches; None if there is none."""
        if not (any(vars(self).values()) or smoothing):
            return None
        return Augment(**vars(self), fill=fill, label_smoothing=smoothing, classes=classes)

    def unregularized(self) -> AugmentSettings:
        """Without any."""
        return AugmentSettings(flip=False)


@dataclass(frozen=True)
class ImageOptimizerSettings(OptimizerSettings):
    """The optimizer."""

    WEIGHT_DECAY: ClassVar[float] = 0.05


@dataclass(frozen=True)
class ImageTrainSettings(TrainSettings):
    """Training."""

    UNITS: ClassVar[str] = "images"
    LOSSES: ClassVar[tuple[str, ...]] = ("cross_entropy",)
    INSTEAD: ClassVar[Mapping[str, str]] = {
        "mixup": "use `augment.mixup`", "input_noise": "use `augment.brightness`"
    }  # fmt: skip
    PEAK: ClassVar[float] = 3.0

    epochs: MostEpochs = EPOCHS
    optimizer: ImageOptimizerSettings = field(default_factory=ImageOptimizerSettings)
    schedule: OneCycleSettings = field(default_factory=OneCycleSettings)

    def usual_batch_size(self, rows: int) -> int:
        """The power of two nearest to half the root of the training images, from 32 to 128."""
        nearest = 1 << round(math.log2(math.sqrt(max(rows, SMALLEST_BATCH)) / 2))
        return min(max(nearest, SMALLEST_BATCH), LARGEST_BATCH)


@dataclass(frozen=True)
class ImageSettings(RunSettings):
    """The settings of a run on images. The same settings and images give the same bits."""

    DECIDED_BY_DATA: ClassVar[tuple[str, ...]] = ("data.size", "train.loss")

    name: RunName = ""
    seed: Annotated[
        Seed, About("seed of the split, initial weights, shuffling and augmentation")
    ] = 0
    data: ImageDataSettings = field(default_factory=ImageDataSettings)
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    model: NetworkSettings = field(default_factory=NetworkSettings)
    train: ImageTrainSettings = field(default_factory=ImageTrainSettings)
    observe: ObserveSettings = field(default_factory=ObserveSettings)
    output: OutputSettings = field(default_factory=OutputSettings)

    def resolved(self, rows: int, size: tuple[int, int], channels: int) -> ImageSettings:
        """The same without `auto`, which the images and the number of training images decide.

        ConfigError for augmentation that does not suit these images.
        """
        check_images(self.augment, size, "augment.")
        if self.augment.saturation and channels == 1:
            raise ConfigError(
                f"`augment.saturation` is {self.augment.saturation:g}, but the images are grey",
                help="set it to 0, or use augment.contrast",
            )
        data = replace(self.data, size=size, channels=1 if channels == 1 else 3)
        return replace(self, data=data, train=self.train.resolved(rows, Multiclass))
