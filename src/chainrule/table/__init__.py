"""The table door: ``fit`` a table, get a predictor, find it again with ``load_run``."""

from .fit import fit
from .loading import load_run
from .predictor import Predictor, open_table
from .watch import Listener, Talk

__all__ = ["Listener", "Predictor", "Talk", "fit", "load_run", "open_table"]
