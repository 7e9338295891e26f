"""``chainrule info``: what a bug report should include."""

from __future__ import annotations

from typing import Any

import click

from ..version import __version__
from .options import common, json_option
from .terminal import print_json, print_text

__all__ = ["info"]


@click.command(short_help="Show versions, processor, threads and folders.")
@json_option()
@common
def info(as_json: bool) -> None:
    """Show versions, processor features, threads, and where compiled programs are cached."""
    facts = collect_facts()
    if as_json:
        print_json(facts)
        return
    for name, value in facts.items():
        if isinstance(value, dict):
            value = ", ".join(f"{k} {v}" for k, v in value.items())
        elif isinstance(value, list):
            value = " ".join(map(str, value))
        print_text(f"{name:<12} {value}")


def collect_facts() -> dict[str, Any]:
    """All facts, the most interesting first."""
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
