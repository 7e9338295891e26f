"""The table door: ``fit`` a table, get a predictor, find it again with ``load_run``."""

from ...runs.groups import Repeated
from ...runs.listeners import Listener, Talk
from .fit import fit, fit_settings
from .loading import load_run
from .opening import open_table
from .predictor import Predictor
from .repeating import cross_validate, repeat, resume_group
from .resuming import resume
from .settings import Settings

__all__ = [
    "Listener",
    "Predictor",
    "Repeated",
    "Settings",
    "Talk",
    "cross_validate",
    "fit",
    "fit_settings",
    "load_run",
    "open_table",
    "repeat",
    "resume",
    "resume_group",
]
