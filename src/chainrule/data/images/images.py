"""Images as bytes: what `read_images` gives, and what training takes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from chainrule.data.findings import Finding
from chainrule.data.images.decoding import fitted, pillow
from chainrule.data.images.memory import MEMORY, WINDOW, Pixels, Room, release, windows
from chainrule.errors import ConfigError, DataError

__all__ = ["Images", "Labels"]

Labels = NDArray[np.int32]

#: the rounded weights of ITU-R BT.601, with which Pillow makes grey of colours
LUMA = np.array([19595, 38470, 7471])


@dataclass(frozen=True)
class Images:
    """``pixels`` uint8 [N, H, W, C] with C 1 (grey) or 3 (RGB); ``labels`` int32 [N] index
    ``classes``. Without labels, all of them are -1. ``paths`` name each image.
    """

    name: str
    pixels: Pixels
    labels: Labels
    classes: tuple[str, ...]
    paths: tuple[str, ...]
    findings: tuple[Finding, ...] = ()

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.pixels.shape[1], self.pixels.shape[2]

    @property
    def channels(self) -> int:
        """1 for grey, 3 for RGB."""
        return int(self.pixels.shape[3])

    def take(self, rows: Sequence[int] | NDArray[np.int64], room: Room = MEMORY) -> Images:
        """These images alone, copied a part at a time."""
        rows = np.asarray(rows)
        pixels = room.beside(self.pixels).array((len(rows), *self.pixels.shape[1:]))
        for part in windows(pixels):
            np.take(self.pixels, rows[part], 0, pixels[part])
            release(self.pixels)
        paths = tuple(self.paths[i] for i in rows)
        return replace(self, pixels=pixels, labels=self.labels[rows], paths=paths)

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
        count = self.pixels.size // self.channels
        mean = sums[0] / count
        variance = np.maximum(sums[1] / count - mean**2, 0.0)
        std = np.where(variance > 0, np.sqrt(variance), 1.0)
        return tuple(mean.tolist()), tuple(std.tolist())

    def copies(self) -> int:
        """How many images are equal to an earlier one, byte for byte."""
        digests: set[bytes] = set()
        for part in windows(self.pixels):
            digests |= {hashlib.blake2b(i, digest_size=16).digest() for i in self.pixels[part]}
        return len(self) - len(digests)

    def fingerprint(self) -> str:
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

    def labelled_as(self, classes: Sequence[str]) -> Images:
        """The same with labels that index ``classes``, which must have all of its names.

        Raises DataError for images without labels, or of a class that is not among them.
        """
        if not self.classes:
            raise DataError(
                f"the images of {self.name} have no classes",
                help="pass a folder with one folder for each class, or an IDX file beside its "
                "labels",
            )
        unknown = [name for name in self.classes if name not in classes]
        if unknown:
            raise DataError(
                f"unknown classes in {self.name}: {', '.join(unknown)}",
                help=f"the known classes are {', '.join(classes)}",
            )
        new_code = np.array([classes.index(name) for name in self.classes], np.int32)
        return replace(self, labels=new_code[self.labels], classes=tuple(classes))

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
        codes, names = _codes(np.asarray(labels), len(pixels), classes, name)
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


def _codes(
    labels: NDArray[np.generic], rows: int, classes: Sequence[str] | None, name: str
) -> tuple[Labels, tuple[str, ...]]:
    """Labels as indices of names: those of ``classes``, or the labels themselves, sorted."""
    if labels.shape != (rows,):
        raise DataError(
            f"got {rows} images, but labels of shape {labels.shape}",
            where=name,
            help="pass one label per image",
        )
    if labels.dtype.kind not in "iuUb":
        raise DataError(f"the labels are {labels.dtype}", where=name, help="pass integers or text")
    if classes is None or labels.dtype.kind == "U":
        distinct, codes = np.unique(labels, return_inverse=True)
        names = [str(label) for label in distinct.tolist()]
        order = list(classes or names)
        if unknown := [name for name in names if name not in order]:
            raise DataError(
                f"unknown labels: {', '.join(unknown)}",
                where=name,
                help=f"the classes are {', '.join(order)}",
            )
        code_of = np.array([order.index(name) for name in names], np.int32)
        return code_of[codes], tuple(order)
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= len(classes):
        raise DataError(
            f"the labels do not index the {len(classes)} classes",
            where=name,
            help=f"they must be integers from 0 to {len(classes) - 1}",
        )
    return labels.astype(np.int32), tuple(classes)
