"""A hash of a table, to tell whether the data has changed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np

from chainrule.data.gathering import Gathering
from chainrule.data.tables.table import Table

__all__ = ["fingerprint_of"]

#: bytes of a file that are hashed by themselves
PIECE = 64 << 20
BLOCK = 1 << 20


def fingerprint_of(source: object, table: Table) -> str:
    """``sha256:...`` of the bytes of the file, or of all cells if the table came from Python.

    Of a file of more than 64 MiB, it is that of the digests of its pieces of 64 MiB, one after the
    other; processes among which the rows are divided read some of them each.
    """
    if isinstance(source, str | os.PathLike) and Path(source).is_file():
        return f"sha256:{_of_file(Path(source), table.gathering)}"
    digest = hashlib.sha256()
    digest.update("\x00".join(table.columns).encode())
    for _, chunk in table.read(dict.fromkeys(table.columns, "text")):
        for name in table.columns:
            # The length goes first, so that ("ab", "c") and ("a", "bc") differ.
            for cell in np.asarray(chunk[name]):
                data = b"" if cell is None else str(cell).encode("utf-8", "surrogatepass")
                digest.update(b"%d:" % (-1 if cell is None else len(data)))
                digest.update(data)
    return f"sha256:{digest.hexdigest()}"


def _of_file(path: Path, gathering: Gathering) -> str:
    pieces = max(1, -(-path.stat().st_size // PIECE))
    peers = gathering.peers
    rank, size = (0, 1) if peers is None else (peers.rank, peers.size)
    own = range(rank * pieces // size, (rank + 1) * pieces // size)
    every = gathering.each([_of_piece(path, i) for i in own])
    digests = [digest for digests in every for digest in digests]
    if pieces == 1:
        return str(digests[0])
    return hashlib.sha256(bytes.fromhex("".join(digests))).hexdigest()


def _of_piece(path: Path, number: int) -> str:
    digest, left = hashlib.sha256(), PIECE
    with path.open("rb") as file:
        file.seek(number * PIECE)
        while left and (block := file.read(min(BLOCK, left))):
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()
