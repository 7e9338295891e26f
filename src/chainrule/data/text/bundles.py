"""Texts that come with the package; their sources are in ``bundled/NOTICE.md``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["BUNDLED_TEXTS", "BundledText", "bundled_text"]

FOLDER = Path(__file__).parent.parent / "bundled"


@dataclass(frozen=True)
class BundledText:
    """A text or a table of texts, and what is learned from it."""

    name: str
    file: str
    task: Literal["auto", "language", "translation"]
    about: str
    target: str = ""
    text: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        return FOLDER / self.file


BUNDLED_TEXTS: dict[str, BundledText] = {
    b.name: b
    for b in (
        BundledText(
            "austen", "austen.txt.gz", "language",
            "Jane Austen, Pride and Prejudice (1813)",
        ),
    )
}  # fmt: skip


def bundled_text(source: object) -> BundledText | None:
    """The bundled texts that a word means; None for anything else, and for a file of that name."""
    if not isinstance(source, str | os.PathLike) or Path(source).exists():
        return None
    return BUNDLED_TEXTS.get(str(source))
