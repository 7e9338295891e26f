"""Spaces: what kinds declare, what users say of them, and the way from values to settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chainrule.errors import ConfigError
from chainrule.modalities.tables.kind import TABLES
from chainrule.runs.registry import kinds
from chainrule.runs.space import Interval, Number, OneOf, Stack, Times, between
from chainrule.runs.task import Task
from chainrule.tuning.space import SearchSpace, put, search_space
from chainrule.tuning.user_space import NO_SPACE, file_space, python_space, run_space

#: the networks of a kind, by the key that names them
NETWORKS = [
    (kind, {key: name})
    for kind in kinds()[:5]
    for key, names in (
        (("model", "network"), ("mlp", "tabm", "realmlp"))
        if kind.name == "tables"
        else (("model", "name"), tuple(type(kind.settings().model).options())),
    )
    for name in names
]


def base_of(kind: Any, changes: dict[tuple[str, ...], Any]) -> Any:
    """Settings with nothing left to decide that a space is built around."""
    document = kind.settings().to_document()
    for key, value in changes.items():
        if key == ("model", "name"):
            document["model"] = {"name": value}
        else:
            put(document, key, value)
    if kind.name == "text" and document["model"]["name"] != "auto":
        document["train"]["optimizer"] = {"name": "adamw"}
    for key, value in (("batch_size", 32), ("lr", 1e-3)):
        document["train"][key] = value
    if kind.name == "series":
        document["data"]["window"] = 24
    if kind.name == "tables":
        document["model"] |= {"layers": [64, 64], "dropout": 0.1}
    return kind.settings.read(document)


@pytest.mark.parametrize(("kind", "network"), [
    (k, n) for k, n in NETWORKS if "auto" not in n.values()
])  # fmt: skip
def test_all_that_a_kind_declares_are_valid_settings(kind: Any, network: Any) -> None:
    base = base_of(kind, network)
    space = search_space(kind, base, NO_SPACE)
    assert ("train", "lr") in space.dimensions
    for key, dimension in space.dimensions.items():
        for value in dimension.extremes():
            document = base.to_document()
            put(document, key, list(value) if isinstance(value, tuple) else value)
            kind.settings.read(document)
            chosen = dimension.parameters_of(value)
            assert chosen is not None
            assert dimension.value(chosen) == value


def test_what_data_is_prepared_by_are_settings() -> None:
    for kind in kinds()[:5]:
        document = kind.settings().to_document()
        for key in kind.prepared_by:
            part = document
            for name in key.split("."):
                part = part[name]


def test_settings_and_back() -> None:
    base = base_of(TABLES, {})
    dimensions = {
        ("model", "layers"): Stack(Number(1, 3), Number(16, 64, step=16)),
        ("train", "lr"): Times(0.1, 10).near(1e-3),
        ("model", "numbers"): OneOf("plain", "periodic"),
        ("model", "dropout"): between(0.0, 0.5),
    }
    space = SearchSpace(base, dimensions)
    chosen = {"model.layers.depth": 3, "model.layers.width": 32, "train.lr": 0.00123456,
              "model.numbers": "periodic", "model.dropout": 0.25}  # fmt: skip
    settings: Any = space.settings(chosen)
    assert settings.model.layers == (32, 32, 32)
    assert settings.train.lr == 0.001235  # four digits
    assert space.parameters_of(settings) == {**chosen, "train.lr": 0.001235}
    assert space.changes(chosen)["model.layers"] == [32, 32, 32]


@pytest.mark.parametrize(
    ("dimension", "outside"),
    [(Stack(Number(1, 3), Number(16, 64, step=16)), value)
     for value in ((16, 32), (), (20,), (16,) * 4, "auto")]
    + [(between(0.0, 0.5), 0.6), (between(1, 4), True), (OneOf("a", "b"), "c")],
)  # fmt: skip
def test_what_is_not_in_a_space_has_no_parameters(dimension: Any, outside: Any) -> None:
    assert dimension.parameters_of(outside) is None


def test_multiples_of_the_usual_value() -> None:
    assert Times(0.5, 2).near(0.01) == Interval(Number(0.005, 0.02, log=True))
    assert Times(0.5, 2).near(24) == Interval(Number(12, 48, log=True))
    assert Times(0.5, 2).near("auto").extremes() == ("auto",)


SPACE = """
[tune]
train.lr = { low = 1e-4, high = 0.1, log = true }
"model.dropout" = { low = 0, high = 0.5 }
"model.layers" = { depth = { low = 1, high = 3 }, width = { low = 16, high = 64, step = 16 } }
"model.numbers" = false

[tune.train]
batch_size = { choices = [32, 64] }
"""


def test_users_change_a_space(tmp_path: Path) -> None:
    """In the table of a run.toml, in a file, or in Python: the same."""
    path = tmp_path / "run.toml"
    path.write_text(SPACE.replace("train.lr", '"train.lr"'))
    own = run_space(path)
    space = search_space(TABLES, base_of(TABLES, {}), own)
    document = space.to_document()
    assert document["train.lr"] == {"low": 1e-4, "high": 0.1, "log": True}
    assert document["model.dropout"] == {"low": 0.0, "high": 0.5}  # no whole number
    assert document["train.batch_size"] == {"choices": [32, 64]}
    assert "model.numbers" not in document
    assert "model.members" in document
    path = tmp_path / "space.toml"
    path.write_text(SPACE.replace("train.lr", '"train.lr"').replace("[tune.train]", "")
                    .replace("[tune]", "").replace("batch_size", '"train.batch_size"'))  # fmt: skip
    assert file_space(path).dimensions == own.dimensions
    again = python_space({**document, "only": True})
    assert search_space(TABLES, base_of(TABLES, {}), again).to_document() == document


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('"train.lr" = { low = 0.1 }', "cannot be varied"),
        ('"train.lr" = { low = 0.1, high = 0.01 }', "cannot be varied"),
        ('"train.lr" = { low = 0, high = 0.1, log = true }', "cannot be varied"),
        ('"train.lr" = { low = 0.1, high = 0.3, step = 2 }', "cannot be varied"),
        ('"train.lr" = true', "cannot be varied"),
        ('"train.batch_size" = { choices = [] }', "cannot be varied"),
        ('"model.layers" = { depth = { low = 0, high = 2 }, width = { low = 8, high = 9 } }',
         "cannot be varied"),
        ('"train.lr" = { low = 0.1, high = 1e9 }', "`train.lr` is 1000000000.0"),
        ('"model.dropout" = { low = -0.1, high = 0.5 }', "`model.dropout` is -0.1"),
        ('"model.numbers" = { choices = ["plain", "fourier"] }', "`model.numbers` is 'fourier'"),
        ('"train.rate" = { low = 0.1, high = 0.3 }', "unknown key `train.rate`"),
        ('only = 3', "`only` is 3"),
    ],
)  # fmt: skip
def test_bad_spaces_are_told_with_their_line(tmp_path: Path, line: str, told: str) -> None:
    path = tmp_path / "space.toml"
    path.write_text(f"\n{line}\n")
    with pytest.raises(ConfigError, match=r"space\.toml:2") as caught:
        search_space(TABLES, base_of(TABLES, {}), file_space(path))
    assert told in caught.value.what
    assert caught.value.help


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        file_space(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("a = [")
    with pytest.raises(ConfigError, match="not TOML"):
        file_space(tmp_path / "bad.toml")
    (tmp_path / "run.toml").write_text("tune = 3")
    with pytest.raises(ConfigError, match="is not a table"):
        run_space(tmp_path / "run.toml")


def test_tasks_are_not_varied() -> None:
    """Nothing that changes what is learned is in a space."""
    for kind, network in NETWORKS:
        if "auto" in network.values():
            continue
        space = search_space(kind, base_of(kind, network), NO_SPACE)
        assert not {("data", "target"), ("data", "task"), ("data", "split")} & set(space.dimensions)
        assert all(issubclass(task, Task) for task in kind.tasks.values())
