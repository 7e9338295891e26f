"""Reading many files of one kind: on several threads; what cannot be read is told, or refused.

files = Files.at(path, FileKind(...), labelled, most_bad)
heads = files.read(inspect)       # {number of a file: what `inspect` gave}
files.check()                     # DataError if too many are bad
files.labels(files.good), files.findings
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from chainrule.data.findings import Finding
from chainrule.data.gathering import ALONE, Gathering, Share, divisible
from chainrule.data.listing import FileKind, Listing, list_folder, some
from chainrule.errors import DataError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["MOST_BAD", "Files", "UnreadableError"]

T = TypeVar("T")
H = TypeVar("H", bound="DataclassInstance")

#: of the files that look like the wanted ones, at most this share may be unreadable
MOST_BAD = 0.1
THREADS = 8


class UnreadableError(Exception):
    """A file that does not give what its name says; the text says why."""


@dataclass
class Files:
    """The files of ``listing``, by number, of which the share ``most_bad`` may turn out to be
    unreadable; ``bad`` says which are, and why. Where several processes read them, they are as many
    as ``gathering`` says, and ask for the same in the same order."""

    kind: FileKind
    listing: Listing
    most_bad: float = MOST_BAD
    bad: dict[int, str] = field(default_factory=dict)
    gathering: Gathering = ALONE

    @classmethod
    def at(
        cls,
        path: Path,
        kind: FileKind,
        labelled: bool = True,
        most_bad: float = MOST_BAD,
        gathering: Gathering = ALONE,
    ) -> Files:
        """Those of a folder (see `list_folder`), or one file. DataError if there is no such path,
        or if it cannot be looked at."""
        if not path.exists():
            raise DataError(f"no such file or folder: {path}", help="check the path")
        if not path.is_dir():
            return cls(kind, Listing(path, [path], [-1]), most_bad, gathering=gathering)
        try:
            return cls(kind, list_folder(path, kind, labelled), most_bad, gathering=gathering)
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror or error}") from None

    def __len__(self) -> int:
        return len(self.listing.files)

    @property
    def name(self) -> str:
        """The name of the folder or file."""
        root = self.listing.root
        return root.name or str(root.resolve().name)

    @property
    def good(self) -> list[int]:
        """The numbers of the files that are not bad, as far as is known."""
        return [i for i in range(len(self)) if i not in self.bad]

    def read(self, work: Callable[[Path], T], numbers: Sequence[int] | None = None) -> dict[int, T]:
        """``work`` on the files of these ``numbers`` (by default all good ones), in their order.
        Those for which it raises `UnreadableError` are bad from now on."""

        def attempt(number: int) -> T | UnreadableError:
            try:
                return work(self.listing.files[number])
            except UnreadableError as error:
                return error

        numbers = self.good if numbers is None else numbers
        with ThreadPoolExecutor(THREADS) as pool:
            results = list(pool.map(attempt, numbers))
        read: dict[int, T] = {}
        for number, result in zip(numbers, results, strict=True):
            if isinstance(result, UnreadableError):
                self.bad[number] = str(result)
            else:
                read[number] = result
        return read

    def read_shared(self, work: Callable[[Path], H], made: Callable[..., H]) -> dict[int, H]:
        """The same for all good files, of which each process reads its share; ``work`` gives a
        dataclass of plain values, which is ``made`` of them elsewhere."""
        numbers = self.good
        own = self.read(work, numbers[self.gathering.own(len(numbers))])
        if self.gathering.peers is None:
            return own
        every = self.gathering.each([[number, astuple(head)] for number, head in own.items()])
        return {number: made(*values) for theirs in every for number, values in theirs}

    def share(self, count: int, nbytes: int) -> Share | None:
        """That of this process, if ``count`` files give so many bytes that they are divided."""
        peers = self.gathering.peers
        if peers is None or not divisible(nbytes) or count < peers.size:
            return None
        own = self.gathering.own(count)
        return Share(range(own.start, own.stop), self.gathering)

    def check(self) -> None:
        """DataError if more files are bad than may be, or all; what other processes have found to
        be bad is known from here on."""
        for theirs in self.gathering.each([[n, why] for n, why in self.bad.items()]):
            self.bad |= dict(theirs)
        if len(self.bad) > self.most_bad * len(self) or len(self.bad) == len(self):
            first = min(self.bad)
            raise DataError(
                f"{len(self.bad)} of {len(self)} {self.kind.units} are unreadable",
                where=f"{self.listing.files[first]}: {self.bad[first]}",
                help="copy them again, or remove them from the folder",
            )

    def names(self, numbers: Sequence[int]) -> tuple[str, ...]:
        """The paths of files, from the folder."""
        return tuple(self.listing.name_of(self.listing.files[i]) for i in numbers)

    def labels(self, numbers: Sequence[int]) -> NDArray[np.int32]:
        """The classes of files, as indices; -1 for none."""
        return np.array([self.listing.labels[i] for i in numbers], np.int32)

    @property
    def findings(self) -> list[Finding]:
        """What there is to say about the folder, and which files are bad."""
        if not self.bad:
            return self.listing.findings
        numbers = sorted(self.bad)
        names = self.names(numbers)
        reasons = [f"{name}: {self.bad[i]}" for name, i in zip(names, numbers, strict=True)]
        evidence = f"{len(self.bad)} of {len(self)}: {some(reasons)}"
        message = f"unreadable {self.kind.units} were skipped"
        advice = "copy them again, or remove them"
        finding = Finding(self.kind.unreadable, "warning", message, evidence, advice)
        return [*self.listing.findings, finding]
