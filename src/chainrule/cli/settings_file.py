"""Writing a ``run.toml``."""

from __future__ import annotations

from pathlib import Path

from ..errors import ConfigError

__all__ = ["written"]


def written(output: Path, text: str, replace: bool = False) -> None:
    """Writes a file whole. Raises ConfigError if it exists, unless ``replace``."""
    from ..train.checkpoints.weights_file import write_whole

    if output.exists() and not replace:
        raise ConfigError(f"{output} exists", help="choose another name with -o, or use --force")
    write_whole(output, text.encode("utf-8"))
