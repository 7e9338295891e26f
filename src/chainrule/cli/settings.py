"""From a command line to settings: a ``run.toml`` or data, overrides, options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..arguments import user_path
from .kind_options import SAME_OPTIONS, kind_options, refuse_foreign_options
from .terminal import say, state

if TYPE_CHECKING:
    from ..data import Setting
    from ..runs.listeners import Listener
    from ..runs.modality import Modality
    from ..runs.settings.sources import Source

__all__ = ["ResolvedSettings", "check_overrides", "listener_for", "print_origins",
           "resolve_settings", "resolve_sources"]  # fmt: skip


def check_overrides(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """Refuses what is not KEY=VALUE, such as a second source or a misspelt option."""
    for word in value:
        if "=" not in word:
            raise click.BadParameter(
                f"{word!r} is not KEY=VALUE, such as train.lr=0.003", param_hint="SETTINGS"
            )
    return value


@dataclass(frozen=True)
class ResolvedSettings:
    """The settings of a run, the kind of data they are for, and where each one comes from."""

    kind: Modality[Any, Any]
    settings: Any
    origins: Mapping[tuple[str, ...], str]

    def as_option(self, setting: Setting, command: str) -> str:
        """``setting`` as words that can be added to ``command``, an option if it has one."""
        from ..runs.fixes import as_option

        options = {
            self.kind.arguments[option.argument]: option.spelling
            for option in self.kind.options.get(SAME_OPTIONS.get(command, command), ())
            if option.argument in self.kind.arguments
        }
        return as_option(setting, options)


def resolve_settings(
    command: str,
    source: str,
    overrides: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
) -> ResolvedSettings:
    """Settings from a ``run.toml`` or data, the environment, and the command line.

    Raises UsageError for an option that does not apply to this kind of data.
    """
    from ..runs.recognition import kind_of_settings
    from ..runs.settings.arguments import from_arguments
    from ..runs.settings.sources import (
        Source,
        from_environment,
        from_file,
        from_overrides,
        usual,
    )

    is_file = Path(source).suffix == ".toml"
    sources = [from_file(user_path(source, "the data"))] if is_file else []
    sources.append(from_environment())
    if source and not is_file:
        sources.append(Source({("data", "path"): source}, {("data", "path"): "command line"}))
    last = from_overrides(overrides, "command line")
    values = {name: value for name, value in (options or {}).items() if value is not None}
    kind = kind_of_settings([*sources, last], values)
    refuse_foreign_options(kind, command, values)
    sources = [*([] if is_file else usual(kind.settings)), *sources]
    added = kind_options(command)
    spellings = {
        name: added[name].spelling if name in added else "--" + name.replace("_", "-")
        for name in values
    }
    return resolve_sources(
        [*sources, from_arguments(values, kind.arguments, spellings), last], kind
    )


def resolve_sources(
    sources: Sequence[Source], kind: Modality[Any, Any] | None = None
) -> ResolvedSettings:
    """The settings of a run of ``kind``, by default of the one that the sources are for."""
    from ..runs.recognition import kind_of_settings
    from ..runs.settings.sources import gather

    kind = kind or kind_of_settings(sources)
    gathered = gather(sources, kind.settings)
    return ResolvedSettings(kind, gathered.settings, gathered.origins)


def listener_for(as_json: bool, spell: Callable[[Setting], str] | None = None) -> Listener:
    """What prints the progress of a training; ``spell`` writes the settings that fix findings."""
    from ..runs.fixes import as_override
    from .output import JsonListener, SilentListener, TerminalListener

    if as_json and not state.silent:
        return JsonListener()
    if state.quiet or state.silent:
        return SilentListener()
    return TerminalListener(state.progress, spell or as_override)


def print_origins(resolved: ResolvedSettings) -> None:
    """With ``-v``: every setting that differs from its default, and where it comes from."""
    from ..runs.settings.display import differences

    if not state.verbose or state.quiet:
        return
    settings, origins = resolved.settings, resolved.origins
    for key, (_, value) in differences(type(settings)(), settings).items():
        say(f"{'.'.join(key)} = {value or '-'}  ({origins.get(key, 'default')})")
