"""``chainrule config show | fill | diff | schema``."""

from __future__ import annotations

from pathlib import Path

import click

from ..arguments import user_path
from .options import common, json_option, runs_dir_option
from .run_lookup import find_run
from .settings import Chosen, chosen, setting_words, settled
from .settings_file import written
from .terminal import say, tell, tell_json

__all__ = ["config"]

#: what a kind of data must be sure of, so that a word is no run
LIKELY = 0.5


@click.group(short_help="Show, fill in, compare and describe settings.")
def config() -> None:
    """Settings of a run.toml or a finished run, with every default."""


def settings_of(text: str, runs_dir: str, words: tuple[str, ...] = ()) -> Chosen:
    """The settings of a ``run.toml``, a run, or data."""
    path = user_path(text, "the data")
    if text and path.suffix != ".toml" and not path.is_file() and not is_data(text, path):
        run = find_run(text, user_path(runs_dir, "--runs-dir"))
        return chosen("config", str(run / "run.toml"), words)
    return chosen("config", text, words)


def is_data(text: str, path: Path) -> bool:
    """Whether ``text`` is no run, but something that a kind of data is rather sure of."""
    from ..runs.registry import kinds

    sure = any(kind.recognises(text) >= LIKELY for kind in kinds())
    return sure and not (path / "run.toml").exists()


@config.command(short_help="Print all settings, including defaults.")
@click.argument("source", metavar="[RUN.toml|RUN|DATA]", default="")
@click.argument("words", metavar="[KEY=VALUE]...", nargs=-1, callback=setting_words)
@click.option("--origin", is_flag=True, help="Show where each value comes from.")
@click.option("--schedule", is_flag=True, help="Plot the learning rate over the run.")
@json_option()
@runs_dir_option
@common
def show(
    source: str, words: tuple[str, ...], origin: bool, schedule: bool, as_json: bool, runs_dir: str
) -> None:
    """Print the settings that `chainrule train` would use. KEY=VALUE overrides CHAINRULE_SETTINGS,
    which overrides RUN.toml, which overrides the defaults.
    """
    if "=" in source:
        source, words = "", (source, *words)
    found = settings_of(source, runs_dir, words)
    from ..runs.settings.display import flatten_settings

    if as_json:
        document = found.settings.to_document()
        if origin:
            places = {
                ".".join(k): found.origins.get(k, "default")
                for k in flatten_settings(found.settings)
            }
            document = {"settings": document, "origin": places}
        tell_json(document)
        return
    notes = {key: found.origins.get(key, "default") for key in flatten_settings(found.settings)}
    tell(found.settings.to_toml(notes if origin else {}), end="")
    if schedule:
        from ..runs.dry_run import sketch_schedule

        tell(f"\n{sketch_schedule(found.kind, found.settings)}")


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

    settings = settled([from_file(user_path(source, "the data"), relative=True)]).settings
    text = settings.to_toml(settings.descriptions())
    if output is None:
        tell(text, end="")
    else:
        written(output, text, replace=True)
        say(f"settings in {output}")


@config.command(short_help="Compare the settings of two runs.")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@json_option()
@runs_dir_option
@common
def diff(a: str, b: str, as_json: bool, runs_dir: str) -> None:
    """Print each setting that differs between A and B (a run.toml or a run), with both values."""
    mine, theirs = (settings_of(text, runs_dir).settings for text in (a, b))
    from ..runs.settings.display import differences

    found = {".".join(key): pair for key, pair in differences(mine, theirs).items()}
    if as_json:
        tell_json({k: list(v) for k, v in found.items()})
        return
    width = max((len(key) for key in found), default=0)
    for key, (left, right) in found.items():
        tell(f"{key:<{width}}  {left or '-'} -> {right or '-'}")
    if not found:
        say("the settings are identical")


@config.command(short_help="Print the JSON Schema of run.toml.")
@click.argument("section", metavar="[SECTION]", default="")
@click.option(
    "--kind", metavar="KIND", help="Kind of data, such as tables (the default) or images."
)
@common
def schema(section: str, kind: str | None) -> None:
    """Print the JSON Schema of run.toml, which lets editors complete and check it. With SECTION,
    such as train or train.optimizer, print the schema of that section.

    Each kind of data has sections of its own: `--kind images`.
    """
    from ..modalities.describing import section_schema

    tell_json(section_schema(section, kind))
