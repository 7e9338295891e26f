"""The pages about run.toml and the commands: what they show runs, and is complete."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
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


@pytest.mark.parametrize("name", PAGES)
def test_programs_print_what_the_page_says(name: str, tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(DOCS.parent / "src")}
    [program] = blocks(page(name), "python")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-"], input=program, capture_output=True, text=True,
        cwd=tmp_path, env=env, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == blocks(page(name), "text")[0]


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


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    text = re.sub(r"```.*?```", "", page(name), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert "://" in target or (DOCS / target).exists(), target
