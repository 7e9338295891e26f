"""Images: reading folders, IDX files and arrays as bytes. Independent of the engine.

images = read_images("photos", size=64)
images.pixels, images.labels, images.classes, images.findings

The names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chainrule.lazily import loaded

if TYPE_CHECKING:
    from chainrule.data.images.idx import is_idx as is_idx
    from chainrule.data.images.idx import read_idx as read_idx
    from chainrule.data.images.images import Images as Images
    from chainrule.data.images.memory import Room as Room
    from chainrule.data.images.reading import BUNDLED_IMAGES as BUNDLED_IMAGES
    from chainrule.data.images.reading import is_image_source as is_image_source
    from chainrule.data.images.reading import read_images as read_images

#: where each public name is defined
_HOMES = {
    "is_idx": "idx",
    "read_idx": "idx",
    "Images": "images",
    "Room": "memory",
    "BUNDLED_IMAGES": "reading",
    "is_image_source": "reading",
    "read_images": "reading",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    return loaded(name, _HOMES, __name__)
