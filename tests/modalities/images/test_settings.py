"""Settings of runs on images: written, described, refused and compared as those of tables are."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from chainrule.errors import ConfigError
from chainrule.modalities.describing import section_schema
from chainrule.modalities.images import IMAGES
from chainrule.modalities.images.network import NETWORKS
from chainrule.modalities.images.predictor import ImagePredictor
from chainrule.modalities.images.settings import (
    AugmentSettings,
    ImageDataSettings,
    ImageSettings,
    ImageTrainSettings,
    NetworkSettings,
)
from chainrule.modalities.tables.settings import Settings
from chainrule.runs.listing import compare_runs
from chainrule.runs.loading import read_settings
from chainrule.runs.recognition import kind_of_settings
from chainrule.runs.settings.describing import markdown
from chainrule.runs.settings.sources import from_file, from_overrides, from_text, gather
from modalities.images.conftest import train
from modalities.tables.test_schema import fits

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"
SCHEMA = ImageSettings.json_schema()

FULL = ImageSettings(
    name="birds",
    seed=7,
    data=ImageDataSettings(
        path="birds", test="more", target="kind", size=(64, 48), channels=3, fit="stretch",
        classes=("owl", "wren"), split=(0.5, 0.25, 0.25), class_weights="balanced", most_bad=0.0,
    ),
    augment=AugmentSettings(flip=False, shift=2, rotate=5.0, cutout=3, brightness=0.1),
    model=NetworkSettings("mobilenet", {"width": 1.0, "depth": 4}),
    train=ImageTrainSettings(epochs=3, label_smoothing=0.1),
)  # fmt: skip


def read(text: str) -> ImageSettings:
    return gather([from_text(text, "run.toml")], ImageSettings).settings


@pytest.mark.parametrize("settings", [FULL, ImageSettings()])
def test_run_toml_holds_everything(settings: ImageSettings) -> None:
    text = settings.to_toml(ImageSettings.descriptions())
    assert read(text) == settings
    assert fits(tomllib.loads(text), SCHEMA)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_survives(name: str) -> None:
    settings = ImageSettings(model=NetworkSettings(name))
    assert read(settings.to_toml()) == settings
    assert fits(tomllib.loads(settings.to_toml()), SCHEMA)


@pytest.mark.parametrize(
    "text",
    [
        "[data]\nkind = 'table'",
        "[data]\nsize = 0",
        "[data]\nsize = [32]",
        "[data]\nchannels = 4",
        "[data]\nchannels = 2",
        "[data]\nfit = 'squash'",
        "[data]\nmost_bad = 2",
        "[data]\nclass_weights = 'some'",
        "[data]\nquery = 'SELECT 1'",
        "[augment]\nrotate = 90",
        "[augment]\nshift = 1.5",
        "[augment]\nflip = 1",
        "[augment]\nmixup = -1",
        "[augment]\nshfit = 2",
        "[model]\nname = 'resnet'",
        "[model]\nname = 'resnet20'\nwidths = [8]",
        "[model]\nwidths = 8",
        "[train]\nepochs = 0",
    ],
)
def test_what_is_refused_is_refused_by_both(text: str) -> None:
    assert not fits(tomllib.loads(text), SCHEMA)
    with pytest.raises(ConfigError):
        read(text)


@pytest.mark.parametrize(
    ("word", "help"),
    [
        ("augment.shfit=1", "did you mean `augment.shift`?"),
        ("train.flip=true", "did you mean `augment.flip`?"),
        ("data.class_weight=balanced", "did you mean `data.class_weights`?"),
        ("learning_rate=0.1", "did you mean `train.lr`?"),
        ("model.name=renset20", "did you mean 'resnet20'?"),
        ("model.width=8", "did you mean `model.widths`?"),
        ("model.dropout=2.0", "from 0 to 0.95"),
        ("augment.rotate=90", "from 0 to 45"),
        ("data.channels=2", 'expected: one of 1, 3 or "auto"'),
        ("data.query=select", "known: kind, path, test"),
        ("model.widths=[]", "one or more, each from 1 to 65536"),
        ("model.layers=[8]", "cnn has widths, dropout"),
    ],
)
def test_mistakes_say_what_was_meant(word: str, help: str) -> None:
    with pytest.raises(ConfigError) as caught:
        gather([from_overrides([word], "command line")], ImageSettings)
    assert help in caught.value.help
    assert caught.value.where == "command line"


@pytest.mark.parametrize(
    ("words", "what", "help"),
    [
        (["model=resnet20", "model.dropout=0.2"], "unknown key", "resnet20 has no settings"),
        (["model=mobilenet", "model.depth=14"], "`model.depth` is 14", "from 1 to 13"),
        (["data.query=select"], "`data.query` is for tables", "known: kind, path"),
        (["data.missing=x"], "`data.missing` is for tables", "known: kind, path"),
    ],
)
def test_settings_of_others(words: list[str], what: str, help: str) -> None:
    with pytest.raises(ConfigError) as caught:
        gather([from_overrides(words, "command line")], ImageSettings)
    assert what in caught.value.what
    assert help in caught.value.help


@pytest.mark.parametrize(
    ("changes", "channels", "message"),
    [
        ({"shift": 20}, 3, "augment.shift is 20, but the images have 30 x 20 pixels"),
        ({"cutout": 400}, 3, "augment.cutout is 400"),
        ({"saturation": 0.5}, 1, "the images are grey"),
    ],
)
def test_changes_that_images_do_not_allow(
    changes: dict[str, float], channels: int, message: str
) -> None:
    settings = ImageSettings(augment=AugmentSettings(**changes))
    with pytest.raises(ConfigError, match=message):
        settings.resolved(100, (20, 30), channels)
    assert settings.resolved(100, (500, 500), 3).augment == settings.augment


def test_hints_name_no_setting_of_tables() -> None:
    with pytest.raises(ConfigError) as caught:
        gather([from_overrides(["hidden_layers=[8]"], "words")], ImageSettings)
    assert "model.layers" not in caught.value.help


def test_every_setting_is_described() -> None:
    for path, text in ImageSettings.descriptions().items():
        assert text, path
    page = PAGE.read_text(encoding="utf-8")
    shown = re.search(
        r"<!-- settings of images -->\n(.*)<!-- end of settings of images -->", page, re.DOTALL
    )
    assert shown
    tables = markdown(ImageSettings, Settings)
    assert shown[1] == tables, "run: python -m chainrule.modalities.describing images"
    for key in ("augment", "data"):
        for path in ImageSettings.descriptions():
            assert path[0] != key or path in Settings.descriptions() or f"`{path[-1]}`" in tables


def test_sections_of_the_schema() -> None:
    assert section_schema("", "images") == SCHEMA
    assert section_schema("") == Settings.json_schema()
    assert section_schema("augment.rotate")["maximum"] == 45
    assert "layers" in section_schema("model")["properties"]
    assert section_schema("model", "images")["anyOf"][0]["enum"] == list(NETWORKS)
    with pytest.raises(ConfigError, match="no section `augmnet`") as caught:
        section_schema("augmnet", "images")
    assert caught.value.help == "did you mean `augment`?"


def test_both_paths_count_from_the_file(tmp_path: Path) -> None:
    for name in ("photos", "held"):
        (tmp_path / name).mkdir()
    file = tmp_path / "run.toml"
    file.write_text('[data]\nkind = "images"\npath = "photos"\ntest = "held"\n')
    source = from_file(file)
    assert kind_of_settings([source]) is IMAGES
    found = gather([source], ImageSettings).settings.data
    assert (found.path, found.test) == (str(tmp_path / "photos"), str(tmp_path / "held"))
    kept = gather([from_file(file, relative=True)], ImageSettings).settings.data
    assert (kept.path, kept.test) == ("photos", "held")


def test_two_runs_side_by_side(learned: ImagePredictor, shapes: Path) -> None:
    assert learned.run is not None
    other = train(shapes, learned.run.parent, epochs=1, settings=["augment.shift=1"])
    assert other.run is not None
    assert read_settings(IMAGES, other.run) == other.settings
    found = compare_runs(learned.run, other.run)
    assert found["settings"] == {"augment.shift": ["0", "1"], "train.epochs": ["12", "1"]}
    assert found["metrics"]["accuracy"] == [learned.metrics["accuracy"], other.metrics["accuracy"]]
    assert json.dumps(found)


def test_a_setting_of_tables_is_known_where_nothing_else_was_imported() -> None:
    program = (
        "import chainrule as cr\n"
        "try: cr.fit_images('x', settings=['data.query=1'])\n"
        "except cr.ConfigError as error: print(error.what)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "`data.query` is for tables\n", done.stderr
