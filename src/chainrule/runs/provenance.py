"""Where a run comes from: versions, machine, commit of the working folder."""

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
    """Versions of this package, of Python, and of the packages it depends on."""
    versions = {"chainrule": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def machine() -> dict[str, str | int]:
    """The machine: host, system, processors, threads."""
    return {
        "host": platform.node(),
        "system": platform.platform(),
        "processor": platform.machine(),
        "processors": os.cpu_count() or 1,
        "threads": get_num_threads(),
    }


def git_commit(folder: Path) -> str:
    """The commit checked out in ``folder`` or above it; empty if there is none. Runs no program."""
    for parent in (folder, *folder.parents):
        head = parent / ".git" / "HEAD"
        try:
            if not head.is_file():
                continue
            text = head.read_text(encoding="utf-8").strip()
            if not text.startswith("ref: "):
                return text
            reference = parent / ".git" / text.removeprefix("ref: ")
            return reference.read_text(encoding="utf-8").strip() if reference.is_file() else ""
        except (OSError, UnicodeDecodeError):
            return ""
    return ""
