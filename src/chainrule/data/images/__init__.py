"""Images: reading folders, IDX files and arrays as bytes. Independent of the engine.

images = read_images("photos", size=64)
images.pixels, images.labels, images.classes, images.findings
"""

from chainrule.data.images.idx import is_idx, read_idx
from chainrule.data.images.images import Images
from chainrule.data.images.memory import Room
from chainrule.data.images.reading import BUNDLED_IMAGES, is_image_source, read_images

__all__ = [
    "BUNDLED_IMAGES",
    "Images",
    "Room",
    "is_idx",
    "is_image_source",
    "read_idx",
    "read_images",
]
