"""Series: stamps, axis, scaling, cut-offs, and arrays to read windows from. Independent of the
engine, and of the tables that the rows come from.

The names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chainrule.lazily import loaded

if TYPE_CHECKING:
    from chainrule.data.series.calendar import calendar_features as calendar_features
    from chainrule.data.series.cutoffs import Cutoffs as Cutoffs
    from chainrule.data.series.cutoffs import Origins as Origins
    from chainrule.data.series.cutoffs import cut as cut
    from chainrule.data.series.cutoffs import origins as origins
    from chainrule.data.series.cutoffs import usual_window as usual_window
    from chainrule.data.series.encoded import Encoded as Encoded
    from chainrule.data.series.encoded import encode as encode
    from chainrule.data.series.frequency import Frequency as Frequency
    from chainrule.data.series.panel import Panel as Panel
    from chainrule.data.series.panel import Rows as Rows
    from chainrule.data.series.panel import build_panel as build_panel
    from chainrule.data.series.scaling import Scaling as Scaling
    from chainrule.data.series.scaling import fit_scaling as fit_scaling

#: where each public name is defined
_HOMES = {
    "calendar_features": "calendar",
    "Cutoffs": "cutoffs",
    "Origins": "cutoffs",
    "cut": "cutoffs",
    "origins": "cutoffs",
    "usual_window": "cutoffs",
    "Encoded": "encoded",
    "encode": "encoded",
    "Frequency": "frequency",
    "Panel": "panel",
    "Rows": "panel",
    "build_panel": "panel",
    "Scaling": "scaling",
    "fit_scaling": "scaling",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    return loaded(name, _HOMES, __name__)
