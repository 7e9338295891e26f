"""Rows as arrays for a network, encoded chunk by chunk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.findings import Finding
from chainrule.data.gathering import Gathering
from chainrule.data.tables.encode import FAR, CategoryEncoder, Encoder, Tally
from chainrule.scratch import array_in_file

__all__ = ["FeatureWriter", "Features", "cardinalities", "code_names", "number_names"]

# Feature arrays larger than this are put into files without a name, if there is a folder for them.
MEMORY_BYTES = 1 << 30
#: bytes that a process passes to others at once
AT_ONCE = 16 << 20
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Features:
    """Inputs of a network: ``numeric`` float32 (n, d) and ``codes`` int32 (n, k).

    ``names`` label the d columns, ``code_names`` the k columns; code column j holds values from 0
    to ``cardinalities[j] - 1``, where 0 is `none of the known categories`. ``findings`` says what
    was unusual in the table.
    """

    numeric: NDArray[np.float32]
    codes: NDArray[np.int32]
    names: tuple[str, ...]
    code_names: tuple[str, ...]
    cardinalities: tuple[int, ...]
    findings: tuple[Finding, ...] = ()

    def __len__(self) -> int:
        return len(self.numeric)


class FeatureWriter:
    """Encodes the chosen rows of each chunk and puts them in their place."""

    def __init__(
        self,
        encoders: Sequence[Encoder],
        rows: Rows,
        folder: Path | None,
        tally: Tally | None = None,
    ) -> None:
        self.encoders, self.rows, self.folder = encoders, rows, folder
        self.tally = tally or Tally()
        width, coded = len(number_names(encoders)), len(code_names(encoders))
        self.numeric = _allocate((len(rows), width), np.float32, folder)
        self.codes = _allocate((len(rows), coded), np.int32, folder)

    def write(self, start: int, chunk: Mapping[str, NDArray[Any]]) -> None:
        size = len(next(iter(chunk.values())))
        low, high = np.searchsorted(self.rows, [start, start + size])
        inner, outer = self.rows[low:high] - start, slice(low, high)
        at, coded = 0, 0
        for encoder in self.encoders:
            cells = chunk[encoder.column][inner]
            if isinstance(encoder, CategoryEncoder):
                category_codes = encoder.encode(cells, self.tally)
                if not encoder.one_hot:
                    self.codes[outer, coded] = category_codes
                    coded += 1
                    continue
                values = encoder.spread(category_codes)
            else:
                values = encoder.encode(cells, self.tally)
            width = len(encoder.names)
            self.numeric[outer, at : at + width] = values
            at += width

    def features(self, tallied: int | None = None) -> Features:
        """What was written, with the findings of so many rows; by default its own."""
        findings = tuple(_findings(self.tally, tallied or len(self.rows)))
        names, codes = number_names(self.encoders), code_names(self.encoders)
        sizes = cardinalities(self.encoders)
        return Features(self.numeric, self.codes, names, codes, sizes, findings)

    def gathered(self, gathering: Gathering, rows: int, divided: bool) -> Features:
        """The features of all ``rows``, that several processes wrote; or this process's share of
        them, if they are to be ``divided``. The findings are those of all."""
        if gathering.peers is None:
            return self.features()
        self.tally = self.tally.together(gathering)
        wanted = gathering.shares(rows) if divided else [slice(0, rows)] * gathering.peers.size
        self.numeric = _arranged(self.numeric, wanted, self.folder, gathering)
        self.codes = _arranged(self.codes, wanted, self.folder, gathering)
        return self.features(rows)


def number_names(encoders: Sequence[Encoder]) -> tuple[str, ...]:
    """The columns of ``Features.numeric``."""
    return tuple(n for e in encoders if not _is_coded(e) for n in e.names)


def code_names(encoders: Sequence[Encoder]) -> tuple[str, ...]:
    """The columns of ``Features.codes``."""
    return tuple(e.column for e in encoders if _is_coded(e))


def cardinalities(encoders: Sequence[Encoder]) -> tuple[int, ...]:
    """The number of codes of each coded column, code 0 included."""
    return tuple(
        e.cardinality for e in encoders if isinstance(e, CategoryEncoder) and not e.one_hot
    )


def _is_coded(encoder: Encoder) -> bool:
    return isinstance(encoder, CategoryEncoder) and not encoder.one_hot


def _allocate(shape: tuple[int, int], dtype: Any, folder: Path | None) -> NDArray[Any]:
    size = shape[0] * shape[1] * np.dtype(dtype).itemsize
    if folder is None or size <= MEMORY_BYTES:
        return np.empty(shape, dtype=dtype)
    return array_in_file(shape, dtype, folder)


def _arranged(
    own: NDArray[Any], wanted: Sequence[slice], folder: Path | None, gathering: Gathering
) -> NDArray[Any]:
    """Rows that each process has some of, as each wants them; some megabytes at a time."""
    assert gathering.peers is not None
    rank, counts = gathering.peers.rank, gathering.each(len(own))
    starts, mine = np.cumsum([0, *counts]), wanted[rank]
    arranged = _allocate((mine.stop - mine.start, own.shape[1]), own.dtype, folder)
    step = max(1, AT_ONCE // max(1, own.shape[1] * own.itemsize))
    for begin in range(0, max(counts), step):
        block, at = own[begin : begin + step], starts[rank] + begin
        pieces = [block[max(0, w.start - at) : max(0, w.stop - at)] for w in wanted]
        for start, piece in zip(starts, gathering.passed(pieces), strict=False):
            first = max(start + begin, mine.start) - mine.start
            arranged[first : first + len(piece)] = piece
    return arranged


def _findings(tally: Tally, rows: int) -> list[Finding]:
    findings = []
    for column, count in tally.unseen.items():
        if count:
            message = f"column `{column}` has categories not seen in training"
            evidence = f"{count} of {rows} rows, for example `{tally.examples[column]}`"
            findings.append(Finding("D201", "warning", message, evidence))
    for column, count in tally.newly_missing.items():
        if count:
            message = f"column `{column}` has missing values, but had none in training"
            findings.append(Finding("D202", "warning", message, f"{count} of {rows} rows"))
    for column, count in tally.infinite.items():
        if count:
            message = f"infinite numbers in column `{column}` are treated as missing"
            findings.append(Finding("D108", "warning", message, f"{count} of {rows} rows"))
    for column, count in tally.far.items():
        if count:
            message = f"numbers in column `{column}` lie far outside the training range"
            evidence = f"{count} of {rows} rows are more than {FAR:g} standard deviations away"
            findings.append(Finding("D203", "warning", message, evidence))
    return findings
