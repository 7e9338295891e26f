"""Options that kinds of data add to commands. Imports nothing heavy: ``--help`` must be quick."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Command", "Option", "Options"]


@dataclass(frozen=True)
class Option:
    """An option that a kind of data adds to commands, such as ``--target COLUMN``.

    ``argument`` is the argument that it sets; ``flag`` is its spelling, if that differs. ``read``
    turns its text into a value, or all texts if it may be given ``several`` times, and raises
    ConfigError. ``once`` says why several values make no sense, and what to do.
    """

    argument: str
    help: str
    metavar: str = ""
    flag: str = ""
    several: bool = False
    once: str = ""
    choices: tuple[str, ...] = ()
    read: Callable[[Any], Any] | None = None

    @property
    def spelling(self) -> str:
        """``--time-limit``."""
        return self.flag or "--" + self.argument.replace("_", "-")


@dataclass(frozen=True)
class Command:
    """A command that a kind of data adds: ``chainrule NAME RUN``, with the options that kinds give
    for it. The text that ``method`` of the predictor yields goes to stdout, piece by piece. After
    a training on one of ``tasks`` it is what comes next."""

    name: str
    method: str
    short_help: str
    help: str
    tasks: tuple[str, ...] = ()


#: by the name of the command
Options = Mapping[str, tuple[Option, ...]]
