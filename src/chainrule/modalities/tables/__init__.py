"""Tables: ``fit_table`` predicts one column from the others.

The names are loaded when first used: this folder also holds options of commands, and ``--help``
must be quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...lazily import loaded

if TYPE_CHECKING:
    from .fit import fit_table as fit_table
    from .kind import TABLES as TABLES
    from .opening import open_table as open_table
    from .predictor import TablePredictor as TablePredictor
    from .settings import Settings as Settings

#: where each public name is defined
_HOMES = {
    "fit_table": "fit",
    "TABLES": "kind",
    "open_table": "opening",
    "TablePredictor": "predictor",
    "Settings": "settings",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    return loaded(name, _HOMES, __name__)
