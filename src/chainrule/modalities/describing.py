"""What settings runs of each kind have: for ``config schema``, and for the documentation."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from ..runs.settings.describing import markdown, sections
from ..runs.settings.describing import section_schema as schema_in
from ..runs.settings.document import Whole
from .images.settings import ImageSettings
from .tables.settings import Settings

__all__ = ["KINDS", "section_schema"]

#: the settings of a run, by what it learns from
KINDS: Mapping[str, type[Whole]] = {"table": Settings, "images": ImageSettings}


def section_schema(name: str, kind: str | None = None) -> dict[str, Any]:
    """The JSON Schema of a section of runs of one kind, or of all of it for ``""``.

    Without ``kind`` it is that of tables; sections that only images have are found as well.
    SettingError if there is none.
    """
    only_images = name.split(".")[0] in set(sections(ImageSettings)) - set(sections(Settings))
    return schema_in(name, KINDS[kind or ("images" if name and only_images else "table")])


if __name__ == "__main__":
    if sys.argv[1:] == ["images"]:
        print(markdown(ImageSettings, Settings), end="")
    else:
        print(markdown(Settings), end="")
