"""The kinds of data that there are.

Those that come with Chainrule are folders of ``modalities/``, loaded when somebody asks for a kind:
this is the one place from which a module of a higher level is loaded, and it names none of them.
Others are made known by `register`.
"""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING, Any

from ..errors import StateError

if TYPE_CHECKING:
    from .modality import Modality
    from .option import Options

__all__ = ["kinds", "lookup", "names", "options", "register", "sources"]

#: its ``FOLDERS`` hold a kind each: ``kind.py`` has it as KIND, ``options.py`` what commands show
HOME = "chainrule.modalities"

_REGISTERED: dict[str, Modality[Any, Any]] = {}


def register(kind: Modality[Any, Any]) -> None:
    """Makes a kind of data known to commands, reports, and whatever reads runs."""
    _REGISTERED[kind.name] = kind


def kinds() -> tuple[Modality[Any, Any], ...]:
    """All of them, those that come with Chainrule first."""
    return (*_own_kinds(), *_REGISTERED.values())


@functools.cache
def _own_kinds() -> tuple[Modality[Any, Any], ...]:
    return tuple(importlib.import_module(f"{folder}.kind").KIND for folder in _folders())


def _folders() -> list[str]:
    return [f"{HOME}.{name}" for name in importlib.import_module(HOME).FOLDERS]


def lookup(name: str | None) -> Modality[Any, Any]:
    """The kind called ``name``; None is the one whose runs do not say it. StateError if there is
    none."""
    for kind in kinds():
        if kind.name == name or (name is None and kind.unmarked):
            return kind
    known = ", ".join(kind.name for kind in kinds())
    raise StateError(
        f"this release knows no kind of data called {name!r}",
        help=f"it knows {known}; use the release that wrote the run",
    )


def names() -> list[str]:
    """What the kinds are called. Loads nothing of weight."""
    return [*importlib.import_module(HOME).FOLDERS, *_REGISTERED]


def options() -> list[Options]:
    """What each kind adds to the commands. Loads nothing of weight."""
    own = [importlib.import_module(f"{folder}.options").OPTIONS for folder in _folders()]
    return [*own, *(kind.options for kind in _REGISTERED.values())]


def sources() -> list[str]:
    """What data may be, in lines for a page of help. Loads nothing of weight."""
    own = [importlib.import_module(f"{folder}.options").SOURCES for folder in _folders()]
    return [line for lines in (*own, *(k.sources for k in _REGISTERED.values())) for line in lines]
