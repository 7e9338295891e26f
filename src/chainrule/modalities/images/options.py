"""What images add to the commands."""

from __future__ import annotations

from ...runs.option import Options

__all__ = ["OPTIONS", "SOURCES"]

SOURCES = (
    "images: a folder with a subfolder for each class (PNG, JPEG, WebP),",
    "  or an IDX file next to its labels; bundled: fashion",
)

OPTIONS: Options = {}
