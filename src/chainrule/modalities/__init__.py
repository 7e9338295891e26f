"""Kinds of data. Each has a folder; none imports another, and nothing below names one.

In each folder, ``kind.py`` holds KIND, all that runs and reports know about it, and ``options.py``
what it adds to commands, without importing anything heavy. `runs.registry` loads both.
"""

__all__ = ["ATTENDANTS", "FOLDERS"]

FOLDERS = ("tables", "images", "series", "audio", "text")
#: callbacks of every training of a run: modules of the package, and classes in them
ATTENDANTS = (("doctor.live", "attend"),)
