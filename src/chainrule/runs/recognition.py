"""Which kind of data something is: a source, settings, or a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import ConfigError, DataError, StateError, meant
from .modality import Modality, Words
from .registry import kinds, lookup
from .settings.fields import SettingError
from .settings.sources import Source
from .task import Task

__all__ = ["kind_of_run", "kind_of_settings", "kind_of_source", "task_of_run", "words_of"]

KIND, PATH = ("data", "kind"), ("data", "path")


def kind_of_source(source: object) -> Modality[Any, Any]:
    """The kind that is surest of ``source``. DataError if none recognises it, or several do."""
    sure = {kind: kind.recognises(source) for kind in kinds()}
    most = max(sure.values(), default=0.0)
    surest = [kind for kind, certainty in sure.items() if certainty == most]
    if most <= 0:
        raise DataError(
            f"{_shown(source)} is no data that can be learned from",
            help="pass a path, the name of a bundled data set, or arrays",
        )
    if len(surest) > 1:
        names = " or ".join(kind.name for kind in surest)
        raise ConfigError(
            f"{_shown(source)} may be {names}",
            help=f'say which: data.kind = "{surest[-1].name}"',
        )
    return surest[0]


def _shown(source: object) -> str:
    return repr(source) if isinstance(source, str) else type(source).__name__


def kind_of_settings(sources: Sequence[Source]) -> Modality[Any, Any]:
    """The kind that ``data.kind`` names, or else that of ``data.path``; later sources win.

    Raises SettingError for a kind that there is not.
    """
    name = path = None
    for source in sources:
        name = source.values.get(KIND, name)
        path = source.values.get(PATH, path)
    if name is None:
        return kind_of_source(path) if path else lookup(None)
    known = {kind.name: kind for kind in kinds() if not kind.unmarked}
    if name not in known:
        unmarked = [kind.name for kind in kinds() if kind.unmarked]
        where = [s.places.get(KIND, "") for s in sources if KIND in s.values][-1]
        use = " or ".join(f'"{each}"' for each in known)
        raise SettingError(
            "data.kind",
            f"`data.kind` is {name!r}",
            where=where,
            help=f"{meant(str(name), list(known))}use {use}, or leave it out for "
            f"{' or '.join(unmarked)}",
        )
    return known[name]


def kind_of_run(facts: Mapping[str, Any]) -> Modality[Any, Any]:
    """The kind of data of a run, by its ``run.json``. StateError for one of a later release."""
    data = facts.get("data")
    return lookup(data.get("kind") if isinstance(data, Mapping) else None)


def words_of(facts: Mapping[str, Any]) -> Words:
    """The words in ``run.json``; of a run that has none, those that its kind finds for it."""
    words = facts.get("words")
    if isinstance(words, Mapping):
        known = {name: text for name, text in words.items() if isinstance(text, str)}
        if known.keys() >= Words.__dataclass_fields__.keys():
            return Words(**{name: known[name] for name in Words.__dataclass_fields__})
    return kind_of_run(facts).describe(facts)


def task_of_run(facts: Mapping[str, Any]) -> type[Task]:
    """The task of a run. StateError for one that its kind of data does not know."""
    kind, name = kind_of_run(facts), str(facts.get("task"))
    if name not in kind.tasks:
        raise StateError(f"the task {name!r} is not known")
    return kind.tasks[name]
