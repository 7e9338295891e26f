"""Random augmentation inside the compiled step, so that training never waits for it.

Bytes go in and bytes come out, so any network that takes images takes augmented ones. All random
numbers come from the generator of the program: the same seed gives the same images, with any number
of threads, and a resumed training continues with the draws of one that never stopped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ...errors import ConfigError, DTypeError, ShapeError
from ...frontend import Tensor, no_grad
from ...frontend.operations.arithmetic import clamp, sqrt, where
from ...frontend.operations.creation import arange, tensor
from ...frontend.random import beta, rand, randperm
from ...ir.types import DType
from ...nn import functional as F
from ...nn import mixup

__all__ = ["Augment", "check_images"]

#: how much red, green and blue contribute to grey (ITU-R BT.601)
LUMA = (0.299, 0.587, 0.114)


class Changes(Protocol):
    """What `check_images` needs: an `Augment`, or the settings of one."""

    @property
    def shift(self) -> int: ...
    @property
    def cutout(self) -> int: ...


def check_images(changes: Changes, size: tuple[int, int], prefix: str = "") -> None:
    """ConfigError for changes that could leave nothing of images of ``size`` (height, width).

    ``prefix`` is put before the name of the setting.
    """
    for name, pixels in (("shift", changes.shift), ("cutout", changes.cutout)):
        if pixels >= min(size):
            raise ConfigError(
                f"{prefix}{name} is {pixels}, but the images have {size[1]} x {size[0]} pixels",
                help=f"set it below {min(size)}; a quarter of a side is already a lot",
            )


class Augment:
    """Augments each batch at random::

        augment = Augment(flip=True, shift=4, cutout=8)
        Trainer(model, "cross_entropy", optimizer, transform=augment).fit((pixels, labels))

    ``pixels`` are uint8 [N, H, W, C]. In this order:

    * ``flip`` mirrors half of the images left to right, ``vertical_flip`` top to bottom;
    * ``shift`` moves each by up to this many pixels along both axes, like cropping a padded image;
    * ``rotate`` turns each by up to this many degrees (at most 45), with linear interpolation; the
      border is extended, after shifts too;
    * ``brightness`` b adds up to ±255 b; ``contrast`` c scales the distance to the mean of the
      image by 1 ± c, ``saturation`` s that to grey by 1 ± s (RGB only);
    * ``cutout`` fills a square of this many pixels a side with the colour ``fill``; its centre is
      anywhere, so part of it may be outside (DeVries and Taylor, 2017);
    * ``mixup`` alpha mixes each image and its target with another one of the batch (Zhang et al.,
      2018); ``cutmix`` alpha pastes a rectangle from another one, with targets mixed by area (Yun
      et al., 2019). With both, each batch uses one of them;
    * ``label_smoothing`` spreads part of the target over all classes (Szegedy et al., 2016).

    The last three need the number of ``classes`` and turn targets into probabilities. Raises
    ConfigError for settings out of range and, when called, DTypeError or ShapeError for anything
    but a batch of images.
    """

    def __init__(
        self,
        *,
        flip: bool = False,
        vertical_flip: bool = False,
        shift: int = 0,
        rotate: float = 0.0,
        brightness: float = 0.0,
        contrast: float = 0.0,
        saturation: float = 0.0,
        cutout: int = 0,
        fill: int | Sequence[int] = 0,
        mixup: float = 0.0,
        cutmix: float = 0.0,
        label_smoothing: float = 0.0,
        classes: int = 0,
    ) -> None:
        self.flip, self.vertical_flip, self.shift, self.rotate = flip, vertical_flip, shift, rotate
        self.brightness, self.contrast, self.saturation = brightness, contrast, saturation
        self.cutout, self.fill = cutout, fill
        self.mixup, self.cutmix = mixup, cutmix
        self.label_smoothing, self.classes = label_smoothing, classes
        self._check()

    def _check(self) -> None:
        for name, most in (
            ("shift", math.inf), ("rotate", 45.0), ("brightness", 1.0), ("contrast", 1.0),
            ("saturation", 1.0), ("cutout", math.inf), ("mixup", math.inf), ("cutmix", math.inf),
            ("label_smoothing", 1.0),
        ):  # fmt: skip
            value = getattr(self, name)
            number = isinstance(value, int if name in ("shift", "cutout") else int | float)
            if not number or not 0 <= value <= most:
                limit = f"to {most:g}" if most < math.inf else "or more"
                whole = ", a whole number" * (name in ("shift", "cutout"))
                raise ConfigError(f"{name} is {value!r}", help=f"give 0 {limit}{whole}")
        for name in ("flip", "vertical_flip"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"{name} is {getattr(self, name)!r}", help="give True or False")
        levels = np.ravel(np.asarray(self.fill))
        if levels.dtype.kind not in "iu" or levels.min() < 0 or levels.max() > 255:
            raise ConfigError(f"fill is {self.fill!r}", help="give whole numbers from 0 to 255")
        for name in ("mixup", "cutmix", "label_smoothing"):
            if getattr(self, name) and self.classes < 2:
                raise ConfigError(
                    f"{name} mixes targets, but the number of classes is {self.classes}",
                    help="pass the number of classes, for example classes=10",
                )

    def __call__(self, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """The augmented batch."""
        if x.ndim != 4:
            raise ShapeError(f"images have shape {x.shape}", help="give [N, H, W, C]")
        if x.dtype is not DType.u8:
            raise DTypeError(f"images are {x.dtype!r}", help="give bytes: uint8 [N, H, W, C]")
        check_images(self, (x.shape[1], x.shape[2]))
        if np.size(self.fill) not in (1, x.shape[3]):
            raise ShapeError(
                f"fill has {np.size(self.fill)} levels, but the images have {x.shape[3]} channels",
                help="give one level, or one for each channel",
            )
        with no_grad():
            x = self._covered(self._coloured(self._moved(x)))
            return self._mixed(x, target)

    # --------------------------------------------------------------------------- positions

    def _moved(self, x: Tensor) -> Tensor:
        """Flips, shifts and rotations: one gather, or four of them for linear interpolation."""
        n, height, width, _ = x.shape
        if not (self.flip or self.vertical_flip or self.shift or self.rotate):
            return x
        row = arange(height).reshape(1, height, 1)
        column = arange(width).reshape(1, 1, width)
        if self.vertical_flip:
            row = where(_coin(n), height - 1 - row, row)
        if self.flip:
            column = where(_coin(n), width - 1 - column, column)
        if self.shift:
            row, column = row + _whole(n, self.shift), column + _whole(n, self.shift)
        if self.rotate:
            return self._turned(x, row, column)
        return _at(x, row, column)

    def _turned(self, x: Tensor, row: Tensor, column: Tensor) -> Tensor:
        n, height, width, _ = x.shape
        angle = (2.0 * rand(n, 1, 1) - 1.0) * math.radians(self.rotate)
        sine, cosine = _sine(angle), _cosine(angle)
        v = row.float() - (height - 1) / 2
        u = column.float() - (width - 1) / 2
        y = clamp(cosine * v - sine * u + (height - 1) / 2, 0.0, height - 1.0)
        z = clamp(sine * v + cosine * u + (width - 1) / 2, 0.0, width - 1.0)
        top, left = y.int(), z.int()  # towards zero, and neither is negative
        down = (y - top.float()).reshape(n, height, width, 1)
        right = (z - left.float()).reshape(n, height, width, 1)
        upper = _between(_at(x, top, left), _at(x, top, left + 1), right)
        lower = _between(_at(x, top + 1, left), _at(x, top + 1, left + 1), right)
        return _bytes(upper + (lower - upper) * down)

    # ------------------------------------------------------------------------------ colours

    def _coloured(self, x: Tensor) -> Tensor:
        n, _, _, channels = x.shape
        saturate = bool(self.saturation) and channels == 3
        if not (self.brightness or self.contrast or saturate):
            return x
        y = x.float()
        if self.brightness:
            y = y + 255.0 * _around_zero(n, self.brightness)
        if self.contrast:
            mean = y.mean((1, 2, 3), keepdim=True)
            y = mean + (y - mean) * (1.0 + _around_zero(n, self.contrast))
        if saturate:
            grey = (y * tensor(np.array(LUMA, np.float32))).sum(3, keepdim=True)
            y = grey + (y - grey) * (1.0 + _around_zero(n, self.saturation))
        return _bytes(y)

    def _covered(self, x: Tensor) -> Tensor:
        """Cutout."""
        n, height, width, channels = x.shape
        if not self.cutout:
            return x
        colour = np.broadcast_to(np.asarray(self.fill, np.uint8), (channels,))
        rows = _stretch(height, (rand(n, 1) * height).int() - self.cutout // 2, self.cutout)
        columns = _stretch(width, (rand(n, 1) * width).int() - self.cutout // 2, self.cutout)
        inside = rows.reshape(n, height, 1, 1) & columns.reshape(n, 1, width, 1)
        return where(inside, tensor(np.ascontiguousarray(colour)), x)

    # -------------------------------------------------------------------------------- mixing

    def _mixed(self, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        if not (self.mixup or self.cutmix or self.label_smoothing):
            return x, target
        if not target.dtype.is_float:
            target = F.one_hot(target, self.classes).float()
        if self.label_smoothing:
            target = target * (1.0 - self.label_smoothing) + self.label_smoothing / self.classes
        if self.mixup and self.cutmix:
            first, second = self._blended(x, target), self._pasted(x, target)
            coin = rand() < 0.5
            return where(coin, first[0], second[0]), where(coin, first[1], second[1])
        if self.mixup:
            return self._blended(x, target)
        return self._pasted(x, target) if self.cutmix else (x, target)

    def _blended(self, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Mixup, rounded to whole levels."""
        mixed = mixup(x.float(), target, self.mixup)
        return _bytes(mixed.x), mixed.target

    def _pasted(self, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """CutMix: one rectangle for the batch, clipped at the border; lam is the rest."""
        n, height, width, _ = x.shape
        share = sqrt(1.0 - beta((), self.cutmix, self.cutmix))
        order = randperm(n)
        sides = [(length, (share * length + 0.5).int()) for length in (height, width)]
        inside = [
            _stretch(length, (rand(1) * length).int() - (side.float() * 0.5).int(), side)
            for length, side in sides
        ]
        mask = inside[0].reshape(1, height, 1, 1) & inside[1].reshape(1, 1, width, 1)
        lam = 1.0 - inside[0].float().sum() * inside[1].float().sum() / (height * width)
        pasted = where(mask, x.index_select(0, order), x)
        return pasted, lam * target + (1.0 - lam) * target.index_select(0, order)

    def __repr__(self) -> str:
        changes = {k: v for k, v in vars(self).items() if v and k not in ("fill", "classes")}
        return f"Augment({', '.join(f'{k}={v!r}' for k, v in changes.items())})"


def _coin(n: int) -> Tensor:
    """True for half of the images."""
    return rand(n, 1, 1) < 0.5


def _whole(n: int, most: int) -> Tensor:
    """A whole number from -most to most for each image."""
    return (rand(n, 1, 1) * (2 * most + 1)).int() - most


def _around_zero(n: int, most: float) -> Tensor:
    """A number from -most to most for each image."""
    return (2.0 * rand(n, 1, 1, 1) - 1.0) * most


def _at(x: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """``x[i, row, column]`` of each image i, with the border extended."""
    n, height, width, channels = x.shape
    image = arange(n).reshape(n, 1, 1) * (height * width)
    index = image + clamp(row, 0, height - 1) * width + clamp(column, 0, width - 1)
    flat = x.reshape(n * height * width, channels)
    return flat.index_select(0, index.reshape(n * height * width)).reshape(x.shape)


def _between(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    return a.float() + (b.float() - a.float()) * share


def _bytes(x: Tensor) -> Tensor:
    """Rounded and clipped to 0 to 255."""
    return (x + 0.5).to(np.uint8)


def _stretch(length: int, first: Tensor, count: int | Tensor) -> Tensor:
    """Which of 0 .. length-1 are among the ``count`` from ``first`` on."""
    position = arange(length)
    return (position >= first) & (position < first + count)


# Taylor series; up to 45 degrees their error is below 2e-6, a ten-thousandth of a pixel in an image
# of a hundred pixels.


def _sine(a: Tensor) -> Tensor:
    s = a * a
    return a * (1.0 - s / 6.0 * (1.0 - s / 20.0 * (1.0 - s / 42.0)))


def _cosine(a: Tensor) -> Tensor:
    s = a * a
    return 1.0 - s / 2.0 * (1.0 - s / 12.0 * (1.0 - s / 30.0 * (1.0 - s / 56.0)))
