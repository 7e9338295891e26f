"""The frame of the command line: help, errors, colour, the reports of defects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from chainrule.cli import info
from chainrule.cli.app import app
from chainrule.modalities.tables.options import column_kinds, missing_values
from chainrule.phrasing import listed
from chainrule.runs import registry
from chainrule.version import __version__

from .conftest import Command


def test_help_names_every_command(command: Command) -> None:
    result = command("--help")
    assert result.exit_code == 0
    for name in ("init", "train", "resume", "predict", "eval", "runs", "config", "info"):
        assert name in result.stdout
        assert command(name, "--help").exit_code == 0


def commands(group: click.Group, *names: str) -> Iterator[tuple[str, ...]]:
    yield names
    for name, inner in group.commands.items():
        if isinstance(inner, click.Group):
            yield from commands(inner, *names, name)
        else:
            yield (*names, name)


@pytest.mark.parametrize("names", [*commands(app)], ids=" ".join)
def test_help_fits_a_terminal_and_names_every_kind(names: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*names, "--help"], terminal_width=80)
    assert result.exit_code == 0
    assert "{" not in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    if names in ((), ("config", "schema")):
        assert listed(registry.names(), "or") in " ".join(result.stdout.split())
    if names == ("train",):
        assert all(line in result.stdout for line in registry.sources())


def test_version(command: Command) -> None:
    assert command("--version").stdout == f"chainrule {__version__}\n"


def test_the_version_is_that_of_the_project() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{__version__}"' in text or 'dynamic = ["version"]' in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["trian", "heart"], "train"), (["train"], "Missing argument"), ([], "Usage")],
)
def test_usage(arguments: list[str], message: str, command: Command) -> None:
    result = command(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize("arguments", [[], ["runs"], ["config"]])
def test_a_group_alone_shows_its_commands(arguments: list[str], command: Command) -> None:
    result = command(*arguments)
    assert result.exit_code == 2
    assert result.stderr == command(*arguments, "--help").stdout


def test_info(command: Command) -> None:
    facts = json.loads(command("info", "--json").stdout)
    assert facts["chainrule"] == __version__
    assert facts["threads"] >= 1
    assert {"python", "numpy", "llvmlite", "duckdb"} <= set(facts["versions"])
    assert facts["processor"] in command("info").stdout


def test_a_defect_is_reported_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> dict[str, object]:
        return {}["gone"]  # type: ignore[return-value]

    monkeypatch.setattr(info, "collect_facts", broken)
    result = CliRunner().invoke(app, ["info"])
    assert result.exit_code == 3
    assert "KeyError" in result.stderr
    assert "chainrule info --json" in result.stderr
    assert "Traceback" not in result.stderr
    shown = CliRunner().invoke(app, ["info", "--traceback"])
    assert isinstance(shown.exception, KeyError)


def test_traceback_shows_where_an_error_arose(folder: Path) -> None:
    for arguments in (["--traceback", "train", "no.csv"], ["train", "no.csv", "--traceback"]):
        result = CliRunner().invoke(app, arguments)
        assert type(result.exception).__name__ == "DataError"


def test_colour_can_be_switched_off(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = CliRunner().invoke(app, ["train", "no.csv"], color=True)
    assert "\x1b[" in shown.stderr
    for name, value in (("NO_COLOR", "1"), ("CHAINRULE_NO_COLOR", "1"), ("TERM", "dumb")):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            plain = CliRunner().invoke(app, ["train", "no.csv"], color=True)
        assert "\x1b[" not in plain.stderr


def test_colour_can_be_forced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def shown(*words: str, **variables: str) -> bool:
        with monkeypatch.context() as patch:
            for name in ("NO_COLOR", "FORCE_COLOR"):
                patch.delenv(name, raising=False)
            for name, value in variables.items():
                patch.setenv(name, value)
            return "\x1b[" in CliRunner().invoke(app, ["train", "no.csv", *words]).stderr

    assert not shown()
    assert shown(FORCE_COLOR="1")
    assert shown("--color", "always", NO_COLOR="1")
    assert not shown("--color", "never", FORCE_COLOR="1")
    assert not shown(FORCE_COLOR="1", NO_COLOR="1")


def test_progress(command: Command) -> None:
    words = ["train", "heart", "--epochs", 2]
    assert "eta" in command(*words, "--progress", "plain").stderr
    assert "###" in command(*words, "--progress", "bar").stderr
    assert "epoch 1/2" not in command(*words, "--progress", "none").stderr
    assert command(*words, "--progress", "all").exit_code == 2


def test_verbose_tells_what_is_not_as_by_default(command: Command) -> None:
    told = command("train", "heart", "--epochs", 1, "train.clip.norm=2", "-v").stderr
    assert "train.epochs = 1  (--epochs)" in told
    assert "train.clip.norm = 2.0  (command line)" in told
    assert "train.accumulate" not in told


def test_missing_values() -> None:
    assert missing_values(("a=0,-1.5", "a=NA", "b=x=y")) == {"a": [0, -1.5, "NA"], "b": ["x=y"]}
    assert missing_values(()) is None


def test_kinds() -> None:
    assert column_kinds(("a=b=category",)) == {"a=b": "category"}
