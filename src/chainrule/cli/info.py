"""``chainrule info``: what a report of a defect needs to say."""

from __future__ import annotations

from typing import Any

import click

from ..version import __version__
from .options import common, json_option
from .terminal import tell, tell_json

__all__ = ["info"]


@click.command(short_help="Show versions, processor, threads and folders.")
@json_option()
@common
def info(as_json: bool) -> None:
    """Show versions, processor features, threads, and where compiled programs are cached."""
    facts = gather()
    if as_json:
        tell_json(facts)
        return
    for name, value in facts.items():
        if isinstance(value, dict):
            value = ", ".join(f"{k} {v}" for k, v in value.items())
        elif isinstance(value, list):
            value = " ".join(map(str, value))
        tell(f"{name:<12} {value}")


def gather() -> dict[str, Any]:
    """All facts, in the order of interest."""
    import platform

    from .. import config
    from ..codegen.target import host_target
    from ..runs.provenance import versions
    from ..runtime.processors import available, get_num_threads

    target = host_target()
    folder = config.CACHE_DIR.read()
    files = [p for p in folder.rglob("*") if p.is_file()] if folder.is_dir() else []
    return {
        "chainrule": __version__,
        "versions": {k: v for k, v in versions().items() if k != "chainrule"},
        "system": platform.platform(),
        "processor": target.cpu,
        "features": [f for f in target.features.split(",") if f.startswith("+")],
        "processors": available(),
        "threads": get_num_threads(),
        "cache": str(folder) if config.CACHE.read() else f"{folder} (off)",
        "cached": {"programs": len(files), "bytes": sum(p.stat().st_size for p in files)},
    }
