"""Reading images: folders, IDX files, arrays and bundled images become `Images`."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chainrule.arguments import user_path
from chainrule.data.files import MOST_BAD, Files
from chainrule.data.findings import Finding
from chainrule.data.gathering import ALONE, Gathering, divisible
from chainrule.data.images.decoding import (
    ENDINGS,
    FITS,
    Header,
    decode,
    inspect,
    pillow,
    strict,
)
from chainrule.data.images.idx import is_idx, labels_beside, read_idx
from chainrule.data.images.images import Images
from chainrule.data.images.memory import MEMORY, Room, windows
from chainrule.data.listing import FileKind, holds, some
from chainrule.errors import ConfigError, DataError

__all__ = ["BUNDLED_IMAGES", "LARGEST_AUTO", "is_image_source", "read_images"]

BUNDLED = Path(__file__).parent.parent / "bundled"
#: images that come with the package, with the names of their classes
BUNDLED_IMAGES: dict[str, tuple[str, ...]] = {
    "fashion": (
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker",
        "Bag", "Ankle boot",
    ),
}  # fmt: skip
#: sides of images that have no wanted size are at most so long
LARGEST_AUTO = 96
#: how surely a folder without images was meant to have some
FOLDER = 0.4
#: the files of images; the codes are those of findings
IMAGE_FILES = FileKind(ENDINGS, "images", "D301", "D306", "D307", "D308", "D302")
#: how the files of images end, in words
ENDED = ", ".join(ENDINGS)


@dataclass(frozen=True)
class Wanted:
    """The size (H, W) and the number of channels of all images; None is decided by the images."""

    size: tuple[int, int] | None = None
    channels: int | None = None
    fit: str = "crop"
    room: Room = MEMORY


def is_image_source(source: object) -> float:
    """How surely a word on the command line means images, from 0 to 1: a folder with some in it, an
    IDX file, an image file, or the name of bundled images. Other folders might have been meant."""
    if not isinstance(source, str | os.PathLike) or not str(source):
        return 0.0
    path = user_path(source, "the data")
    if path.is_dir():
        return 1.0 if holds(path, ENDINGS) else FOLDER
    sure = path.suffix.lower() in ENDINGS or is_idx(path)
    return float(sure or (str(source) in BUNDLED_IMAGES and not path.exists()))


def read_images(
    source: object,
    labels: object = None,
    *,
    classes: Sequence[str] | None = None,
    size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    fit: str = "crop",
    layout: str = "auto",
    most_bad: float = MOST_BAD,
    labelled: bool = True,
    room: Room = MEMORY,
    gathering: Gathering = ALONE,
) -> Images:
    """Images of one size as bytes.

    ``source`` is a folder with one folder for each class (PNG, JPEG, WebP), a folder of images
    without classes, one image file, an IDX file (its labels lie beside it, by their names), a uint8
    array ([N, H, W], [N, H, W, C] or [N, C, H, W]), `Images` or ``"fashion"``. ``labels`` are those
    of an array or IDX file, or the path of an IDX file of them; ``classes`` are the names that
    whole numbers index, in their order; texts and folders must be among them.

    Without ``size`` (a side, or height and width), images of one size keep it if no side is longer
    than 96; others become squares of the median of their shorter sides, at most 96. ``fit``
    ``"crop"`` scales an image until it covers the size and cuts off what is left over on both
    sides, ``"stretch"`` gives up proportions. ``channels`` None is 1 if all images are grey, else
    3. Transparent pixels lie on white; images are turned as EXIF says; of animations there is the
    first frame.

    Files that cannot be read are left out, with a finding that names them; more than the share
    ``most_bad`` of them is a DataError. With ``labelled`` False folders are no classes, and images
    in all of them are read. The pixels go into ``room``: more than its limit, a
    gigabyte, lie in a file. Of a folder of many files each process that is ``gathering`` with
    others reads its share alone. ConfigError when Pillow is needed and not there.
    """
    wanted = Wanted(_pair(size), _checked_channels(channels), fit, room)
    _check(classes, fit, most_bad)
    if isinstance(source, Images):
        return _shaped(source, wanted)
    if not isinstance(source, str | os.PathLike):
        images = Images.of_array(source, labels, classes, layout=layout)
        return _shaped(images, wanted)
    path = user_path(source, "the data")
    if str(source) in BUNDLED_IMAGES and not path.exists():
        if labels is not None:
            raise ConfigError(f"the images of {source} have labels", help="leave labels out")
        images = _shaped(_bundled(str(source)), wanted)
        return images.labelled_as(classes) if classes else images
    if path.is_file() and path.suffix.lower() not in ENDINGS:
        if not is_idx(path):
            raise _neither(path)
        return _shaped(_read_pair(path, labels, classes, room), wanted)
    if labels is not None and path.exists():
        raise ConfigError("the subfolders already name the classes", help="leave labels out")
    images = _read_files(
        Files.at(path, IMAGE_FILES, labelled, most_bad, gathering), wanted, labelled
    )
    return images.labelled_as(classes) if classes and images.classes else images


def _check(classes: Sequence[str] | None, fit: str, most_bad: float) -> None:
    """ConfigError for arguments of `read_images` that no images fit."""
    if classes and len(set(classes)) < len(classes):
        raise ConfigError(
            f"duplicate names among the classes {', '.join(classes)}",
            help="give each class a unique name",
        )
    if not 0.0 <= most_bad <= 1.0:
        raise ConfigError(f"most_bad is {most_bad!r}", help="pass a fraction of the files, 0 to 1")
    if fit not in FITS:
        raise ConfigError(f"fit is {fit!r}", help=f"use {' or '.join(FITS)}")


def _neither(path: Path) -> DataError:
    return DataError(
        f"{path.name} is neither an image nor an IDX file of bytes",
        where=str(path),
        help=f"images end in {ENDED}, an IDX file begins with the bytes 0, 0, 8 and the number of "
        "its axes, 1 to 4",
    )


def _pair(size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    if size is None:
        return None
    pair = tuple(size) if isinstance(size, list | tuple) else (size, size)
    if len(pair) != 2 or not all(type(n) is int and 1 <= n <= 4096 for n in pair):
        raise ConfigError(f"the size is {size!r}", help="pass a side, or height and width, to 4096")
    return pair[0], pair[1]


def _checked_channels(channels: int | None) -> int | None:
    if channels not in (None, 1, 3):
        raise ConfigError(f"channels is {channels!r}", help="1 is grey, 3 is RGB")
    return channels


def _shaped(images: Images, wanted: Wanted) -> Images:
    """Images that were read already, in the wanted size."""
    size = wanted.size or _auto_size([images.size])
    channels = wanted.channels or images.channels
    return images.shaped(size, channels, wanted.fit, wanted.room)


# ------------------------------------------------------------------------------------- IDX


def _bundled(name: str) -> Images:
    pixels = read_idx(BUNDLED / f"{name}-images-idx3-ubyte.gz")
    labels = read_idx(BUNDLED / f"{name}-labels-idx1-ubyte.gz")
    return Images.of_array(pixels, labels, BUNDLED_IMAGES[name], name=name)


def _read_pair(path: Path, labels: object, classes: Sequence[str] | None, room: Room) -> Images:
    pixels = read_idx(path, room)
    if pixels.ndim < 3:
        raise DataError(
            f"{path.name} has {pixels.ndim} axes, but images have at least 3",
            where=str(path),
            help="pass the file of images; the file of labels is found next to it",
        )
    if labels is None:
        labels = labels_beside(path)
    if isinstance(labels, str | os.PathLike):
        labels = read_idx(labels)
    name = path.name.split(".")[0]
    if pixels.ndim == 3:
        pixels = pixels[..., None]
    return Images.of_array(pixels, labels, classes, name=name)


# ------------------------------------------------------------------------------- image files


def _read_files(files: Files, wanted: Wanted, labelled: bool) -> Images:
    pillow()
    if not files:
        raise _no_images(files.listing.root, labelled)
    with strict():
        heads = files.read_shared(inspect, Header)
    files.check()
    size = wanted.size or _auto_size([(h.height, h.width) for h in heads.values()])
    channels = wanted.channels or (1 if all(h.grey for h in heads.values()) else 3)
    rows = files.good
    share = files.share(len(rows), len(rows) * math.prod(size) * channels)
    own = rows if share is None else rows[share.slice]
    pixels = wanted.room.array((len(own), *size, channels))
    for part in windows(pixels):
        with strict():
            decoded = files.read(lambda file: decode(file, channels, size, wanted.fit), own[part])
        for row, i in zip(pixels[part], own[part], strict=True):
            if i in decoded:
                row[...] = decoded[i]
    files.check()
    findings = (*files.findings, *_noticed(files, heads, size, channels))
    images = Images(
        files.name, pixels, files.labels(rows), files.listing.classes, files.names(rows), findings,
        share,
    )  # fmt: skip
    kept = [position for position, i in enumerate(rows) if i not in files.bad]
    if len(kept) < len(rows):
        images = images.take(np.array(kept), wanted.room)
    return images if divisible(images.nbytes) else images.whole(wanted.room)


def _no_images(path: Path, labelled: bool) -> DataError:
    idx_files = [e for e in sorted(path.iterdir()) if labels_beside(e) is not None and is_idx(e)]
    if idx_files:
        wanted = f"the IDX file of the images itself: {some(idx_files)}"
    elif labelled:
        wanted = f"one with a folder of images ({ENDED}) for each class, or the file of a table"
    else:
        wanted = f"an image, or a folder of them ({ENDED})"
    return DataError(f"{path} is a folder without images", help=f"pass {wanted}")


def _auto_size(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """See `read_images`."""
    if len(set(sizes)) == 1 and max(sizes[0]) <= LARGEST_AUTO:
        return sizes[0]
    side = int(np.median([min(s) for s in sizes]))
    return (min(side, LARGEST_AUTO),) * 2


def _noticed(
    files: Files, heads: Mapping[int, Header], size: tuple[int, int], channels: int
) -> list[Finding]:
    """What there is to say about the files."""
    findings = []

    def note(code: str, message: str, rows: Sequence[int]) -> None:
        if rows:
            evidence = f"{len(rows)} images: {some(files.names(rows))}"
            findings.append(Finding(code, "info", message, evidence))

    animated = [i for i, h in heads.items() if h.frames > 1]
    note("D303", "only the first frame of animated images was used", animated)
    sizes = Counter((h.width, h.height) for h in heads.values())
    if set(sizes) != {(size[1], size[0])}:
        counts = some([f"{n} of {w} x {h}" for (w, h), n in sizes.most_common()])
        message = f"images were resized to {size[1]} x {size[0]} pixels"
        findings.append(Finding("D304", "info", message, counts, "data.size sets another size"))
    grey = [i for i, h in heads.items() if h.grey] if channels == 3 else []
    if len(grey) < len(heads):
        note("D305", "grey images among colour ones were converted to RGB", grey)
    deep = [i for i, h in heads.items() if h.deep]
    note("D309", "16-bit images were reduced to the upper 8 bits", deep)
    transparent = [i for i, h in heads.items() if h.see_through]
    note("D311", "transparent pixels are shown on white", transparent)
    return findings
