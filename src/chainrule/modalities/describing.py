"""What settings runs of each kind have: for ``config schema``, and for the documentation."""

from __future__ import annotations

import sys
from typing import Any

from ..runs.registry import kinds, lookup
from ..runs.settings.describing import markdown, sections
from ..runs.settings.describing import section_schema as schema_in

__all__ = ["section_schema"]


def section_schema(name: str, kind: str | None = None) -> dict[str, Any]:
    """The JSON Schema of a section of runs of one kind, or of all of it for ``""``.

    Without ``kind`` it is that of the kind whose runs do not say theirs; sections that only others
    have are found as well. SettingError if there is none.
    """
    usual = lookup(kind)
    if kind is None and name and name.split(".")[0] not in sections(usual.settings):
        top = name.split(".")[0]
        usual = next((k for k in kinds() if top in sections(k.settings)), usual)
    return schema_in(name, usual.settings)


if __name__ == "__main__":
    plain = lookup(None).settings
    if sys.argv[1:]:
        print(markdown(lookup(sys.argv[1]).settings, plain), end="")
    else:
        print(markdown(plain), end="")
