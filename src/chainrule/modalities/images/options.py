"""The options that images add to the commands: none."""

from __future__ import annotations

from ...runs.option import Options

__all__ = ["OPTIONS", "SOURCES"]

SOURCES = (
    "images: a folder with one subfolder per class (PNG, JPEG, WebP),",
    "  or an IDX file next to its labels; bundled: fashion",
)

OPTIONS: Options = {}
