"""Describes the settings of each kind of data, for ``config schema`` and the documentation."""

from __future__ import annotations

import sys
from typing import Any

from ..runs.registry import kinds, lookup
from ..runs.settings.describing import markdown, sections
from ..runs.settings.describing import section_schema as schema_in

__all__ = ["section_schema"]


def section_schema(name: str, kind: str | None = None) -> dict[str, Any]:
    """The JSON Schema of a section of ``run.toml`` for one kind of data, or of all for ``""``.

    Without ``kind``, it is the kind of runs that name none, or the first that has such a section.
    SettingError if there is none.
    """
    modality = lookup(kind)
    top = name.split(".")[0]
    if kind is None and name and top not in sections(modality.settings):
        modality = next((k for k in kinds() if top in sections(k.settings)), modality)
    return schema_in(name, modality.settings)


if __name__ == "__main__":
    default = lookup(None).settings
    if sys.argv[1:]:
        print(markdown(lookup(sys.argv[1]).settings, default), end="")
    else:
        print(markdown(default), end="")
