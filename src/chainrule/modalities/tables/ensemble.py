"""The section of ``run.toml`` about ensembles of networks, and the settings of each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from ...errors import ConfigError
from ...runs.settings.display import flatten_settings as flat
from ...runs.settings.fields import About, Length, Within
from ...runs.settings.section import Section
from ...runs.settings.sources import PRESET, Key, Source, gather

if TYPE_CHECKING:
    from .settings import Settings

__all__ = ["EnsembleSettings", "Recipe", "bagged"]

Recipe = Literal["fast", "good", "tabm", "realmlp", "realmlp_short"]


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

    epochs: Annotated[
        Mapping[str, Annotated[int, Within(1)]],
        About('epochs of each network, as a time limit left them: "good-fold-1"; {}: of all'),
    ] = field(default_factory=dict)

    def check(self) -> None:
        names = [f"{recipe}-fold-{k}" for k in self._kept for recipe in self.recipes]
        if self.epochs and (set(self.epochs) != set(names) or len(self._kept) > self.folds):
            raise ConfigError(
                f"`ensemble.epochs` has {', '.join(self.epochs)}",
                help="give the epochs of every recipe for the first folds: good-fold-1, ...",
            )
        if self.folds == 1:
            raise ConfigError("`ensemble.folds` is 1", help="give 2 or more, or 0 for no ensemble")
        if self.folds and not self.recipes:
            raise ConfigError(
                "`ensemble.recipes` is empty", help='name presets to train, such as ["good"]'
            )
        if len(set(self.recipes)) < len(self.recipes):
            raise ConfigError(f"`ensemble.recipes` is {list(self.recipes)}", help="name each once")

    @property
    def _kept(self) -> Sequence[int]:
        """The folds for which networks are trained."""
        named = -(-len(self.epochs) // max(1, len(self.recipes)))
        return range(1, 1 + (named or self.folds))

    def of_folds(self, recipe: str) -> Mapping[int, int]:
        """The folds for which a recipe is trained, and after how many epochs each ends; 0: as its
        settings say."""
        return {k: self.epochs.get(f"{recipe}-fold-{k}", 0) for k in self._kept}


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
        recipe: [
            _fold(each, (k, folds), epochs)
            for k, epochs in settings.ensemble.of_folds(recipe).items()
        ]
        for recipe, each in recipes.items()
    }


def _fold(recipe: Settings, bag: tuple[int, int], epochs: int) -> Settings:
    """A recipe for one fold. Where a time limit has left so many ``epochs``, 0 if none has,
    nothing was tried before them."""
    data = recipe.data.changed(bag=bag)
    if not epochs:
        return recipe.changed(data=data)
    train, model = recipe.train, recipe.model
    return recipe.changed(
        data=data, train=train.changed(stop_after=epochs), model=model.changed(trial_epochs=0)
    )
