"""Modules, and public names of a package, that are loaded when they are first used.

That may be in the middle of a training, where Ctrl-C is expected. Signals wait until a module is
there: one that is half loaded, or an interrupt that became another error, serves nobody.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from .interrupted import held_off

__all__ = ["Lazy", "import_whole", "loaded"]


def import_whole(name: str) -> ModuleType:
    """The module ``name``, which is loaded whole before a signal is handled."""
    known = sys.modules.get(name)
    if known is not None and not getattr(known.__spec__, "_initializing", False):
        return known
    with held_off():
        return importlib.import_module(name)


def loaded(name: str, homes: Mapping[str, str], package: str) -> Any:
    """For ``__getattr__`` of a ``package``: what is called ``name``, from its module in ``homes``.

    A home of the same name is what is asked for itself. AttributeError if it is not there.
    """
    home = homes.get(name)
    if home is None:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    module = import_whole(f"{package}.{home}")
    return module if home == name else getattr(module, name)


class Lazy:
    """Stands for the module ``name``, which most processes can do without, until it is used.

    ModuleNotFoundError, then, if there is none.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(import_whole(self._name), attribute)
