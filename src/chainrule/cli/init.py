"""``chainrule init DATA --target COLUMN``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from .options import common, quiet_option
from .starting import gathered, listener_for
from .terminal import missing_values, say, state, tell

__all__ = ["init"]


@click.command(short_help="Write a run.toml for your data.")
@click.argument("data")
@click.option("--target", metavar="COLUMN", help="Column to predict.")
@click.option(
    "--query", metavar="SQL", help="SELECT that picks rows and columns; the table is called data."
)
@click.option(
    "--task",
    type=click.Choice(["binary", "multiclass", "regression"]),
    help="Override the task inferred from the target.",
)
@click.option(
    "--missing",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="Value that stands for missing data, such as chol=0. Can be repeated.",
)
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
def init(
    data: str, missing: tuple[str, ...], output: Path, force: bool, **options: Any
) -> None:  # fmt: skip
    """Write a run.toml with all settings for DATA, including what was inferred from it.

    Edit it as you like, then train with `chainrule train run.toml`.
    """
    given = {**options, "missing": missing_values(missing)}
    found = gathered(data, (), given, images=True)
    from ..modalities.tables.settings import Settings
    from ..modalities.tables.starting import draft, written

    settings, comments = found.settings, found.settings.abouts()
    if isinstance(settings, Settings):
        settings, comments, findings = draft(settings, output)
        listener_for(False).findings(findings)
    else:  # of images nothing is inferred before they are read
        settings = settings.beside(output)
    text = settings.to_toml(comments)
    if str(output) == "-":
        tell(text, end="")
        return
    written(output, text, replace=force)
    if not state.quiet:
        say(f"settings in {output}\nnext: chainrule train {shlex.quote(str(output))}")
