"""Kinds of data. Each has a folder; none imports another, and nothing below names one.

In each folder, ``kind.py`` holds KIND, all that runs and reports know about it, ``options.py`` what
it adds to commands, and ``recognising.py`` how surely something is its data, both without importing
anything heavy. `runs.registry` loads all three.
"""

__all__ = ["ATTENDANTS", "DEFAULT", "FOLDERS"]

FOLDERS = ("tables", "images", "series", "audio", "text")
#: of runs that do not name their kind
DEFAULT = "tables"
#: callbacks of every training of a run: modules of the package, and classes in them
ATTENDANTS = (("doctor.live", "attend"),)
