"""The section of ``run.toml`` about ensembles of networks, and the settings of each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from ...errors import ConfigError
from ...runs.settings.display import flatten_settings as flat
from ...runs.settings.fields import About, Length, Within
from ...runs.settings.section import Section
from ...runs.settings.sources import PRESET, Key, Source, gather

if TYPE_CHECKING:
    from .settings import Settings

__all__ = ["EnsembleSettings", "Recipe", "bagged"]

Recipe = Literal["fast", "good", "tabm", "realmlp"]


@dataclass(frozen=True)
class EnsembleSettings(Section):
    """Several networks for each of several recipes, every one trained without another fold."""

    TABLE: ClassVar[str] = "ensemble"

    folds: Annotated[
        Annotated[int, Within(0, 100)],
        About("train each recipe this many times, without another part of the rows; 0: once"),
    ] = 0
    recipes: Annotated[
        Annotated[tuple[Recipe, ...], Length(0, 8)],
        About("presets to train; held-out rows decide how much each of them counts"),
    ] = ()

    def check(self) -> None:
        if self.folds == 1:
            raise ConfigError("`ensemble.folds` is 1", help="give 2 or more, or 0 for no ensemble")
        if self.folds and not self.recipes:
            raise ConfigError(
                "`ensemble.recipes` is empty", help='name presets to train, such as ["good"]'
            )
        if len(set(self.recipes)) < len(self.recipes):
            raise ConfigError(f"`ensemble.recipes` is {list(self.recipes)}", help="name each once")


def bagged(settings: Settings) -> Mapping[str, Sequence[Settings]]:
    """The settings of each recipe for every fold; empty for one network.

    They are those of the preset of that name, but for what ``settings`` say otherwise than their
    own preset does.
    """
    folds = settings.ensemble.folds
    if not folds:
        return {}
    kind = type(settings)
    usual = flat(gather([Source({PRESET: settings.preset}, {})], kind).settings)
    own: dict[Key, Any] = {
        key: value
        for key, value in flat(settings).items()
        if usual.get(key) != value and key[0] not in ("preset", "ensemble")
    }
    recipes = {
        recipe: gather([Source({PRESET: recipe}, {}), Source(own, {})], kind).settings
        for recipe in settings.ensemble.recipes
    }
    return {
        recipe: [each.changed(data=each.data.changed(bag=(k, folds))) for k in range(1, folds + 1)]
        for recipe, each in recipes.items()
    }
