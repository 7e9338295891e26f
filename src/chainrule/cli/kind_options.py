"""What kinds of data add to a command: options, and words of its help. No kind is named here."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..runs.modality import Modality
    from ..runs.option import Option

__all__ = ["SAME_OPTIONS", "KindCommand", "KindHelp", "kind_options", "parse_options",
           "refuse_foreign_options"]  # fmt: skip

#: letters of choices that a line of help has room for; more of them stand in the text beside it
LONGEST_CHOICE = 60
#: commands that take the options that kinds add to another one
SAME_OPTIONS = {"tune": "train"}


class KindHelp(click.Command):
    """A command whose help may contain ``{kinds}``, the names of all kinds of data, and
    ``{sources}``, a list of what the data can be."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from ..phrasing import listed
        from ..runs.registry import names, sources

        template = self.help or ""
        filled = template.replace("{kinds}", listed(names(), "or"))
        self.help = filled.replace("{sources}", "\n      ".join(sources()))
        super().format_help_text(ctx, formatter)
        self.help = template


class KindCommand(KindHelp):
    """A command with the options of all kinds of data besides its own, which win.

    The options are looked up when the command is used; the kinds themselves are not loaded.
    """

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        own = super().get_params(ctx)
        arguments = [p for p in own if isinstance(p, click.Argument)]
        taken = {p.name for p in own}
        added = [_click_option(o) for o in kind_options(str(self.name)).values()
                 if o.argument not in taken]  # fmt: skip
        return [*arguments, *added, *(p for p in own if p not in arguments)]


def kind_options(command: str) -> Mapping[str, Option]:
    """The options that any kind adds to a command, by argument; where several add the same one, it
    has the choices and the help of all."""
    from ..runs.registry import options

    by_argument: dict[str, Option] = {}
    for of_kind in options():
        for option in of_kind.get(SAME_OPTIONS.get(command, command), ()):
            known = by_argument.setdefault(option.argument, option)
            if more := [c for c in option.choices if c not in known.choices]:
                known = replace(known, choices=(*known.choices, *more))
            if option.help not in known.help:
                known = replace(known, help=f"{known.help} {option.help}")
            by_argument[option.argument] = known
    return by_argument


@functools.cache
def _click_option(option: Option) -> click.Option:
    words, metavar = option.help, option.metavar or None
    if len("|".join(option.choices)) > LONGEST_CHOICE:
        words, metavar = f"{words} One of {', '.join(option.choices)}.", option.argument.upper()
    return click.Option(
        [option.spelling, option.argument],
        help=words,
        metavar=metavar,
        multiple=True,  # so that a second value is seen, see `_only`
        type=click.Choice(option.choices) if option.choices else None,
    )


def parse_options(command: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The ``options`` that were given, those of kinds parsed. Raises BadParameter for a text that
    cannot be parsed."""
    values = {name: value for name, value in options.items() if value not in (None, ())}
    for argument, option in kind_options(command).items():
        if argument in values and not option.several:
            values[argument] = _only(option, values[argument])
        if argument in values and option.read is not None:
            values[argument] = _parse(option, option.read, values[argument])
    return values


def _only(option: Option, values: Sequence[Any]) -> Any:
    """The value of an option that may be given once. UsageError for several different ones: the
    last of them would stand for all."""
    if len(set(values)) > 1:
        given = " and ".join(map(str, values))
        raise click.UsageError(
            f"{option.spelling} was given {len(values)} times: {given}\n  {option.once}"
            if option.once
            else f"{option.spelling} was given {len(values)} times: {given}"
        )
    return values[0]


def _parse(option: Option, read: Callable[[Any], Any], value: Any) -> Any:
    try:
        return read(value)
    except ValueError as error:
        from ..errors import ChainruleError

        reason = error.what if isinstance(error, ChainruleError) else f"{value!r} is not a number"
        raise click.BadParameter(reason, param_hint=option.spelling) from None


def refuse_foreign_options(
    kind: Modality[Any, Any], command: str, options: Mapping[str, Any]
) -> None:
    """Raises UsageError if one of ``options`` belongs to another kind of data."""
    command = SAME_OPTIONS.get(command, command)
    own = {option.argument for option in kind.options.get(command, ())}
    for argument in options:
        if argument not in own and argument not in kind.arguments:
            spelling = kind_options(command)[argument].spelling
            raise click.UsageError(f"{spelling} does not apply to {kind.name}")
