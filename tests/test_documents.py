"""The programs and commands in the documents run and print what the documents say.

All ``python`` blocks of a page are one program; its ``text`` blocks, in order, are its output. A
``console`` block shows commands, each after a ``$``, with their output below: ``...`` stands for
lines that are left out, durations may differ. A command that fails shows its ``error:``, or what
has ``failed``. The first step of every program is compared with the interpreter on the way.
"""

from __future__ import annotations

import math
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from chainrule.cli.app import app

ROOT = Path(__file__).parent.parent
#: their Python is a part of a program
FRAGMENTS = ("add-a-modality.md", "architecture.md")
ALL_PAGES = {p.name: p.read_text(encoding="utf-8") for p in sorted((ROOT / "docs").glob("*.md"))}
PAGES = [n for n, text in ALL_PAGES.items() if "```python\n" in text and n not in FRAGMENTS]
TALKS = [n for n, text in ALL_PAGES.items() if "```console\n$ " in text]
DURATION = re.compile(r"\b(eta|in|after) \d+(:\d\d|\.\d s)")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", ALL_PAGES[page], re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_programs_print_what_the_page_says(page: str, tmp_path: Path) -> None:
    program = "\n".join(blocks(page, "python"))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-"],
        input=program,
        capture_output=True,
        text=True,
        timeout=500,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "CHAINRULE_COMPARE": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "".join(blocks(page, "text"))


def pattern(shown: str) -> str:
    """A regular expression for all output of which a page shows these lines."""
    found = ""
    for line in shown.splitlines(keepends=True):
        start, left_out, _ = line.partition("...")
        found += re.escape(start) + ".*\n" if left_out and start else ""
        found += "" if start and left_out else r"(?:.*\n)*" if left_out else re.escape(line)
    return found


@pytest.mark.parametrize("page", TALKS)
def test_commands_print_what_the_page_says(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for talk in blocks(page, "console"):
        for command in re.split(r"^\$ chainrule ", talk, flags=re.MULTILINE)[1:]:
            line, _, shown = command.partition("\n")
            if line.endswith("--seeds 5"):
                continue  # tests/test_classics.py has these trainings
            result = CliRunner().invoke(app, shlex.split(line))
            wrong = re.search(r"^(error:|failed )", shown, re.MULTILINE)
            assert (result.exit_code == 0) == (wrong is None), result.output
            told, shown = (DURATION.sub(r"\1 TIME", text) for text in (result.output, shown))
            assert re.fullmatch(pattern(shown), told), f"{line}\n{told}"


def test_one_hundred_lines_are_no_more_than_that() -> None:
    [program] = blocks("autodiff-in-100-lines.md", "python")
    assert len(program.splitlines()) <= 100


@pytest.mark.parametrize("page", ALL_PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = re.sub(r"```.*?```", "", ALL_PAGES[page], flags=re.DOTALL)
    for target, section in re.findall(r"\]\(([^)#]*)(?:#([^)]+))?\)", text):
        if "://" not in target:
            assert not target or (ROOT / "docs" / target).exists(), target
            assert not section or section in anchors(target or page), f"{target}#{section}"


def anchors(page: str) -> list[str]:
    """What links to the headings of a page are called."""
    heads = re.findall(r"^#+ (.*)$", ALL_PAGES[page], re.MULTILINE)
    return [re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads]


def test_the_numbers_by_hand_are_those_of_the_formulas() -> None:
    """Every number with six decimals in the indented lines of the tutorial."""
    x1, x2, v1, v2, c = 1.0, 2.0, 0.5, -0.4, 0.2
    h1, h2 = (1 / (1 + math.exp(-z)) for z in (0.1 * x1 + 0.4 * x2 + 0.1, -0.5 * x1 + 0.25 * x2))
    s = v1 * h1 + v2 * h2 + c
    a = 1 / (1 + math.exp(-s))
    delta = (a - 1) * a * (1 - a)
    delta1, delta2 = delta * v1 * h1 * (1 - h1), delta * v2 * h2 * (1 - h2)
    known = (
        h1, 1 - h1, h1 * (1 - h1), s, a, a - 1, 1 - a, (a - 1) ** 2 / 2, a * (1 - a),
        delta, delta * h1, delta * h2, delta1, delta2, delta1 * x2, delta2 * x2,
        v1 - 0.5 * delta * h1, c - 0.5 * delta,
    )  # fmt: skip
    page = re.sub(r"```.*?```", "", ALL_PAGES["tutorial.md"], flags=re.DOTALL)
    lines = re.findall(r"^    \S.*$", page, re.MULTILINE)
    shown = re.findall(r"-?\d\.\d{6}", "\n".join(lines))
    assert len(shown) > 40
    assert set(shown) == {f"{number:.6f}" for number in known}


def test_the_index_has_every_page() -> None:
    listed = re.findall(r"\]\(([\w-]+\.md)\)", ALL_PAGES["README.md"])
    assert sorted(listed) == sorted(set(ALL_PAGES) - {"README.md"})
