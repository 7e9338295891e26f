"""All settings of one run."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Any, ClassVar, Self

from ...errors import nearest
from ..registry import kinds
from . import toml
from .fields import SettingError
from .section import Choice, Section
from .sections import DataSettings, OutputSettings
from .training import TrainSettings

__all__ = ["VERSION", "RunSettings"]

VERSION = 2
READABLE = (1, VERSION)


#: how much of a key must agree with one of another section, to be what was meant
FAR = 0.7

#: keys under which people look for a setting that is called otherwise
ELSEWHERE = {
    "learning_rate": "train.lr",
    "max_epochs": "train.epochs",
    "hidden_layers": "model.layers",
    "hidden_layer_sizes": "model.layers",
    "normalization": "model.normalisation",
    "batch": "train.batch_size",
    "clip_norm": "train.clip.global_norm",
    "random_state": "seed",
}


class RunSettings(Section):
    """A whole ``run.toml``: what every run has, and how it is read and written.

    Each kind of data has a dataclass of its own with these fields, and more, in its own order: this
    one is none.
    """

    #: which of its settings may be ``auto`` until the data is known
    DECIDED_BY_DATA: ClassVar[tuple[str, ...]] = ()

    name: str
    seed: int
    data: DataSettings
    model: Any
    train: TrainSettings
    output: OutputSettings

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """From a whole document, aliases resolved (see `sources`). Raises SettingError."""
        version = document.get("version", VERSION)
        if isinstance(version, bool) or version not in READABLE:
            raise SettingError(
                "version",
                f"version {version!r} of the settings is not known",
                help=f"this Chainrule reads versions {' and '.join(map(str, READABLE))}",
            )
        try:
            return cls.from_document({k: v for k, v in document.items() if k != "version"})
        except SettingError as error:
            raise _better_hint(error, cls) from None

    def to_toml(self, comments: Mapping[tuple[str, ...], str] | None = None) -> str:
        """The text of ``run.toml``, every value written out; ``comments`` behind the values."""
        return toml.dumps({"version": VERSION, **self.to_document()}, comments)

    def named(self, name: str) -> Self:
        """The same, called ``name`` unless it has a name already."""
        return self.changed(name=self.name or name)

    def undecided(self) -> tuple[str, ...]:
        """The settings that the data should have decided, and did not yet."""
        return tuple(key for key in self.DECIDED_BY_DATA if attrgetter(key)(self) == "auto")

    def unhindered(self) -> Self:
        """The same without all that keeps a network from learning a few examples by heart."""
        return self.changed(train=self.train.unhindered())

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """The JSON Schema of ``run.toml``, for editors."""
        found = cls.schema()
        found["properties"] = {"version": {"enum": list(READABLE)}, **found["properties"]}
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "run.toml",
                **found}  # fmt: skip


def all_keys(whole: type[RunSettings]) -> dict[str, str]:
    """Dotted keys of all settings by their last part; sections win over what is inside them."""
    paths = sorted(whole.abouts(), key=len, reverse=True)
    found = {path[-1]: ".".join(path) for path in paths}
    for section in TrainSettings.hints():
        found[section] = f"train.{section}"
    known = {".".join(path) for path in paths}
    return {k: v for k, v in ELSEWHERE.items() if v in known} | found


def _better_hint(error: SettingError, whole: type[RunSettings]) -> SettingError:
    """Names the section of a setting that was looked for in another one."""
    last = error.key.rpartition(".")[2]
    known = all_keys(whole)
    if not error.what.startswith("unknown key"):
        return error
    place = error.key.partition(".")[0]
    part = whole.section(place) if place in whole.hints() else None
    several = part is not None and issubclass(part, Choice)  # has other settings for each name
    for other in kinds():
        known_there = tuple(error.key.split(".")) in other.settings.abouts()
        if not several and other.settings is not whole and known_there:
            return SettingError(error.key, f"`{error.key}` is for {other.name}", help=error.help)
    if last in known:
        return SettingError(error.key, error.what, help=f"did you mean `{known[last]}`?")
    if "did you mean" in error.help:
        return error
    near = nearest(last, known, FAR)
    if near is None:
        return error
    return SettingError(error.key, error.what, help=f"did you mean `{known[near]}`?")
