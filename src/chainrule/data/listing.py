"""What lies in a folder of files of one kind: files, their classes, and what is left out.

Links are followed only to files inside the folder; what is no plain file is never opened.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chainrule.data.findings import Finding, Severity

__all__ = ["FileKind", "Listing", "holds", "list_folder", "some"]

NAMED = 5


@dataclass(frozen=True)
class FileKind:
    """The kind of files that is looked for: how their names end, what several are called, and the
    codes of findings: of other files, folders ``without`` any, links that lead ``outside``, files
    beside the folders of classes (``loose``), and those that are ``unreadable``."""

    endings: tuple[str, ...]
    units: str
    others: str
    without: str
    outside: str
    loose: str
    unreadable: str


@dataclass
class Listing:
    """Files in order; ``labels`` index ``classes``, or are -1 beside folders of classes."""

    root: Path
    files: list[Path] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    classes: tuple[str, ...] = ()
    findings: list[Finding] = field(default_factory=list)

    def name_of(self, file: Path) -> str:
        """The path of a file from the folder, whole if it is not in it."""
        if file == self.root:
            return file.name
        return str(file.relative_to(self.root) if file.is_relative_to(self.root) else file)


def some(names: Sequence[object]) -> str:
    """The first of many names."""
    shown = ", ".join(map(str, names[:NAMED]))
    return shown if len(names) <= NAMED else f"{shown} and {len(names) - NAMED} more"


def holds(folder: Path, endings: tuple[str, ...]) -> bool:
    """Whether a folder has a file with one of these endings, at any depth."""
    return any(
        name.lower().endswith(endings) and not name.startswith(".")
        for _, _, names in os.walk(folder)
        for name in names
    )


def list_folder(root: Path, kind: FileKind, labelled: bool = True) -> Listing:
    """The files of a folder with one folder for each class, those in deeper folders included.

    Classes are the names of the folders, sorted. A folder with files and no folders has no
    classes; so has any other, if it need not be ``labelled``, and then no file is left out.
    Raises OSError for a folder that cannot be read.
    """
    listing = Listing(root)
    walk = _Walk(Path(os.path.realpath(root)), kind)
    if not labelled:
        listing.files = list(walk.files(root))
        listing.labels = [-1] * len(listing.files)
        _notice(listing, walk, kind, [], [])
        return listing
    entries = sorted(root.iterdir())
    folders = [e for e in entries if walk.is_folder(e)]
    inside = {folder.name: list(walk.files(folder)) for folder in folders}
    loose = [e for e in entries if not e.is_dir() and walk.is_one(e)]
    listing.classes = tuple(name for name, files in inside.items() if files)
    for label, name in enumerate(listing.classes):
        listing.files += inside[name]
        listing.labels += [label] * len(inside[name])
    if not listing.classes:
        listing.files, listing.labels = loose, [-1] * len(loose)
    _notice(listing, walk, kind, [n for n, files in inside.items() if not files], loose)
    return listing


def _notice(
    listing: Listing, walk: _Walk, kind: FileKind, empty: list[str], loose: list[Path]
) -> None:
    def note(code: str, message: str, evidence: str, advice: str = "") -> None:
        severity: Severity = "info" if code == kind.others else "warning"
        listing.findings.append(Finding(code, severity, message, evidence, advice))

    if empty and listing.classes:
        note(kind.without, f"folders without {kind.units} are not classes", some(empty))
    if loose and listing.classes:
        message = f"{kind.units} outside the class folders have no class and were skipped"
        note(kind.loose, message, f"{len(loose)} files: {some(_names(loose))}")
    if walk.others:
        evidence = f"{len(walk.others)} files: {some(_names(walk.others))}"
        note(kind.others, f"files that are not {kind.units} were skipped", evidence)
    if walk.outside:
        message = "links that lead outside the folder, or to folders, were not followed"
        advice = "copy what they point to into the folder"
        note(kind.outside, message, some(_names(walk.outside)), advice)


def _names(files: Sequence[Path]) -> list[str]:
    return [file.name for file in files]


class _Walk:
    """Goes through folders; ``others`` and ``outside`` are what it left out."""

    def __init__(self, root: Path, kind: FileKind) -> None:
        self.root, self.endings = root, kind.endings
        self.others: list[Path] = []
        self.outside: list[Path] = []

    def is_folder(self, path: Path) -> bool:
        if path.name.startswith(".") or not path.is_dir():
            return False
        if path.is_symlink():
            self.outside.append(path)
            return False
        return True

    def files(self, folder: Path) -> Iterator[Path]:
        """The files in a folder and those below it, sorted."""
        for entry in sorted(folder.iterdir()):
            if self.is_folder(entry):
                yield from self.files(entry)
            elif not entry.is_dir() and self.is_one(entry):
                yield entry

    def is_one(self, path: Path) -> bool:
        """Whether a file may be one, by its ending; hidden files are passed over in silence."""
        if path.name.startswith("."):
            return False
        # Of a loop of links, `Path.resolve` raises; this one gives a path that does not exist.
        if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(self.root):
            self.outside.append(path)
            return False
        plain = path.exists() and stat.S_ISREG(os.stat(path).st_mode)
        if not plain or path.suffix.lower() not in self.endings:
            self.others.append(path)
            return False
        return True
