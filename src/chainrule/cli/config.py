"""``chainrule config show | fill | diff | schema``."""

from __future__ import annotations

from pathlib import Path

import click

from ..arguments import user_path
from .kind_options import KindHelp
from .options import common, json_option, runs_dir_option
from .run_lookup import find_run
from .settings import ResolvedSettings, check_overrides, resolve_settings, resolve_sources
from .settings_file import write_settings
from .terminal import print_json, print_text, say

__all__ = ["config"]


@click.group(short_help="Show, fill in, compare and describe settings.")
def config() -> None:
    """Settings of a run.toml or a finished run, with every default."""


def load_settings(source: str, runs_dir: str, overrides: tuple[str, ...] = ()) -> ResolvedSettings:
    """The settings of a ``run.toml``, a run, or data."""
    path = user_path(source, "the data")
    if source and path.suffix != ".toml" and not path.is_file() and not is_data(source, path):
        run = find_run(source, user_path(runs_dir, "--runs-dir"))
        return resolve_settings("config", str(run / "run.toml"), overrides)
    return resolve_settings("config", source, overrides)


def is_data(source: str, path: Path) -> bool:
    """Whether ``source`` is likely to be data of some kind, and not a run."""
    from ..runs.recognition import LIKELY
    from ..runs.registry import recognisers

    recognised = any(recognises(source) >= LIKELY for recognises in recognisers().values())
    return recognised and not (path / "run.toml").exists()


@config.command(short_help="Print all settings, including defaults.")
@click.argument("source", metavar="[RUN.toml|RUN|DATA]", default="")
@click.argument("overrides", metavar="[KEY=VALUE]...", nargs=-1, callback=check_overrides)
@click.option("--origin", is_flag=True, help="Show where each value comes from.")
@click.option("--schedule", is_flag=True, help="Plot the learning rate over the run.")
@json_option()
@runs_dir_option
@common
def show(
    source: str,
    overrides: tuple[str, ...],
    origin: bool,
    schedule: bool,
    as_json: bool,
    runs_dir: str,
) -> None:
    """Print the settings that `chainrule train` would use. KEY=VALUE overrides CHAINRULE_SETTINGS,
    which overrides RUN.toml, which overrides the defaults.
    """
    if "=" in source:
        source, overrides = "", (source, *overrides)
    resolved = load_settings(source, runs_dir, overrides)
    settings = resolved.settings
    from ..runs.settings.display import flatten_settings

    origins = {key: resolved.origins.get(key, "default") for key in flatten_settings(settings)}
    if as_json:
        document = settings.to_document()
        if origin:
            dotted = {".".join(key): text for key, text in origins.items()}
            document = {"settings": document, "origin": dotted}
        print_json(document)
        return
    print_text(settings.to_toml(origins if origin else {}), end="")
    if schedule:
        from ..runs.dry_run import sketch_schedule

        print_text(f"\n{sketch_schedule(resolved.kind, settings)}")


@config.command(short_help="Write out every default of a run.toml.")
@click.argument("source", metavar="RUN.toml")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write to FILE instead of stdout.",
)
@common
def fill(source: str, output: Path | None) -> None:
    """Print RUN.toml with every setting that it leaves out filled in, each with a comment."""
    from ..runs.settings.sources import from_file

    settings = resolve_sources([from_file(user_path(source, "the data"), relative=True)]).settings
    text = settings.to_toml(settings.descriptions())
    if output is None:
        print_text(text, end="")
    else:
        write_settings(output, text, overwrite=True)
        say(f"settings in {output}")


@config.command(short_help="Compare the settings of two runs.")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@json_option()
@runs_dir_option
@common
def diff(a: str, b: str, as_json: bool, runs_dir: str) -> None:
    """Print each setting that differs between A and B (a run.toml or a run), with both values."""
    first, second = (load_settings(source, runs_dir).settings for source in (a, b))
    from ..runs.settings.display import differences

    changes = {".".join(key): pair for key, pair in differences(first, second).items()}
    if as_json:
        print_json({key: list(pair) for key, pair in changes.items()})
        return
    width = max((len(key) for key in changes), default=0)
    for key, (left, right) in changes.items():
        print_text(f"{key:<{width}}  {left or '-'} -> {right or '-'}")
    if not changes:
        say("the settings are identical")


@config.command(cls=KindHelp, short_help="Print the JSON Schema of run.toml.")
@click.argument("section", metavar="[SECTION]", default="")
@click.option("--kind", metavar="KIND", help="Kind of data, as in `data.kind`.")
@common
def schema(section: str, kind: str | None) -> None:
    """Print the JSON Schema of run.toml, which lets editors complete and check it. With SECTION,
    such as train or train.optimizer, print the schema of that section.

    Each kind of data ({kinds}) has sections of its own.
    """
    from ..modalities.describing import section_schema

    print_json(section_schema(section, kind))
