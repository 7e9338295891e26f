"""Series: stamps, axis, scaling, cut-offs, and arrays to read windows from. Independent of the
engine, and of the tables that the rows come from."""

from chainrule.data.series.calendar import calendar_features
from chainrule.data.series.cutoffs import Cutoffs, Origins, cut, origins, usual_window
from chainrule.data.series.encoded import Encoded, encode
from chainrule.data.series.frequency import Frequency
from chainrule.data.series.panel import Panel, Rows, build_panel
from chainrule.data.series.scaling import Scaling, fit_scaling

__all__ = ["Cutoffs", "Encoded", "Frequency", "Origins", "Panel", "Rows", "Scaling",
           "build_panel", "calendar_features", "cut", "encode", "fit_scaling", "origins",
           "usual_window"]  # fmt: skip
