"""Settings: every value survives run.toml, and every mistake is named with its place."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from chainrule.errors import ConfigError
from chainrule.modalities.tables.settings import (
    ModelSettings,
    Settings,
    TableDataSettings,
    TableTrainSettings,
)
from chainrule.optim import OPTIMIZERS
from chainrule.optim.schedule import SCHEDULES
from chainrule.runs.settings.sources import from_text, gather
from chainrule.runs.settings.training import OptimizerSettings, ScheduleSettings

FULL = Settings(
    name="heart",
    seed=7,
    data=TableDataSettings(
        "heart.csv",
        "disease",
        query="SELECT * FROM data",
        task="binary",
        columns={"sex": "category", "id": "ignored"},
        missing={"chol": (0, -1.5, "?")},
        split=(0.6, 0.2, 0.2),
        fold=(2, 5),
    ),
    model=ModelSettings((64, 32), 0.25, "selu", "lecun_normal", "layer"),
    train=TableTrainSettings(
        epochs=200,
        batch_size=32,
        lr=1e-3,
        loss="bce_with_logits",
        optimizer=OptimizerSettings("sgd", {"momentum": 0.9}),
        schedule=ScheduleSettings("step", {"every": "5 epochs", "warmup": 0.1}),
    ),
)


def read(text: str) -> Settings:
    return gather([from_text(text, "run.toml")], Settings).settings


def test_run_toml_holds_everything() -> None:
    assert read(FULL.to_toml()) == FULL
    assert read(FULL.to_toml(Settings.descriptions())) == FULL


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_survives(name: str) -> None:
    settings = Settings(train=TableTrainSettings(optimizer=OptimizerSettings(name)))
    written = tomllib.loads(settings.to_toml())["train"]["optimizer"]
    assert written["name"] == name
    assert len(written) > 1
    assert read(settings.to_toml()) == settings


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_survives(name: str) -> None:
    settings = Settings(train=TableTrainSettings(schedule=ScheduleSettings(name)))
    assert read(settings.to_toml()) == settings


def test_an_empty_file_is_all_defaults() -> None:
    assert read("") == Settings()
    assert Settings().train.optimizer.settings["weight_decay"] == 0.1


def test_flat_and_short_forms() -> None:
    text = '[train]\nlr = 0.01\nweight_decay = 0.2\npatience = 3\noptimizer = "adamw"\n'
    train = read(text).train
    assert (train.lr, train.early_stopping.patience) == (0.01, 3)
    assert train.optimizer.settings["weight_decay"] == 0.2
    inline = read('[train]\noptimizer = { name = "adam", lr = 3e-3 }\nschedule = "cosine"').train
    assert (inline.lr, inline.optimizer.name, inline.schedule.name) == (3e-3, "adam", "cosine")
    assert read("[train]\nbatch_size = 0").train.batch_size == "all"


def test_version_1_is_read() -> None:
    """The text that the first release wrote into run folders."""
    old = (
        'version = 1\nname = "heart"\nseed = 7\n\n[data]\npath = "heart"\ntarget = "disease"\n'
        'query = ""\ntask = "auto"\ncolumns = { fbs = "ignored" }\nmissing = { chol = [0] }\n'
        "split = [0.7, 0.15, 0.15]\n\n[model]\nlayers = [64, 64]\ndropout = 0.5\n\n[train]\n"
        "epochs = 200\nbatch_size = 32\nlr = 0.001\nweight_decay = 0.1\npatience = 15\n"
        'time_limit = 0.0\noptimizer = "adamw"\nloss = "bce_with_logits"\n'
    )
    settings = read(old)
    assert settings.data.missing == {"chol": (0,)}
    assert settings.model.widths == (64, 64)
    assert settings.train == TableTrainSettings(
        epochs=200, batch_size=32, lr=0.001, loss="bce_with_logits"
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("dropout = 0.25", "droput = 0.25", "did you mean `model.dropout`"),
        ("dropout = 0.25", 'dropout = "much"', "`model.dropout` is 'much'"),
        ("dropout = 0.25", "dropout = 1.5", "a number from 0 to 0.95"),
        ("epochs = 200", "epochs = 2.5", "`train.epochs` is 2.5"),
        ("epochs = 200", "epochs = true", "`train.epochs` is True"),
        ("epochs = 200", "learning_rate = 1", "did you mean `train.lr`"),
        ("epochs = 200", "momentum = 0.9", "unknown key `train.momentum`"),
        ("epochs = 200", "max_norm = 2", "did you mean `train.regularization.max_norm`"),
        ("lr = 0.001", "lr = nan", "`train.lr` is nan"),
        ("lr = 0.001", "lr = -0.1", "`train.lr` is -0.1"),
        ("layers = [64, 32]", "layers = [64, 0]", "a whole number from 1 to 65,536"),
        ("split = [0.6, 0.2, 0.2]", "split = [0.6, 0.2, 0.3]", "the first two above 0, together 1"),
        ("fold = [2, 5]", "fold = [6, 5]", "`data.fold` is [6, 5]"),
        ('task = "binary"', 'task = "binay"', "did you mean 'binary'"),
        ('sex = "category"', 'sex = "categry"', "did you mean 'category'"),
        ("version = 2", "version = 3", "version 3"),
        ("seed = 7", "seed = -7", "`seed` is -7"),
        ("seed = 7", "seed = 7\nextra = 1", "unknown key `extra`"),
        ("seed = 7", "seed = 7\nlr = 1", "did you mean `train.lr`"),
        ('name = "sgd"', 'name = "sdg"', "did you mean 'sgd'"),
        ("momentum = 0.9", "momentu = 0.9", "did you mean `train.optimizer.momentum`"),
        ("momentum = 0.9", "momentum = -0.9", "momentum"),
        ("momentum = 0.9", "betas = [0.9, 0.99]", "unknown key `train.optimizer.betas`"),
        ('name = "step"', 'name = "stpe"', "did you mean 'step'"),
        ("\nnorm = 0.0\n", "\nnorm = 1.0\nvalue = 1.0\n", "more than one bound"),
        ('every = "30s"', 'every = "30 parsecs"', "`output.checkpoints.every`"),
        ("[model]", "[model", "not TOML"),
        ("[train.clip]", "[train.clipp]", "did you mean `train.clip`"),
    ],
)
def test_mistakes_are_named(old: str, new: str, message: str) -> None:
    text = FULL.to_toml()
    assert old in text
    if "value = 1.0" in new:
        text = text.replace("\nvalue = 0.0", "")
    with pytest.raises(ConfigError) as caught:
        read(text.replace(old, new, 1))
    assert message in str(caught.value)
    assert "run.toml" in caught.value.where


def test_the_place_is_file_and_line() -> None:
    text = '\n[model]\n\n[train]\nepochs = 10\n\n[train.optimizer]\nname = "sgd"\nmomntum = 1\n'
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert caught.value.where == "run.toml:9"
    with pytest.raises(ConfigError) as caught:
        read('[train]\noptimizer = { name = "sgd", momntum = 1 }')
    assert caught.value.where == "run.toml:2"


def test_one_setting_under_two_names() -> None:
    with pytest.raises(ConfigError, match="one setting with two values"):
        read("[train]\nweight_decay = 0.1\n[train.optimizer]\nweight_decay = 0.2")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (TableTrainSettings(loss="cross_entropy"), "does not fit a regression"),
        (TableTrainSettings(label_smoothing=0.1), "has no labels to smooth"),
    ],
)
def test_what_does_not_fit_the_task(settings: TableTrainSettings, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Settings(train=settings).resolved(100, "regression")


def test_resolving_decides_by_rows_and_task() -> None:
    found = Settings().resolved(642, "binary")
    assert (found.model.layers, found.model.dropout) == ((64, 64), 0.5)
    assert (found.train.batch, found.train.rate) == (32, 1e-3)
    assert found.train.objective == "bce_with_logits"
    chosen = Settings(
        train=TableTrainSettings(optimizer=OptimizerSettings("sgd"), batch_size="all")
    )
    resolved = chosen.resolved(642, "regression").train
    assert (resolved.rate, resolved.batch, resolved.objective) == (0.05, None, "mse")


def test_settings_are_checked_from_python_too() -> None:
    wrong: dict[str, Any] = {"layers": (0,)}
    with pytest.raises(ConfigError, match=r"`model.layers` is \[0\]"):
        ModelSettings(**wrong)
