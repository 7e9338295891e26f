"""What the checks of images are given."""

from __future__ import annotations

from dataclasses import dataclass

from ....runs.dry_run import PreparedRun
from ..prepare import PreparedImages
from ..settings import ImageSettings

__all__ = ["ImageRun"]


@dataclass(frozen=True)
class ImageRun(PreparedRun[ImageSettings]):
    """A training on images that has not started."""

    prepared: PreparedImages
