"""Examples with classes, whatever they are: what collections of them have in common."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, Self, cast

import numpy as np
from numpy.typing import NDArray

from chainrule.data.findings import Finding
from chainrule.data.gathering import Share, divisible
from chainrule.errors import DataError

__all__ = ["DIGEST", "Labelled", "Labels", "codes_of"]

Labels = NDArray[np.int32]

#: bytes of the hash of an example
DIGEST = 16
#: classes with fewer examples are reported, and at most so many of them
FEW = 10
#: the share of copies from which on a test is certainly too easy
MANY_COPIES = 0.02


class Labelled(ABC):
    """Examples, named by ``paths``; ``labels`` index ``classes``. Without labels, all are -1.

    Of examples that are divided, a process has its ``share``; names and labels it has of all.

    Each kind has a dataclass with these fields and its own. ``UNIT`` and ``UNITS`` are what an
    example and several are called, ``COPIES`` is the code of the finding of equal ones, and
    ``PASS_CLASSES`` says what to pass instead of examples without classes.
    """

    UNIT: ClassVar[str]
    UNITS: ClassVar[str]
    COPIES: ClassVar[str]
    PASS_CLASSES: ClassVar[str] = "pass a folder with a subfolder for each of two or more classes"

    name: str
    labels: Labels
    classes: tuple[str, ...]
    paths: tuple[str, ...]
    findings: tuple[Finding, ...]
    share: Share | None

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def here(self) -> slice:
        """The examples that this process has."""
        return slice(0, len(self)) if self.share is None else self.share.slice

    @property
    @abstractmethod
    def form(self) -> tuple[int, ...]:
        """What is the same for all of them: a size, a rate."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Bytes of all of them, wherever they are."""

    @abstractmethod
    def own_digests(self) -> Iterable[bytes]:
        """A hash of each example that is here: equal ones have equal hashes."""

    @abstractmethod
    def own_fingerprint(self) -> str:
        """``sha256:...`` of all that is learned from, if all of it is here."""

    def digests(self) -> list[bytes]:
        """A hash of each example, wherever it is."""
        if self.share is None:
            return self._own_digests
        rows = np.frombuffer(b"".join(self._own_digests), np.uint8).reshape(-1, DIGEST)
        return [row.tobytes() for row in self.share.gathering.joined(rows)]

    @cached_property
    def _own_digests(self) -> list[bytes]:
        # Both copies and the fingerprint ask for them.
        return list(self.own_digests())

    def fingerprint(self) -> str:
        """``sha256:...`` of all that is learned from; where that may be divided, by its digests."""
        if not divisible(self.nbytes):
            return self.own_fingerprint()
        digest = hashlib.sha256(repr((self.form, len(self), self.classes)).encode())
        digest.update(b"".join(self.digests()))
        digest.update(self.labels.astype("<i4").tobytes())
        return f"sha256:{digest.hexdigest()}"

    def copies(self) -> int:
        """How many are equal to an earlier one, byte for byte."""
        return len(self) - len(set(self.digests()))

    def labelled_as(self, classes: Sequence[str]) -> Self:
        """The same with labels that index ``classes``, which must have all of its names.

        Raises DataError for examples without labels, or of a class that is not among them.
        """
        if not self.classes:
            raise DataError(
                f"the {self.UNITS} of {self.name} have no classes", help=self.PASS_CLASSES
            )
        unknown = [name for name in self.classes if name not in classes]
        if unknown:
            raise DataError(
                f"unknown classes in {self.name}: {', '.join(unknown)}",
                help=f"the known classes are {', '.join(classes)}",
            )
        new_code = np.array([classes.index(name) for name in self.classes], np.int32)
        same: Any = self  # a dataclass, of which the fields above are some
        return cast(Self, replace(same, labels=new_code[self.labels], classes=tuple(classes)))

    def class_findings(self) -> list[Finding]:
        """What there is to say about copies and about rare classes."""
        findings = []
        if copies := self.copies():
            text = f"{copies} of {len(self)} {self.UNITS} are exact copies of earlier ones"
            evidence = "a random split puts copies on both sides, which makes the test too easy"
            severe = copies > MANY_COPIES * len(self)
            findings.append(Finding(self.COPIES, "warning" if severe else "info", text, evidence))
        counts = np.bincount(self.labels, minlength=len(self.classes))
        few = [f"{self.classes[k]} ({counts[k]})" for k in np.flatnonzero(counts < FEW)]
        if few:
            text = f"classes with very few {self.UNITS} are hard to learn"
            findings.append(Finding("D111", "warning", text, ", ".join(few[:FEW])))
        return findings


def codes_of(
    labels: object,
    count: int,
    units: tuple[str, str],
    *,
    where: str = "",
    classes: Sequence[str] | None = None,
) -> tuple[Labels, tuple[str, ...]]:
    """``labels`` in memory as indices of names: those of ``classes``, or the labels, sorted.

    Whole numbers index ``classes``; texts must be among them. DataError for labels that are
    neither, or that are not ``count``; ``units`` are what an example and several are called.
    """
    values, (unit, several) = np.asarray(labels), units
    if values.dtype == object and all(isinstance(label, str) for label in values.ravel()):
        values = values.astype(str)
    if values.shape != (count,):
        raise DataError(
            f"got {count} {several}, but labels of shape {values.shape}",
            where=where,
            help=f"pass one label per {unit}",
        )
    if values.dtype.kind not in "iuUb":
        raise DataError(f"the labels are {values.dtype}", where=where, help="pass integers or text")
    if classes is None or values.dtype.kind == "U":
        distinct, codes = np.unique(values, return_inverse=True)
        names = [str(label) for label in distinct.tolist()]
        order = list(classes or names)
        if unknown := [name for name in names if name not in order]:
            raise DataError(
                f"unknown labels: {', '.join(unknown)}",
                where=where,
                help=f"the classes are {', '.join(order)}",
            )
        code_of = np.array([order.index(name) for name in names], np.int32)
        return code_of[codes], tuple(order)
    if values.dtype.kind not in "iu" or values.min() < 0 or values.max() >= len(classes):
        raise DataError(
            f"the labels do not index the {len(classes)} classes",
            where=where,
            help=f"they must be integers from 0 to {len(classes) - 1}",
        )
    return values.astype(np.int32), tuple(classes)
