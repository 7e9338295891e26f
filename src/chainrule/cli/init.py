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


@click.command(short_help="Write a run.toml for a table or images.")
@click.argument("data")
@click.option("--target", metavar="COLUMN", help="The column to predict.")
@click.option("--query", metavar="SQL", help="One SELECT on the table, which is called data.")
@click.option(
    "--task",
    type=click.Choice(["binary", "multiclass", "regression"]),
    help="Overrule what the target suggests.",
)
@click.option(
    "--missing",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="A value that means `not measured`, such as chol=0. May be repeated.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("run.toml"),
    show_default=True,
    metavar="FILE",
    help="`-` writes to stdout.",
)
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@quiet_option
@common
def init(
    data: str, missing: tuple[str, ...], output: Path, force: bool, **options: Any
) -> None:  # fmt: skip
    """Write the settings for DATA, with the kind of each column as it was inferred.

    Every line may be changed; `chainrule train run.toml` then trains as it says.
    """
    given = {**options, "missing": missing_values(missing)}
    found = gathered(data, (), given, images=True)
    from ..table.settings import Settings
    from ..table.starting import draft, written

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
