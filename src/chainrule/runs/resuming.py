"""Going on with a run that was ended: by Ctrl-C, a signal, a full disk, or no more epochs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import StateError
from ..records import parsed
from .folder import RunFolder
from .listeners import Listener
from .loading import check_hash, check_settings, text_of
from .settings.document import Whole

__all__ = ["reopened", "same_json"]


@contextlib.contextmanager
def reopened(
    place: Path,
    facts: Mapping[str, Any],
    settings: Whole,
    most: int,
    epochs: int | None,
    heard: Listener,
) -> Iterator[RunFolder]:
    """The folder of a run that is to go on to ``most`` epochs, those of its ``settings`` or the
    wanted ``epochs``. What was changed in it of what may be is told.

    StateError for a run that lacks files or whose preprocessing was changed, is being written, has
    no more to do, or whose ``run.toml`` is not that of its beginning any more.
    """
    files = facts.get("files", {})
    for file in ("metrics.jsonl", "pipeline.json"):
        text_of(place, file)  # if it is gone, nothing has been changed yet
    if wanted := files.get("pipeline.json"):
        check_hash(place, "pipeline.json", wanted)
    folder = RunFolder.open(place, facts)
    try:
        changed = [f"{words} in run.toml" for words in check_settings(facts, settings, place)]
        _check_unfinished(facts, most, epochs, place)
        if facts["status"] != "running" and (wanted := files.get("events.jsonl")):
            try:
                check_hash(place, "events.jsonl", wanted)
            except StateError as error:
                changed.append(error.what)
        for words in changed:
            heard.note(f"the run was changed after it was written: {words}")
        yield folder
    finally:
        folder.close()


def same_json(text: str, place: Path, file: str) -> bool:
    """Whether a file of a run says the same as ``text``."""
    return bool(parsed(text, file, file) == parsed(text_of(place, file), file, str(place / file)))


def _check_unfinished(facts: Mapping[str, Any], most: int, epochs: int | None, place: Path) -> None:
    """StateError for a run that has no more to do; ``most`` epochs are its bound now."""
    if facts["status"] != "done":
        return
    done = int(facts.get("epochs", 0))
    began = facts.get("settings", {}).get("train", {})  # `check_settings` has read them
    bound = began.get("epochs", most if epochs is None else done)
    # Earlier releases wrote neither settings nor whether a callback had ended the training.
    if facts.get("stopped", done < bound and not began.get("time_limit")):
        raise StateError(
            f"the run is done: it was stopped early after {done} of {bound} epochs",
            where=str(place),
            help="more epochs change nothing; train anew with more patience "
            "(train.early_stopping.patience) or smaller tolerances (train.convergence)",
        )
    if done >= most:
        raise StateError(
            f"the run is done after {done} epochs",
            where=str(place),
            help=f"give more of them, such as --epochs {2 * done}",
        )
