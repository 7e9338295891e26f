"""All settings of one run."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any, ClassVar, Self

from ...errors import nearest
from ..registry import kinds
from . import toml
from .fields import SettingError
from .section import Choice, Section
from .sections import DataSettings, ObserveSettings, OutputSettings
from .training import TrainSettings

__all__ = ["VERSION", "RunSettings"]

VERSION = 2
READABLE = (1, VERSION)

#: what stands in a run.toml beside the settings: `tune` is for the search of better ones
ASIDE = ("version", "tune")

#: how similar a key must be to one of another section to be suggested
MIN_SIMILARITY = 0.7

#: names that other libraries have for a setting
OTHER_NAMES = {
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

    Each kind of data has a dataclass with these fields and more, in its own order.
    """

    #: which of its settings may be ``auto`` until the data is known
    DECIDED_BY_DATA: ClassVar[tuple[str, ...]] = ()
    #: named sets of values by key, of which the setting ``preset`` names one (see `sources.gather`)
    PRESETS: ClassVar[Mapping[str, Mapping[tuple[str, ...], Any]]] = {}
    #: the one of a training that names none, and is not described by a file
    USUAL_PRESET: ClassVar[str] = ""

    name: str
    seed: int
    data: DataSettings
    model: Any
    train: TrainSettings
    observe: ObserveSettings
    output: OutputSettings

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """From a whole document whose aliases are resolved (see `sources`). Raises SettingError."""
        version = document.get("version", VERSION)
        if isinstance(version, bool) or version not in READABLE:
            raise SettingError(
                "version",
                f"version {version!r} of the settings is not known",
                help=f"this Chainrule reads versions {' and '.join(map(str, READABLE))}",
            )
        try:
            return cls.from_document({k: v for k, v in document.items() if k not in ASIDE})
        except SettingError as error:
            raise _better_hint(error, cls) from None

    def to_toml(self, comments: Mapping[tuple[str, ...], str] | None = None) -> str:
        """The text of ``run.toml``, every value written out; ``comments`` go behind the values."""
        return toml.dumps({"version": VERSION, **self.to_document()}, comments)

    def named(self, name: str) -> Self:
        """The same, called ``name`` unless it has a name already."""
        return self.changed(name=self.name or name)

    @property
    def split_seed(self) -> int:
        """What decides which examples are for training, validation and test."""
        chosen = getattr(self.data, "split_seed", "auto")
        return chosen if isinstance(chosen, int) else self.seed

    def undecided(self) -> tuple[str, ...]:
        """The settings that the data should have decided, and did not yet."""
        return tuple(key for key in self.DECIDED_BY_DATA if attrgetter(key)(self) == "auto")

    def unregularized(self) -> Self:
        """Of all sections."""
        sections = {n: getattr(self, n) for n in self.hints() if self.section(n)}
        return self.changed(**{n: section.unregularized() for n, section in sections.items()})

    def with_absolute_paths(self) -> Self:
        """The same with paths that hold in any working folder."""
        return self.changed(data=self.data.with_absolute_paths())

    def relative_to(self, output: Path) -> Self:
        """The same with paths relative to the folder of ``output``, a ``run.toml``."""
        return self.changed(data=self.data.relative_to(output))

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """The JSON Schema of ``run.toml``, for editors."""
        schema = cls.schema()
        tune = {"type": "object", "description": "What `chainrule tune` varies."}
        schema["properties"] = {
            "version": {"enum": list(READABLE)},
            **schema["properties"],
            "tune": tune,
        }
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "run.toml",
                **schema}  # fmt: skip


def keys_by_name(root: type[RunSettings]) -> dict[str, str]:
    """The dotted key of each setting by its last part; sections win over the settings in them."""
    paths = sorted(root.descriptions(), key=len, reverse=True)
    keys = {path[-1]: ".".join(path) for path in paths}
    for section in TrainSettings.hints():
        keys[section] = f"train.{section}"
    existing = {".".join(path) for path in paths}
    others = {name: key for name, key in OTHER_NAMES.items() if key in existing}
    return others | keys


def _better_hint(error: SettingError, root: type[RunSettings]) -> SettingError:
    """The error for an unknown key, with the key that was probably meant, in any section."""
    if not error.what.startswith("unknown key"):
        return error
    if other := _kind_with(error.key, root):
        return SettingError(error.key, f"`{error.key}` is for {other}", help=error.help)
    name = error.key.rpartition(".")[2]
    keys = keys_by_name(root)
    if name in keys:
        return SettingError(error.key, error.what, help=f"did you mean `{keys[name]}`?")
    if "did you mean" in error.help:
        return error
    near = nearest(name, keys, MIN_SIMILARITY)
    if near is None:
        return error
    return SettingError(error.key, error.what, help=f"did you mean `{keys[near]}`?")


def _kind_with(key: str, root: type[RunSettings]) -> str:
    """The name of another kind of data that has this setting; empty if there is none, and for a
    section that has other settings for each of its options."""
    top = key.partition(".")[0]
    section = root.section(top) if top in root.hints() else None
    if section is not None and issubclass(section, Choice):
        return ""
    path = tuple(key.split("."))
    matches = (
        kind.name for kind in kinds()
        if kind.settings is not root and path in kind.settings.descriptions()
    )  # fmt: skip
    return next(matches, "")
