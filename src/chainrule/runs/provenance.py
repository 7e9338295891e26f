"""Where a run comes from: a hash of the data, versions, machine, commit of the working folder."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

from ..runtime.processors import get_num_threads
from ..version import __version__

__all__ = ["git_commit", "machine", "versions"]

PACKAGES = ("numpy", "llvmlite", "duckdb", "safetensors")


def versions() -> dict[str, str]:
    """Versions of this package and of what it stands on."""
    found = {"chainrule": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, str | int]:
    """The machine in a few words."""
    return {
        "host": platform.node(),
        "system": platform.platform(),
        "processor": platform.machine(),
        "processors": os.cpu_count() or 1,
        "threads": get_num_threads(),
    }


def git_commit(folder: Path) -> str:
    """The commit checked out in ``folder`` or above it; empty when there is none. Runs nothing."""
    for place in (folder, *folder.parents):
        head = place / ".git" / "HEAD"
        try:
            if not head.is_file():
                continue
            text = head.read_text(encoding="utf-8").strip()
            if not text.startswith("ref: "):
                return text
            reference = place / ".git" / text.removeprefix("ref: ")
            return reference.read_text(encoding="utf-8").strip() if reference.is_file() else ""
        except (OSError, UnicodeDecodeError):
            return ""
    return ""
