"""``chainrule init DATA``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from .kind_options import KindCommand, parse_options
from .options import common, quiet_option
from .settings import listener_for, resolve_settings
from .settings_file import write_settings
from .terminal import print_text, say, state

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
    resolved = resolve_settings("init", data, (), parse_options("init", options))
    draft = resolved.kind.draft(resolved.settings, output)
    from ..runs.fixes import as_entry

    # The user edits the file next, so fixes are spelled as entries of it.
    document = draft.settings.to_document()
    listener_for(False, lambda setting: as_entry(setting, document)).findings(draft.findings)
    text = draft.settings.to_toml(draft.comments)
    if str(output) == "-":
        print_text(text, end="")
        return
    write_settings(output, text, overwrite=force)
    if not state.quiet:
        say(f"settings in {output}\nnext: chainrule train {shlex.quote(str(output))}")
