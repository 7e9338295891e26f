"""One image file as bytes of one size, through Pillow; nothing in a file can run code.

In this order: the first frame, turned as its EXIF note says; palettes and CMYK become RGB, 16 bits
8, transparent pixels are shown on white; then grey or RGB, and the wanted size.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args

import numpy as np

from chainrule.data.files import UnreadableError
from chainrule.data.images.memory import Pixels
from chainrule.errors import ConfigError

__all__ = ["ENDINGS", "FITS", "Fit", "Header", "decode", "fitted", "inspect", "pillow", "strict"]

ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
FORMATS = ("PNG", "JPEG", "WEBP")
GREY = ("1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")
DEEP = ("I", "I;16", "I;16B", "I;16L", "I;16N")
#: where EXIF says how the camera was held; from 5 on, width and height change places
ORIENTATION, FIRST_TURNED = 0x0112, 5

#: crop: cover the size, cut off what is left over on both sides; stretch: without proportions
Fit = Literal["crop", "stretch"]
FITS: tuple[str, ...] = get_args(Fit)


@dataclass(frozen=True)
class Header:
    """What the head of an image file says: its size after turning, and what is special."""

    width: int
    height: int
    grey: bool
    deep: bool
    frames: int
    see_through: bool


def pillow() -> ModuleType:
    """Pillow's ``Image``. ConfigError if it is not installed."""
    try:
        import PIL.Image as Image
    except ImportError:
        raise ConfigError(
            "image files need the Pillow package", help='pip install "chainrule[image]"'
        ) from None
    module: ModuleType = Image
    return module


@contextmanager
def strict() -> Iterator[None]:
    """Inside, an image of more pixels than Pillow thinks safe is an error, not a warning."""
    bomb = pillow().DecompressionBombWarning
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of damaged notes in files, which nobody can change
        warnings.simplefilter("error", bomb)
        yield


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The image, not decoded yet. UnreadableError for what Pillow cannot read, here and inside."""
    image_module = pillow()
    bombs = (image_module.DecompressionBombError, image_module.DecompressionBombWarning)
    try:
        if path.stat().st_size == 0:
            raise UnreadableError("it is empty")
        with image_module.open(path, formats=FORMATS) as image:
            yield image
    except image_module.UnidentifiedImageError:
        raise UnreadableError(f"it is not one of {', '.join(FORMATS)}") from None
    except bombs:
        raise UnreadableError("it has more pixels than is safe to decode") from None
    except (
        OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError,
        NotImplementedError, ArithmeticError, AttributeError, struct.error, zlib.error,
    ) as error:  # fmt: skip
        text = str(error).split("\n")[0][:80] or type(error).__name__
        raise UnreadableError(f"it is truncated or damaged ({text})") from None


def inspect(path: Path) -> Header:
    """The head of an image file. Raises UnreadableError."""
    with _opened(path) as image:
        width, height = image.size
        if image.getexif().get(ORIENTATION, 1) in range(FIRST_TURNED, FIRST_TURNED + 4):
            width, height = height, width
        return Header(
            width,
            height,
            image.mode in GREY,
            image.mode in DEEP,
            int(getattr(image, "n_frames", 1)),
            _see_through(image),
        )


def _see_through(image: Any) -> bool:
    return image.mode[-1] in "Aa" or "transparency" in image.info


def decode(path: Path, channels: int, size: tuple[int, int], fit: str = "crop") -> Pixels:
    """The pixels of an image file, [H, W, channels] for ``size`` (H, W). Raises UnreadableError."""
    with _opened(path) as image:
        image.load()
        return fitted(_turned(image), channels, size, fit)


def _turned(image: Any) -> Any:
    import PIL.ImageOps

    return PIL.ImageOps.exif_transpose(image)


def fitted(image: Any, channels: int, size: tuple[int, int], fit: str = "crop") -> Pixels:
    """A Pillow image as bytes [H, W, channels], of the wanted size."""
    module = pillow()
    if image.mode in DEEP:
        deep = np.asarray(image).astype(np.int64).clip(0, 65535)
        image = module.fromarray(((deep * 255 + 32767) // 65535).astype(np.uint8))
    if _see_through(image):
        image = image.convert("RGBA")
        white = module.new("RGBA", image.size, "white")
        image = module.alpha_composite(white, image)
    image = image.convert("L" if channels == 1 else "RGB")
    height, width = size
    if image.size != (width, height):
        box = _middle(image.size, (width, height)) if fit == "crop" else None
        image = image.resize((width, height), module.Resampling.BILINEAR, box=box)
    return np.asarray(image, np.uint8).reshape(height, width, channels)


def _middle(size: tuple[int, int], wanted: tuple[int, int]) -> tuple[float, float, float, float]:
    """The largest part in the middle that has the proportions of ``wanted``."""
    scale = min(size[0] / wanted[0], size[1] / wanted[1])
    width, height = wanted[0] * scale, wanted[1] * scale
    left, top = (size[0] - width) / 2, (size[1] - height) / 2
    return left, top, left + width, top + height
