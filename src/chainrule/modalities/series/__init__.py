"""Series: ``fit_series`` forecasts, networks for windows.

The names are loaded when first used: this folder also holds options of commands, and ``--help``
must be quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...lazily import loaded

if TYPE_CHECKING:
    from .fit import fit_series as fit_series
    from .kind import SERIES as SERIES
    from .network import NETWORKS as NETWORKS
    from .network import Forecaster as Forecaster
    from .predictor import Forecasts as Forecasts
    from .predictor import SeriesPredictor as SeriesPredictor
    from .settings import SeriesSettings as SeriesSettings
    from .source import Layout as Layout
    from .source import Windows as Windows

#: where each public name is defined
_HOMES = {
    "fit_series": "fit",
    "SERIES": "kind",
    "NETWORKS": "network",
    "Forecaster": "network",
    "Forecasts": "predictor",
    "SeriesPredictor": "predictor",
    "SeriesSettings": "settings",
    "Layout": "source",
    "Windows": "source",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    return loaded(name, _HOMES, __name__)
