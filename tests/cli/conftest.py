"""Running the command line inside this process, in an empty folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from chainrule.cli.app import app

Command = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def command(folder: Path) -> Command:
    """``command("train", "heart")``: no traceback ever, whatever the arguments."""

    def run(*arguments: object) -> Result:
        result = CliRunner().invoke(app, [str(a) for a in arguments])
        assert "Traceback" not in result.output
        return result

    return run


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one run on the heart table, for commands that read runs."""
    place = tmp_path_factory.mktemp("cli") / "runs"
    result = CliRunner().invoke(
        app, ["train", "heart", "--epochs", "5", "--quiet", "--runs-dir", str(place)]
    )
    assert result.exit_code == 0, result.output
    return place
