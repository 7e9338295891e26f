"""Kinds of data: tables and images. Each has a folder; none imports another.

Whoever imports one has the settings of all: an error in those of one names the kind that a setting
belongs to (see `runs.settings.document`).
"""

from .images.settings import ImageSettings
from .tables.settings import Settings

__all__ = ["ImageSettings", "Settings"]
