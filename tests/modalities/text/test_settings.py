"""The settings of a run on text, and the page that describes them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chainrule.errors import ConfigError
from chainrule.modalities.describing import section_schema
from chainrule.modalities.tables import Settings
from chainrule.modalities.text import NETWORKS, TextSettings
from chainrule.modalities.text.networks import networks_for
from chainrule.runs.settings.describing import markdown
from chainrule.runs.settings.sources import from_overrides, gather
from chainrule.tasks import Binary, Language, Regression

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"


def settings_of(*overrides: str) -> TextSettings:
    return gather([from_overrides(overrides, "words")], TextSettings).settings


def test_every_setting_is_described() -> None:
    for path, text in TextSettings.descriptions().items():
        assert text, path
    page = PAGE.read_text(encoding="utf-8")
    shown = re.search(
        r"<!-- settings of text -->\n(.*)<!-- end of settings of text -->", page, re.DOTALL
    )
    assert shown
    tables = markdown(TextSettings, Settings)
    assert shown[1] == tables, "run: python -m chainrule.modalities.describing text"


def test_they_are_read_back() -> None:
    settings = settings_of('data.text="review"', "tokenizer.kind=unigram", "model=conv")
    assert settings.data.text == ("review",)
    assert TextSettings.read(settings.to_document()) == settings
    assert TextSettings.read(TextSettings().to_document()) == TextSettings()
    assert section_schema("model", "text")["anyOf"][0]["enum"] == ["auto", *NETWORKS]


def test_the_task_decides_what_is_auto() -> None:
    labels = settings_of("model.width=32").resolved(1000, Binary, 40)
    assert (labels.model.name, labels.model.settings["width"]) == ("bag", 32)
    assert labels.tokenizer.subwords is True
    assert settings_of("model=conv").resolved(1000, Binary, 40).tokenizer.subwords is False
    with pytest.raises(ConfigError, match="not for this task"):
        settings_of("model=nbsvm").resolved(1000, Regression, 40)
    assert labels.tokens == ("word", 30_000, True)
    language = settings_of("data.task=language").resolved(1200, Language, 64)
    assert (language.model.name, language.train.batch_size) == ("gpt", 12)
    assert language.tokens == ("character", 1_000, False)
    assert labels.train.optimizer.name == "adamw"
    assert (language.train.optimizer.name, language.train.lr) == ("muon", 1.2e-2)
    assert not labels.undecided()
    assert not language.undecided()
    for family in ("classes", "language", "translation"):
        assert networks_for(family)


def test_settings_of_the_optimizer_go_to_that_of_the_network() -> None:
    given = settings_of("data.task=language", "train.optimizer.weight_decay=0.3")
    assert given.language_steps == 55
    assert given.resolved(1200, Language, 64).train.optimizer.settings["weight_decay"] == 0.3
    recipe = settings_of("data.task=language", "train.optimizer=adamw")
    own = recipe.resolved(1200, Language, 64).train
    assert (own.optimizer.name, own.lr, recipe.language_steps) == ("adamw", 1e-3, 100)
    assert own.optimizer.settings["betas"] == (0.9, 0.99)
    with pytest.raises(ConfigError, match=r"unknown key `train.optimizer.ns_steps`"):
        settings_of("train.optimizer.ns_steps=3").resolved(100, Binary, 10)


@pytest.mark.parametrize(
    ("overrides", "help"),
    [
        (["model=gpt", "model.width=0"], "from 1"),
        (["model=gpt", "model.heads=3"], "equal share"),
        (["tokenizer.size=1"], "expected"),
        (["tokenizer.kind=words"], "did you mean 'word'"),
        (["train.regularization.mixup=0.5"], "set it to 0"),
        (["train.label_smoothing=0.1"], "set it to 0"),
        (["data.task=language", "data.fold=[1,2]"], "leave the folds out"),
        (["data.text=a", "data.target=a"], "a column is the target"),
        (["model.filter=3"], "did you mean `model.filters`"),
    ],
)
def test_settings_out_of_bounds(overrides: list[str], help: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings_of(*overrides)
    assert help in caught.value.help


@pytest.mark.parametrize("overrides", [
    ["model=conv", "tokenizer.subwords=true"],
    ["tokenizer.kind=byte-pair", "tokenizer.subwords=true"],
])  # fmt: skip
def test_runs_of_letters_are_for_words(overrides: list[str]) -> None:
    with pytest.raises(ConfigError, match="subwords"):
        settings_of(*overrides).resolved(100, Binary, 10)


def test_a_setting_of_another_network() -> None:
    with pytest.raises(ConfigError, match=r"unknown key `model.heads`"):
        settings_of("model.heads=2").resolved(100, Binary, 10)
