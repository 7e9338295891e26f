"""Changing a file that has a checksum, and the checksum too, as somebody would who means it."""

from __future__ import annotations

import json
from pathlib import Path

from chainrule.records import sealed

__all__ = ["reseal"]


def reseal(path: Path, without: tuple[str, ...] = (), **changed: object) -> None:
    """Changes members of the JSON object in ``path``."""
    facts = json.loads(path.read_text()) | changed
    text = json.dumps({k: v for k, v in facts.items() if k not in ("checksum", *without)})
    path.write_text(sealed(text) if facts["version"] > 1 else text)
