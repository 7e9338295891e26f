"""``chainrule init DATA``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from .kind_options import KindCommand, read_options
from .options import common, quiet_option
from .settings import chosen, listener_for
from .settings_file import written
from .terminal import say, state, tell

__all__ = ["init"]


@click.command(cls=KindCommand, short_help="Write a run.toml for your data.")
@click.argument("data")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("run.toml"),
    show_default=True,
    metavar="FILE",
    help="File to write, or `-` for stdout.",
)
@click.option("--force", is_flag=True, help="Overwrite the file if it exists.")
@quiet_option
@common
def init(data: str, output: Path, force: bool, **options: Any) -> None:
    """Write a run.toml with all settings for DATA, including what was inferred from it.

    Edit it as you like, then train with `chainrule train run.toml`.
    """
    found = chosen("init", data, (), read_options("init", options))
    drafted = found.kind.draft(found.settings, output)
    listener_for(False, found.options("init")).findings(drafted.findings)
    text = drafted.settings.to_toml(drafted.comments)
    if str(output) == "-":
        tell(text, end="")
        return
    written(output, text, replace=force)
    if not state.quiet:
        say(f"settings in {output}\nnext: chainrule train {shlex.quote(str(output))}")
