"""A hash of a table, to tell whether the data has changed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np

from chainrule.data.tables.table import Table

__all__ = ["fingerprint_of"]


def fingerprint_of(source: object, table: Table) -> str:
    """``sha256:...`` of the bytes of the file, or of all cells if the table came from Python."""
    digest = hashlib.sha256()
    if isinstance(source, str | os.PathLike) and Path(source).is_file():
        with Path(source).open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    else:
        digest.update("\x00".join(table.columns).encode())
        for _, chunk in table.read(dict.fromkeys(table.columns, "text")):
            for name in table.columns:
                # The length goes first, so that ("ab", "c") and ("a", "bc") differ.
                for cell in np.asarray(chunk[name]):
                    data = b"" if cell is None else str(cell).encode("utf-8", "surrogatepass")
                    digest.update(b"%d:" % (-1 if cell is None else len(data)))
                    digest.update(data)
    return f"sha256:{digest.hexdigest()}"
