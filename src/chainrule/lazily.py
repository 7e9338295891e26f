"""Modules, and public names of a package, that are loaded when they are first used."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

__all__ = ["Lazy", "loaded"]


def loaded(name: str, homes: Mapping[str, str], package: str) -> Any:
    """For ``__getattr__`` of a ``package``: what is called ``name``, from its module in ``homes``.

    A home of the same name is what is asked for itself. AttributeError if it is not there.
    """
    home = homes.get(name)
    if home is None:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    module = importlib.import_module(f"{package}.{home}")
    return module if home == name else getattr(module, name)


class Lazy:
    """Stands for the module ``name``, which most processes can do without, until it is used.

    ModuleNotFoundError, then, if there is none.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self._name), attribute)
