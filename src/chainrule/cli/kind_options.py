"""Options that kinds of data add to a command, which knows none of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..runs.modality import Modality
    from ..runs.option import Option

__all__ = ["KindCommand", "for_kind", "read_options"]


class KindCommand(click.Command):
    """A command that has the options of all kinds of data besides its own.

    They are asked for once the command is used; the kinds themselves are not loaded.
    """

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """``{sources}`` in the help is what data may be."""
        written, self.help = self.help or "", (self.help or "").replace("{sources}", _sources())
        super().format_help_text(ctx, formatter)
        self.help = written

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        own = super().get_params(ctx)
        arguments = [p for p in own if isinstance(p, click.Argument)]
        added = [_as_click(option) for option in options_of(str(self.name)).values()]
        return [*arguments, *added, *(p for p in own if p not in arguments)]


def _sources() -> str:
    """What data of each kind may be, as an indented list."""
    from ..runs.registry import sources

    return "\n      ".join(sources())


def options_of(command: str) -> Mapping[str, Option]:
    """The options that any kind adds to a command, by their argument."""
    from ..runs.registry import options

    known: dict[str, Option] = {}
    for of_kind in options():
        for option in of_kind.get(command, ()):
            known.setdefault(option.argument, option)
    return known


@functools.cache
def _as_click(option: Option) -> click.Option:
    return click.Option(
        [option.spelling, option.argument],
        help=option.help,
        metavar=option.metavar or None,
        multiple=option.several,
        type=click.Choice(option.choices) if option.choices else None,
    )


def read_options(command: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """All options that were ``given``, those of kinds read; what was left out is not there.

    Raises BadParameter for a text that means nothing.
    """
    values = {name: value for name, value in given.items() if value not in (None, ())}
    for argument, option in options_of(command).items():
        if argument in values and option.read is not None:
            values[argument] = _read(option, option.read, values[argument])
    return values


def _read(option: Option, read: Callable[[Any], Any], value: Any) -> Any:
    try:
        return read(value)
    except ValueError as error:
        from ..errors import ChainruleError

        reason = error.what if isinstance(error, ChainruleError) else f"{value!r} is no number"
        raise click.BadParameter(reason, param_hint=option.spelling) from None


def for_kind(kind: Modality[Any, Any], command: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Read options that are to be of one ``kind``. Raises UsageError for those of another."""
    own = {option.argument for option in kind.options.get(command, ())}
    for argument in given:
        if argument not in own and argument not in kind.arguments:
            spelling = options_of(command)[argument].spelling
            raise click.UsageError(f"{spelling} does not apply to {kind.name}")
    return dict(given)
