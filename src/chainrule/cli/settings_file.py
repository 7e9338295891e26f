"""Writes a ``run.toml``."""

from __future__ import annotations

from pathlib import Path

from ..errors import ConfigError

__all__ = ["write_settings"]


def write_settings(output: Path, text: str, overwrite: bool = False) -> None:
    """Writes the whole file or nothing. ConfigError if it exists, unless ``overwrite`` is set."""
    from ..train.checkpoints.weights_file import write_whole

    if output.exists() and not overwrite:
        raise ConfigError(f"{output} exists", help="choose another name with -o, or use --force")
    write_whole(output, text.encode("utf-8"))
