"""Kinds of data. Each has a folder; none imports another, and nothing below names one.

A folder has ``kind.py`` with its KIND, all that runs and reports know of it, and ``options.py``
with what it adds to the commands, which imports nothing of weight. `runs.registry` loads them.
"""

__all__ = ["FOLDERS"]

FOLDERS = ("tables", "images")
