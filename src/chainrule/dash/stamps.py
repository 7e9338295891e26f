"""Whether files of a run have changed since they were looked at."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

__all__ = ["stamp_of"]


def stamp_of(folder: Path, names: Iterable[str]) -> str:
    """Differs whenever one of the files differs, appears or goes; goes well with addresses."""
    parts = []
    for name in names:
        try:
            status = (folder / name).stat()
            parts.append(f"{status.st_mtime_ns:x}-{status.st_size:x}")
        except OSError:
            parts.append("0")
    return "_".join(parts)
