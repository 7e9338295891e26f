"""Images as bytes: what `read_images` gives, and what training takes."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from chainrule.data.findings import Finding
from chainrule.data.gathering import Share
from chainrule.data.images.decoding import fitted, pillow
from chainrule.data.images.memory import MEMORY, WINDOW, Pixels, Room, release, windows
from chainrule.data.labelled import DIGEST, Labelled, Labels, codes_of
from chainrule.errors import ConfigError, DataError

__all__ = ["Images", "Labels"]

#: the rounded weights of ITU-R BT.601, with which Pillow makes grey of colours
LUMA = np.array([19595, 38470, 7471])


@dataclass(frozen=True)
class Images(Labelled):
    """``pixels`` uint8 [N, H, W, C] with C 1 (grey) or 3 (RGB); ``labels`` int32 [N] index
    ``classes``. Without labels, all of them are -1. ``paths`` name each image. If there is a
    ``share``, ``pixels`` are those of its images alone.
    """

    UNIT: ClassVar[str] = "image"
    UNITS: ClassVar[str] = "images"
    COPIES: ClassVar[str] = "D310"
    PASS_CLASSES: ClassVar[str] = (
        "pass a folder with a subfolder for each of two or more classes, an IDX file next to its "
        "labels, or arrays with labels"
    )

    name: str
    pixels: Pixels
    labels: Labels
    classes: tuple[str, ...]
    paths: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    share: Share | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.pixels.shape[1], self.pixels.shape[2]

    @property
    def channels(self) -> int:
        """1 for grey, 3 for RGB."""
        return int(self.pixels.shape[3])

    def take(self, rows: Sequence[int] | NDArray[np.int64], room: Room = MEMORY) -> Images:
        """These images alone, copied a part at a time; in rising order if they are divided."""
        rows = np.asarray(rows)
        own, share = rows, self.share
        if share is not None:
            first, share = share.own.start, share.of(rows)
            own = rows[share.slice] - first
        pixels = room.beside(self.pixels).array((len(own), *self.form))
        for part in windows(pixels):
            np.take(self.pixels, own[part], 0, pixels[part])
            release(self.pixels)
        paths = tuple(self.paths[i] for i in rows)
        return replace(self, pixels=pixels, labels=self.labels[rows], paths=paths, share=share)

    def whole(self, room: Room = MEMORY) -> Images:
        """The same with all of them here."""
        if self.share is None:
            return self
        pixels = room.array((len(self), *self.form))
        self.share.spread(self.pixels, pixels)
        release(pixels)
        return replace(self, pixels=pixels, share=None)

    def moments(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of each channel over all pixels, exact sums of whole numbers.

        A channel of one value has the deviation 1, so that dividing by it is safe.
        """
        sums = np.zeros((2, self.channels), np.int64)
        # Bytes have 256 values: counting them is exact. NumPy makes eight bytes of each before.
        for part in windows(self.pixels, WINDOW // 8):
            block = self.pixels[part].reshape(-1, self.channels)
            for c in range(self.channels):
                counts = np.bincount(block[:, c], minlength=256)
                values = np.arange(256)
                sums[:, c] += (counts * values).sum(), (counts * values**2).sum()
        if self.share is not None:
            sums = self.share.gathering.added(sums)
        count = len(self) * math.prod(self.size)
        mean = sums[0] / count
        variance = np.maximum(sums[1] / count - mean**2, 0.0)
        std = np.where(variance > 0, np.sqrt(variance), 1.0)
        return tuple(mean.tolist()), tuple(std.tolist())

    @property
    def form(self) -> tuple[int, ...]:
        return self.pixels.shape[1:]

    @property
    def nbytes(self) -> int:
        return len(self) * math.prod(self.form)

    def own_digests(self) -> Iterator[bytes]:
        for part in windows(self.pixels):
            for image in self.pixels[part]:
                yield hashlib.blake2b(image, digest_size=DIGEST).digest()

    def own_fingerprint(self) -> str:
        """``sha256:...`` of shape, pixels, labels and classes."""
        digest = hashlib.sha256(repr((self.pixels.shape, self.classes)).encode())
        for part in windows(self.pixels):
            digest.update(self.pixels[part].data)
        digest.update(self.labels.astype("<i4").tobytes())
        return f"sha256:{digest.hexdigest()}"

    def shaped(
        self,
        size: tuple[int, int],
        channels: int,
        fit: str = "crop",
        room: Room = MEMORY,
    ) -> Images:
        """The same with another size or number of channels; sizes need Pillow."""
        if size == self.size:
            return replace(self, pixels=self._coloured(channels, room))
        image_module = pillow()
        pixels = room.array((len(self), *size, channels))
        for part in windows(self.pixels):
            for row, old in zip(pixels[part], self.pixels[part], strict=True):
                image = image_module.fromarray(old[:, :, 0] if self.channels == 1 else old)
                row[...] = fitted(image, channels, size, fit)
            release(pixels)
        return replace(self, pixels=pixels)

    def _coloured(self, channels: int, room: Room) -> Pixels:
        if channels == self.channels:
            return self.pixels
        pixels = room.array((*self.pixels.shape[:3], channels))
        for part in windows(self.pixels):
            block = self.pixels[part]
            if channels == 1:
                block = ((block @ LUMA + 0x8000) >> 16)[..., None]
            pixels[part] = block
            release(pixels)
        return pixels

    @classmethod
    def of_array(
        cls,
        array: object,
        labels: object = None,
        classes: Sequence[str] | None = None,
        *,
        layout: str = "auto",
        name: str = "images",
    ) -> Images:
        """From bytes [N, H, W], [N, H, W, C] or [N, C, H, W], C 1 or 3, without copying them if
        channels come last.

        ``layout`` is ``"NHWC"``, ``"NCHW"``, or ``"auto"``: the last axis holds the channels if it
        has 1 or 3 of them. ``labels`` are whole numbers or texts, one for each image.
        """
        try:
            values = np.asarray(array)
        except ValueError:
            raise DataError(
                f"the {name} are arrays of different shapes",
                help="pass one array with all images of the same size; only a folder may mix sizes",
            ) from None
        pixels = _channels_last(values, layout, name)
        paths = tuple(f"{name} {i}" for i in range(len(pixels)))
        if labels is None:
            return cls(name, pixels, np.full(len(pixels), -1, np.int32), (), paths)
        codes, names = codes_of(
            labels, len(pixels), (cls.UNIT, cls.UNITS), where=name, classes=classes
        )
        return cls(name, pixels, codes, names, paths)


def _channels_last(array: NDArray[np.generic], layout: str, name: str) -> Pixels:
    if layout not in ("auto", "NHWC", "NCHW"):
        raise ConfigError(f"the layout is {layout!r}", help="use NHWC, NCHW or auto")
    if array.dtype != np.uint8:
        raise DataError(
            f"the {name} are {array.dtype}, not uint8",
            help="images are bytes from 0 to 255: np.round(255 * x).astype(np.uint8) for fractions",
        )
    if array.ndim == 3 and array.shape[2] in (1, 3):
        raise DataError(
            f"the {name} have shape {array.shape}: one image, or {len(array)} grey ones?",
            help="pass one image as x[None], grey ones as x[..., None]",
        )
    pixels: Pixels = array.astype(np.uint8, copy=False)
    pixels = pixels[..., None] if array.ndim == 3 else pixels
    last = layout == "NHWC" or (layout == "auto" and pixels.shape[-1] in (1, 3))
    if array.ndim == 4 and not last:
        pixels = np.ascontiguousarray(np.moveaxis(pixels, 1, 3))
    if pixels.ndim != 4 or pixels.shape[3] not in (1, 3) or 0 in pixels.shape:
        raise DataError(
            f"the {name} have shape {array.shape}",
            help="pass [N, H, W], [N, H, W, C] or [N, C, H, W] with 1 or 3 channels",
        )
    return np.ascontiguousarray(pixels)
