"""The pages about run.toml and the commands: what they show runs, and is complete.

Their programs are run as those of all pages are: `tests/test_documents.py`.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from chainrule.modalities.tables.settings import Settings
from chainrule.runs.settings.describing import markdown
from chainrule.runs.settings.sources import from_text, gather

from .conftest import Command

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("configuration.md", "commands.md")


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands(name: str) -> list[str]:
    lines = "".join(blocks(page(name), "sh")).splitlines()
    return [line for line in lines if line.startswith("chainrule ")]


@pytest.mark.parametrize("name", PAGES)
def test_commands_run(name: str, command: Command, folder: Path) -> None:
    (folder / "run.toml").write_text(blocks(page("configuration.md"), "toml")[0])
    assert len(commands(name)) >= 6
    for line in commands(name):
        result = command(*shlex.split(line)[1:])
        assert result.exit_code == 0, f"{line}\n{result.output}"


def test_the_error_is_that_of_the_page(command: Command, folder: Path) -> None:
    text = blocks(page("configuration.md"), "toml")[0]
    (folder / "run.toml").write_text(text.replace("epochs = 30", "lerning_rate = 0.01"))
    result = command("train", "run.toml")
    assert result.stderr == blocks(page("configuration.md"), "console")[0]


def test_files_on_the_page_are_settings() -> None:
    for text in blocks(page("configuration.md"), "toml"):
        tomllib.loads(text)
        gather([from_text(text, "page")], Settings)


def test_all_settings_are_documented() -> None:
    shown = re.search(r"<!-- settings -->\n(.*)<!-- end of settings -->", page(PAGES[0]), re.DOTALL)
    assert shown
    assert shown[1] == markdown(Settings), "run: python -m chainrule.modalities.describing"
    for path in Settings.descriptions():
        assert f"`{path[-1]}`" in shown[1], path
