"""Folders that appear only once they are complete: hidden under a leading dot until `publish`."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from ..errors import StateError
from ..scratch import Held, remove_abandoned
from ..train.checkpoints.weights_file import remove_leftovers

__all__ = ["new_hidden_folder", "publish", "remove_abandoned_folders", "slug", "unwritable"]

SLUG_LENGTH = 40
_HIDDEN = re.compile(r"\.\d{8}-\d{6}-.+-[0-9a-f]{4}")


def slug(text: str) -> str:
    """``text`` as part of a file name: letters, digits, ``.``, ``_`` and ``-``."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-.")[:SLUG_LENGTH].strip("-.")


def new_hidden_folder(parent: Path, stem: str) -> Held:
    """A folder ``.<stem>-<4 hex>`` that nobody else has; `publish` removes the dot."""
    while True:
        hidden = Held(parent, lambda: f".{stem}-{secrets.token_hex(2)}", mode=0o777)
        if not _published(hidden).exists():
            return hidden
        hidden.close()


def publish(hidden: Held) -> Path:
    """Makes a complete folder visible, for good. StateError if that is not possible."""
    path = _published(hidden)
    try:
        hidden.keep_as(path)
    except OSError as error:
        raise unwritable(hidden.path.parent, error) from None
    return path


def _published(hidden: Held) -> Path:
    return hidden.path.with_name(hidden.path.name[1:])


def remove_abandoned_folders(runs_dir: Path) -> None:
    """Removes what killed processes left in ``runs_dir``: folders that never became runs, and files
    that were being written. Runs stay, and so does whatever belongs to a living process."""
    remove_abandoned(runs_dir, _HIDDEN)
    for run in runs_dir.glob("*/run.json"):
        remove_leftovers(run.parent)


def unwritable(path: Path, error: OSError) -> StateError:
    """The error for a folder that cannot be written."""
    return StateError(
        f"the run folder cannot be written: {error.strerror or error}",
        where=str(path),
        help="choose another folder with runs_dir (--runs-dir on the command line), or make room",
    )
