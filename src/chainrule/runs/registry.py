"""The kinds of data.

Those that come with Chainrule are folders of ``modalities/``, imported when a kind is first asked
for: this is the only module that imports from a higher level, and it names none of them. Others
are added by `register`.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, StateError

if TYPE_CHECKING:
    from ..train import Callback
    from .modality import Modality
    from .option import Command, Options
    from .settings.document import RunSettings

__all__ = ["attendants", "commands", "default", "kinds", "lookup", "names", "options",
           "recognisers", "register", "sources"]  # fmt: skip

#: each of its ``FOLDERS`` is a kind: KIND in ``kind.py``; in ``recognising.py``, how surely a
#: source is its data; in ``options.py``, what commands show
HOME = "chainrule.modalities"

_REGISTERED: dict[str, Modality[Any, Any]] = {}


def register(kind: Modality[Any, Any]) -> None:
    """Adds a kind of data, for commands, reports, and whatever reads runs.

    Raises ConfigError for one whose settings do not say in which table of ``run.toml`` they stand.
    """
    for name in kind.settings.hints():
        section = kind.settings.section(name)
        if section is not None and name != section.TABLE:
            raise ConfigError(
                f"the section `{name}` of {kind.settings.__name__} says it is `{section.TABLE}`",
                help=f'set TABLE: ClassVar[str] = "{name}" in {section.__name__}',
            )
    _REGISTERED[kind.name] = kind


def kinds() -> tuple[Modality[Any, Any], ...]:
    """All kinds of data, those that come with Chainrule first."""
    return (*_built_in_kinds(), *_REGISTERED.values())


@functools.cache
def _built_in_kinds() -> tuple[Modality[Any, Any], ...]:
    return tuple(importlib.import_module(f"{folder}.kind").KIND for folder in _folders())


def _folders() -> list[str]:
    return [f"{HOME}.{name}" for name in importlib.import_module(HOME).FOLDERS]


def recognisers() -> dict[str, Callable[[object], float]]:
    """How surely a source is data of each kind, by the kind's name. Imports nothing heavy."""
    home = importlib.import_module(HOME)
    built_in: dict[str, Callable[[object], float]] = {
        name: importlib.import_module(f"{HOME}.{name}.recognising").recognises
        for name in home.FOLDERS
    }
    return {**built_in, **{kind.name: kind.recognises for kind in _REGISTERED.values()}}


def default() -> str:
    """The name of the kind that runs are of which name none. Loads nothing of weight."""
    return str(importlib.import_module(HOME).DEFAULT)


def lookup(name: str | None) -> Modality[Any, Any]:
    """The kind called ``name``; for None, the default one. StateError if there is none."""
    folder = f"{HOME}.{default() if name is None else name}"
    if folder in _folders():  # the others stay where they are
        found: Modality[Any, Any] = importlib.import_module(f"{folder}.kind").KIND
        return found
    if isinstance(name, str) and name in _REGISTERED:  # files hold anything
        return _REGISTERED[name]
    known = ", ".join(kind.name for kind in kinds())
    raise StateError(
        f"this release knows no kind of data called {name!r}",
        help=f"it knows {known}; use the release that wrote the run",
    )


def attendants(settings: RunSettings) -> list[Callback]:
    """New callbacks for a training with these settings, of those that come with all."""
    package = HOME.rpartition(".")[0]
    return [
        getattr(importlib.import_module(f"{package}.{module}"), name)(settings)
        for module, name in importlib.import_module(HOME).ATTENDANTS
    ]


def names() -> list[str]:
    """What the kinds are called. Loads nothing of weight."""
    return [*importlib.import_module(HOME).FOLDERS, *_REGISTERED]


def options() -> list[Options]:
    """The options that each kind adds to commands. Imports nothing heavy."""
    built_in = [importlib.import_module(f"{folder}.options").OPTIONS for folder in _folders()]
    return [*built_in, *(kind.options for kind in _REGISTERED.values())]


def commands() -> list[Command]:
    """The commands that kinds add. Imports nothing heavy."""
    modules = [importlib.import_module(f"{folder}.options") for folder in _folders()]
    built_in = [getattr(module, "COMMANDS", ()) for module in modules]
    return [
        command for group in (*built_in, *(k.commands for k in _REGISTERED.values()))
        for command in group
    ]  # fmt: skip


def sources() -> list[str]:
    """What data may be, as lines of help. Imports nothing heavy."""
    built_in = [importlib.import_module(f"{folder}.options").SOURCES for folder in _folders()]
    return [
        line for lines in (*built_in, *(k.sources for k in _REGISTERED.values())) for line in lines
    ]
