"""Which kind of data a source, settings, or a run is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import ConfigError, DataError, StateError, meant
from .modality import Modality, Words
from .registry import default, lookup, names, recognisers
from .settings.fields import SettingError
from .settings.sources import Source
from .task import Task

__all__ = [
    "LIKELY",
    "kind_of_run",
    "kind_of_settings",
    "kind_of_source",
    "named_kind",
    "task_of_run",
    "words_of",
]

KIND, PATH = ("data", "kind"), ("data", "path")
#: from here on, a kind may well be meant
LIKELY = 0.5


def kind_of_source(source: object, asked: Mapping[str, Any] | None = None) -> Modality[Any, Any]:
    """The kind that recognises ``source`` with the highest certainty.

    ``asked`` are arguments or options: of kinds that are rather certain, one that has all of them,
    and can learn the ``task`` among them, comes first; so does a less certain one, if no other kind
    can learn it. Raises DataError if no kind recognises the
    source, and ConfigError if several do equally.
    """
    certainties = {name: recognises(source) for name, recognises in recognisers().items()}
    top = max(certainties.values())
    if top <= 0:
        raise DataError(
            f"{_source_text(source)} is not data that can be learned from",
            help="pass a path, the name of a bundled data set, or arrays",
        )
    asked = asked or {}
    surest = [lookup(name) for name, certainty in certainties.items() if certainty == top]
    best = [kind for kind in surest if top >= LIKELY and _serves(kind, asked)]
    if not best:
        best = _first({lookup(name): c for name, c in certainties.items() if c > 0}, asked)
    if len(best) > 1:
        names = " or ".join(kind.name for kind in best)
        raise ConfigError(
            f"{_source_text(source)} may be {names}",
            help=f'say which: data.kind = "{best[-1].name}"',
        )
    return best[0]


def _first(
    known: Mapping[Modality[Any, Any], float], asked: Mapping[str, Any]
) -> list[Modality[Any, Any]]:
    """Of the kinds that recognise a source, with their certainties, those that come first."""
    learners = [kind for kind in known if asked.get("task") in kind.tasks]
    ranks = {
        kind: ((c >= LIKELY or learners == [kind]) and _serves(kind, asked), c)
        for kind, c in known.items()
    }
    return [kind for kind, rank in ranks.items() if rank == max(ranks.values())]


def _serves(kind: Modality[Any, Any], asked: Mapping[str, Any]) -> bool:
    """Whether a kind has all arguments that were given, and can learn the task among them."""
    task = asked.get("task")
    return asked.keys() <= kind.arguments.keys() and (task is None or task in kind.tasks)


def _source_text(source: object) -> str:
    return repr(source) if isinstance(source, str) else type(source).__name__


def kind_of_settings(
    sources: Sequence[Source], asked: Mapping[str, Any] | None = None
) -> Modality[Any, Any]:
    """The kind that ``data.kind`` names, or else that of ``data.path``; later sources win.
    ``asked`` are the options that were given, as in `kind_of_source`.

    Raises SettingError for a kind that does not exist.
    """
    path = None
    for source in sources:
        path = source.values.get(PATH, path)
    return named_kind(sources) or (kind_of_source(path, asked) if path else lookup(None))


def named_kind(sources: Sequence[Source]) -> Modality[Any, Any] | None:
    """The kind that ``data.kind`` names in the last of the sources that do; None if none does.

    Raises SettingError for a kind that does not exist.
    """
    naming = [source for source in sources if KIND in source.values]
    if not naming:
        return None
    name = naming[-1].values[KIND]
    others = [each for each in names() if each != default()]
    if name not in others:
        use = " or ".join(f'"{each}"' for each in others)
        raise SettingError(
            "data.kind",
            f"`data.kind` is {name!r}",
            where=naming[-1].positions.get(KIND, ""),
            help=f"{meant(str(name), others)}use {use}, or leave it out for {default()}",
        )
    return lookup(name)


def kind_of_run(facts: Mapping[str, Any]) -> Modality[Any, Any]:
    """The kind of data of a run, by its ``run.json``. StateError for one of a later release."""
    data = facts.get("data")
    return lookup(data.get("kind") if isinstance(data, Mapping) else None)


def words_of(facts: Mapping[str, Any]) -> Words:
    """The words in ``run.json``; for a run without any, those that its kind finds."""
    words = facts.get("words")
    fields = Words.__dataclass_fields__.keys()
    if isinstance(words, Mapping):
        texts = {name: text for name, text in words.items() if isinstance(text, str)}
        if texts.keys() >= fields:
            return Words(**{name: texts[name] for name in fields})
    return kind_of_run(facts).describe(facts)


def task_of_run(facts: Mapping[str, Any]) -> type[Task]:
    """The task of a run. StateError for one that its kind of data does not know."""
    kind, name = kind_of_run(facts), str(facts.get("task"))
    if name not in kind.tasks:
        raise StateError(f"the task {name!r} is not known")
    return kind.tasks[name]
