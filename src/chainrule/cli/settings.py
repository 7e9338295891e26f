"""From the words of a command line to settings: a run.toml or data, overrides, options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..arguments import user_path
from .kind_options import for_kind, options_of
from .terminal import say, state

if TYPE_CHECKING:
    from ..runs.listeners import Listener
    from ..runs.modality import Modality
    from ..runs.settings.sources import Source

__all__ = ["Chosen", "chosen", "listener_for", "setting_words", "settled", "tell_origins"]


def setting_words(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """Refuses what is not KEY=VALUE: a second source, a forgotten option."""
    for word in value:
        if "=" not in word:
            raise click.BadParameter(
                f"{word!r} is not KEY=VALUE, such as train.lr=0.003", param_hint="SETTINGS"
            )
    return value


@dataclass(frozen=True)
class Chosen:
    """Settings of a run, their kind of data, and where each of them comes from."""

    kind: Modality[Any, Any]
    settings: Any
    origins: Mapping[tuple[str, ...], str]

    def options(self, command: str) -> dict[tuple[str, ...], str]:
        """The options that this kind adds to a command, by the key of the setting of each."""
        added = self.kind.options.get(command, ())
        return {self.kind.arguments[o.argument]: o.spelling for o in added
                if o.argument in self.kind.arguments}  # fmt: skip


def chosen(
    command: str,
    source: str,
    words: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
) -> Chosen:
    """Settings from a ``run.toml`` or data, the environment, and the command line.

    Raises UsageError for an option that this kind of data does not have.
    """
    from ..runs.recognition import kind_of_settings
    from ..runs.settings.arguments import from_arguments
    from ..runs.settings.sources import Source, from_environment, from_file, from_overrides

    of_file = Path(source).suffix == ".toml"
    sources = [from_file(user_path(source, "the data"))] if of_file else []
    sources.append(from_environment())
    if source and not of_file:
        sources.append(Source({("data", "path"): source}, {("data", "path"): "command line"}))
    last = from_overrides(words, "command line")
    kind = kind_of_settings([*sources, last])
    given = {name: value for name, value in (options or {}).items() if value is not None}
    given = for_kind(kind, command, given)
    spelt = {name: option.spelling for name, option in options_of(command).items()}
    places = {name: spelt.get(name, "--" + name.replace("_", "-")) for name in given}
    return settled([*sources, from_arguments(given, kind.arguments, places), last])


def settled(sources: Sequence[Source]) -> Chosen:
    """The settings of a run, of whatever kind the sources say."""
    from ..runs.recognition import kind_of_settings
    from ..runs.settings.sources import gather

    kind = kind_of_settings(sources)
    gathered = gather(sources, kind.settings)
    return Chosen(kind, gathered.settings, gathered.origins)


def listener_for(as_json: bool, options: Mapping[tuple[str, ...], str] | None = None) -> Listener:
    """Who hears of a training; fixes of findings are spelled as ``options``, by their settings."""
    from .output import JsonTalk, Silent, TerminalTalk

    if as_json:
        return JsonTalk()
    return Silent() if state.quiet else TerminalTalk(state.progress, options)


def tell_origins(found: Chosen) -> None:
    """With ``-v``: every setting that is not as by default, and where it comes from."""
    from ..runs.settings.display import differences

    if state.verbose and not state.quiet:
        for key, (_, value) in differences(type(found.settings)(), found.settings).items():
            say(f"{'.'.join(key)} = {value or '-'}  ({found.origins.get(key, 'default')})")
