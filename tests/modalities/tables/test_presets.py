"""Presets: below what is set beside them, above nothing, and each complete."""

from __future__ import annotations

from typing import get_args

import pytest

from chainrule.errors import ConfigError
from chainrule.modalities.tables.options import PRESETS as OPTION
from chainrule.modalities.tables.presets import FAST, PRESETS, Preset
from chainrule.modalities.tables.settings import Settings
from chainrule.runs.settings.display import flatten_settings
from chainrule.runs.settings.sources import Source, from_overrides, from_text, gather, usual


def settings(*words: str) -> Settings:
    return gather([*usual(Settings), from_overrides(words, "test")], Settings).settings


def test_every_preset_sets_the_same_keys() -> None:
    assert get_args(Preset) == tuple(PRESETS) == OPTION
    assert {frozenset(p) for p in PRESETS.values()} == {frozenset(FAST)}


def test_fast_is_what_nothing_else_says() -> None:
    plain = flatten_settings(Settings())
    assert (
        flatten_settings(gather([from_overrides(["preset=fast"], "test")], Settings).settings)
        == plain
    )


@pytest.mark.parametrize("name", PRESETS)
def test_values_of_a_preset_are_those_of_the_settings(name: str) -> None:
    chosen = flatten_settings(settings(f"preset={name}"))
    for key, value in PRESETS[name].items():
        assert chosen[key] == (list(value) if isinstance(value, tuple) else value), key
    assert chosen["preset",] == name


def test_what_is_set_beside_a_preset_wins() -> None:
    own = settings("preset=good", "model.members=2", "train.optimizer=sgd")
    assert (own.model.members, own.model.numbers) == (2, "auto")
    assert own.train.optimizer.name == "sgd"
    text = 'preset = "tabm"\n[model]\nmembers = 3\n'
    of_file = gather([from_text(text, "run.toml")], Settings)
    assert (of_file.settings.model.network, of_file.settings.model.members) == ("tabm", 3)
    assert of_file.origins["model", "network"] == "preset tabm"
    assert of_file.origins["model", "members"] == "run.toml:3"


def test_a_later_preset_takes_the_place_of_an_earlier_one() -> None:
    text = 'preset = "realmlp"\n'
    sources = [from_text(text, "run.toml"), Source({("preset",): "fast"}, {})]
    assert gather(sources, Settings).settings == settings("preset=fast")


def test_a_complete_file_keeps_its_values() -> None:
    own = settings("preset=good", "model.members=2")
    again = gather([from_text(own.to_toml(), "run.toml")], Settings).settings
    assert again == own


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'good'"):
        settings("preset=goood")


def test_numbers_of_presets_are_decided_by_the_rows() -> None:
    good, real = settings("preset=good"), settings("preset=realmlp")
    assert good.resolved(500, "binary").model.numbers == "plain"
    assert good.resolved(50_000, "binary").model.numbers == "piecewise"
    assert real.resolved(500, "binary").train.lr == 0.04
    assert real.resolved(500, "regression").train.lr == 0.2
    assert settings("preset=realmlp", "train.lr=1").resolved(500, "binary").train.lr == 1
