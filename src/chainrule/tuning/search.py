"""What is searched: data that is prepared, and a space around its settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..errors import ConfigError
from ..runs.jobs import objective_of
from ..runs.listeners import Listener
from ..runs.modality import Modality, Prepared
from ..runs.preparation import open_data, prepare_data, runs_folder, source_name
from ..runs.settings.document import RunSettings
from ..runs.training import decide
from .space import SearchSpace, search_space
from .user_space import NO_SPACE, UserSpace

__all__ = ["Search", "open_search"]

AnyKind = Modality[Any, Any]


@dataclass(frozen=True)
class Search:
    """What is searched: data that is prepared, and a space around its settings."""

    kind: AnyKind
    source: object
    prepared: Prepared[Any]
    space: SearchSpace
    #: what judges a trial, as a name in the history, and whether more of it is better
    objective: str
    rises: bool
    #: what the user said of the space
    own: UserSpace = NO_SPACE

    @property
    def seed(self) -> int:
        """That of every trial, and of what is tried."""
        return int(self.prepared.settings.seed)

    @property
    def identity(self) -> dict[str, Any]:
        """What two searches must agree on, to be one."""
        document = self.prepared.settings.to_document()
        paths = type(self.prepared.settings.data).PATHS  # their content is in the fingerprint
        document["data"] = {k: v for k, v in document["data"].items() if k not in paths}
        ours = {k: v for k, v in document.items() if k not in ("name", "observe", "output", "seed")}
        return {
            "data": self.prepared.fingerprint,
            "settings": _digest(ours),
            "space": _digest(self.space.to_document()),
            "objective": self.objective,
            "seed": self.seed,
        }

    def decided(self, listener: Listener) -> Search:
        """The same around what a training would be of where the validation loss chooses some of
        its settings, so that the first trial is the default."""
        prepared, choice = decide(self.kind, self.prepared, listener)
        if choice is None:
            return self
        listener.note(choice.words())
        space = search_space(self.kind, prepared.settings, self.own)
        return replace(self, prepared=prepared, space=space)


def _digest(document: Mapping[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def open_search(
    kind: AnyKind, settings: RunSettings, source: object, listener: Listener,
    own: UserSpace = NO_SPACE,
) -> Search:  # fmt: skip
    """Reads and prepares the data of a search. Raises what `chainrule.fit` raises, and ConfigError
    for a space that the settings do not have."""
    folder = runs_folder(settings)
    with listener.staged(f"reading {source_name(settings)}"):
        opened = [open_data(kind, settings, source, folder)]
    with listener.staged(f"preparing {source_name(settings)}"):
        prepared = prepare_data(opened.pop(), None, folder)
    listener.findings(prepared.findings)
    space = search_space(kind, prepared.settings, own)
    if not space.dimensions:
        raise ConfigError("nothing is varied", where=own.where, help="give a setting some values")
    return Search(kind, source, prepared, space, *objective_of(kind, prepared), own)
