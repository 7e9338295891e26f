"""From the words of a command line to settings: a run.toml or a table, overrides, options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..arguments import user_path
from .terminal import say, state

if TYPE_CHECKING:
    from ..runs.listeners import Listener
    from ..runs.settings.sources import Gathered, Source

__all__ = ["gathered", "listener_for", "setting_words", "settled", "tell_origins"]

#: options whose names differ from those of `fit`'s arguments
SPELT = {"columns": "--column"}


def setting_words(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """Refuses what is not KEY=VALUE: a second table, a forgotten option."""
    for word in value:
        if "=" not in word:
            raise click.BadParameter(
                f"{word!r} is not KEY=VALUE, such as train.lr=0.003", param_hint="SETTINGS"
            )
    return value


def gathered(
    source: str,
    words: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    images: bool = False,
) -> Gathered[Any]:
    """Settings from a ``run.toml`` or data, the environment, and the command line.

    ``images``: whether the command takes runs on images, too. ConfigError if not, and it is one.
    """
    from ..modalities.tables.fit import KEYS
    from ..runs.settings.arguments import source_of
    from ..runs.settings.sources import from_environment, from_file, from_words

    given = {name: value for name, value in (options or {}).items() if value is not None}
    places = {name: SPELT.get(name, "--" + name.replace("_", "-")) for name in given}
    of_file = Path(source).suffix == ".toml"
    if not of_file and source:
        given["path"], places["path"] = source, "command line"
    found = [from_file(user_path(source, "the data"))] if of_file else []
    found += [from_environment(), source_of(given, KEYS, places), from_words(words, "command line")]
    return settled(found, images)


def settled(sources: Sequence[Source], images: bool = True) -> Gathered[Any]:
    """The settings of a run on a table or on images, as the sources say."""
    from ..errors import ConfigError
    from ..modalities.images.settings import ImageSettings, wants_images
    from ..modalities.tables.settings import Settings
    from ..runs.settings.sources import gather

    if not wants_images(sources):
        return gather(sources, Settings)
    if not images:
        raise ConfigError(
            "this command does not support images",
            help="train, predict, eval, resume, init, config and report take images",
        )
    return gather(sources, ImageSettings)


def listener_for(as_json: bool) -> Listener:
    """Who hears of a training."""
    from .talk import JsonTalk, Silent, TerminalTalk

    if as_json:
        return JsonTalk()
    return Silent() if state.quiet else TerminalTalk(state.progress)


def tell_origins(found: Gathered[Any]) -> None:
    """With ``-v``: every setting that is not as by default, and where it comes from."""
    from ..runs.settings.display import differences

    if state.verbose and not state.quiet:
        for key, (_, value) in differences(type(found.settings)(), found.settings).items():
            say(f"{'.'.join(key)} = {value or '-'}  ({found.origins.get(key, 'default')})")
