"""Which runs there are, from their ``run.json`` alone: cheap enough for hundreds, over and over.

Only what has changed is read. A folder that cannot be read is listed, too, with what is wrong.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import StateError
from ..records import file_text, parsed
from ..runs.folder import GROUP_FILE, RUN_FILE, RUN_FILES, is_being_written
from ..unverified import items, number, table, text, whole

__all__ = ["Index", "folder_of_run"]

#: of ``run.json``; a longer one is not listed
LARGEST = 1 << 24
#: settings that are shown of one run
SETTINGS = 400

Document = dict[str, Any]
Stamp = tuple[int, int, int]


def folder_of_run(root: Path, run: str) -> Path:
    """The folder of the run with this id, ``name`` or ``group/name``. StateError for one that does
    not exist, or lies elsewhere, by ``..`` or by a link."""
    parts = run.split("/")
    harmless = len(parts) <= 2 and all(p and not p.startswith(".") and "\0" not in p for p in parts)
    folder = root.joinpath(*parts) if harmless else root
    try:
        inside = harmless and folder.resolve().is_relative_to(root.resolve()) and folder.is_dir()
    except OSError:
        inside = False
    if not inside or not any((folder / file).exists() for file in (*RUN_FILES, GROUP_FILE)):
        raise StateError(
            f"there is no run {run!r} in {root}", help="it may have been deleted or renamed"
        )
    return folder


@dataclass
class Entry:
    """What is known of a folder, as of ``stamp``."""

    stamp: Stamp
    document: Document


class Index:
    """The runs in a folder, and those in its groups."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.version = 0
        self._entries: dict[str, Entry] = {}
        self._listed: list[Document] = []

    def refresh(self) -> list[Document]:
        """All runs, the newest first; `version` grows if anything is different."""
        seen: dict[str, Entry] = {}
        for run, folder in self._folders():
            entry = self._entry(run, folder)
            if entry is not None:
                seen[run] = entry
        self._entries = seen
        listed = sorted(
            (entry.document | _status(self.root / run, entry) for run, entry in seen.items()),
            key=lambda document: (document["started"] or document["name"], document["id"]),
            reverse=True,
        )
        if listed != self._listed:
            self.version += 1
            self._listed = listed
        return listed

    def _folders(self) -> Iterator[tuple[str, Path]]:
        for folder in _inner(self.root):
            yield folder.name, folder
            if (folder / GROUP_FILE).is_file():
                for member in _inner(folder):
                    yield f"{folder.name}/{member.name}", member

    def _entry(self, run: str, folder: Path) -> Entry | None:
        group = (folder / GROUP_FILE).is_file()
        file = folder / (GROUP_FILE if group else RUN_FILE)
        stamp = _stamp(file)
        if stamp is None:
            if not any((folder / name).exists() for name in RUN_FILES):
                return None
            stamp = (0, 0, 0)
        known = self._entries.get(run)
        if known is not None and known.stamp == stamp:
            return known
        facts, trouble = _facts(file)
        described = _described_group(facts) if group else _described(facts)
        named = {"id": run, "name": folder.name, "group": group, "trouble": trouble}
        return Entry(stamp, {**named, **described})


def _inner(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [Path(e.path) for e in entries if not e.name.startswith(".") and e.is_dir()]
    except OSError:
        return []


def _stamp(file: Path) -> Stamp | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino)


def _facts(file: Path) -> tuple[Mapping[str, Any], str]:
    """The object in a file, and what is wrong with it."""
    try:
        if file.stat().st_size > LARGEST:
            return {}, f"{file.name} is too large"
        value = parsed(file_text(file), file.name, str(file.parent))
    except FileNotFoundError:
        return {}, f"there is no {file.name}"
    except OSError as error:
        return {}, f"{file.name} cannot be read: {error.strerror or error}"
    except StateError as error:
        return {}, error.what
    return (value, "") if isinstance(value, dict) else ({}, f"{file.name} is damaged")


def _described(facts: Mapping[str, Any]) -> Document:
    model, data, best = (table(facts.get(key)) for key in ("model", "data", "best"))
    settings = dict(flat(table(facts.get("settings"))))
    return {
        "written": text(facts.get("status")) or "damaged",
        "started": text(facts.get("started")),
        "data": text(data.get("name")),
        "target": text(data.get("target")),
        "task": text(facts.get("task")),
        "model": text(table(facts.get("words")).get("network")) or text(model.get("name")),
        "parameters": whole(model.get("parameters")),
        "epochs": whole(facts.get("epochs")),
        "planned": whole(settings.get("train.epochs")),
        "seconds": number(facts.get("seconds")),
        "best": {"epoch": whole(best.get("epoch")), "val_loss": number(best.get("val_loss"))},
        "metrics": {name: number(v) for name, v in table(facts.get("metrics")).items()},
        "error": text(facts.get("error")).partition("\n")[0],
        "settings": dict(list(settings.items())[:SETTINGS]),
    }


def _described_group(facts: Mapping[str, Any]) -> Document:
    summary = table(facts.get("summary"))
    return _described({}) | {
        "written": text(facts.get("status")) or "damaged",
        "started": text(facts.get("started")),
        "data": text(facts.get("name")),
        "metrics": {name: number(table(s).get("mean")) for name, s in summary.items()},
        "runs": len(table(facts.get("members")) or items(facts.get("members"))),
    }


def flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings by their dotted keys, as ``run.toml`` takes them."""
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _status(folder: Path, entry: Entry) -> Document:
    """The status as it is now, not as a process that was killed left it. Whoever writes a run says
    so in ``run.json`` first."""
    written = entry.document["written"]
    if written != "running":
        return {"status": written}
    writers = _inner(folder) if entry.document["group"] else [folder]
    return {"status": "running" if any(map(is_being_written, writers)) else "killed"}
