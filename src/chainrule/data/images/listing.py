"""What lies in a folder of images: files, their classes, and what is left out.

Links are followed only to files inside the folder; what is no plain file is never opened.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chainrule.data.findings import Finding
from chainrule.data.images.decoding import ENDINGS

__all__ = ["Listing", "list_folder", "some"]

NAMED = 5


@dataclass
class Listing:
    """Image files in order; ``labels`` index ``classes``, or are -1 beside folders of classes."""

    root: Path
    files: list[Path] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    classes: tuple[str, ...] = ()
    findings: list[Finding] = field(default_factory=list)

    def name_of(self, file: Path) -> str:
        """The path of a file from the folder."""
        return str(file.relative_to(self.root)) if file != self.root else file.name


def some(names: Sequence[object]) -> str:
    """The first of many names."""
    shown = ", ".join(map(str, names[:NAMED]))
    return shown if len(names) <= NAMED else f"{shown} and {len(names) - NAMED} more"


def list_folder(root: Path, labelled: bool = True) -> Listing:
    """The images of a folder with one folder for each class, those in deeper folders included.

    Classes are the names of the folders, sorted. A folder with images and no folders has no
    classes; so has any other, if it need not be ``labelled``, and then no image is left out.
    Raises OSError for a folder that cannot be read.
    """
    listing = Listing(root)
    walk = _Walk(Path(os.path.realpath(root)))
    if not labelled:
        listing.files = list(walk.images(root))
        listing.labels = [-1] * len(listing.files)
        _notice(listing, walk, [], [])
        return listing
    entries = sorted(root.iterdir())
    folders = [e for e in entries if walk.is_folder(e)]
    inside = {folder.name: list(walk.images(folder)) for folder in folders}
    loose = [e for e in entries if not e.is_dir() and walk.is_image(e)]
    listing.classes = tuple(name for name, files in inside.items() if files)
    for label, name in enumerate(listing.classes):
        listing.files += inside[name]
        listing.labels += [label] * len(inside[name])
    if not listing.classes:
        listing.files, listing.labels = loose, [-1] * len(loose)
    _notice(listing, walk, [n for n, files in inside.items() if not files], loose)
    return listing


def _notice(listing: Listing, walk: _Walk, empty: list[str], loose: list[Path]) -> None:
    if empty and listing.classes:
        message = "folders without images are not classes"
        listing.findings.append(Finding("D306", "warning", message, some(empty)))
    if loose and listing.classes:
        message = "images outside the class folders have no class and were skipped"
        listing.findings.append(
            Finding("D308", "warning", message, f"{len(loose)} files: {some(_names(loose))}")
        )
    if walk.others:
        message = "files that are not images were skipped"
        evidence = f"{len(walk.others)} files: {some(_names(walk.others))}"
        listing.findings.append(Finding("D301", "info", message, evidence))
    if walk.outside:
        message = "links that lead outside the folder, or to folders, were not followed"
        advice = "copy what they point to into the folder"
        listing.findings.append(
            Finding("D307", "warning", message, some(_names(walk.outside)), advice)
        )


def _names(files: Sequence[Path]) -> list[str]:
    return [file.name for file in files]


class _Walk:
    """Goes through folders; ``others`` and ``outside`` are what it left out."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.others: list[Path] = []
        self.outside: list[Path] = []

    def is_folder(self, path: Path) -> bool:
        if path.name.startswith(".") or not path.is_dir():
            return False
        if path.is_symlink():
            self.outside.append(path)
            return False
        return True

    def images(self, folder: Path) -> Iterator[Path]:
        """The images in a folder and those below it, sorted."""
        for entry in sorted(folder.iterdir()):
            if self.is_folder(entry):
                yield from self.images(entry)
            elif not entry.is_dir() and self.is_image(entry):
                yield entry

    def is_image(self, path: Path) -> bool:
        """Whether a file may be one, by its ending; hidden files are passed over in silence."""
        if path.name.startswith("."):
            return False
        # Of a loop of links, `Path.resolve` raises; this one gives a path that does not exist.
        if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(self.root):
            self.outside.append(path)
            return False
        plain = path.exists() and stat.S_ISREG(os.stat(path).st_mode)
        if not plain or path.suffix.lower() not in ENDINGS:
            self.others.append(path)
            return False
        return True
