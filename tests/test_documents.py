"""The programs in the documents run and print what the documents say.

All ``python`` blocks of a page are one program; its ``text`` blocks, in order, are its output.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
#: their Python is a part of a program
FRAGMENTS = ("architecture.md",)
PAGES = sorted(
    page.name
    for page in (ROOT / "docs").glob("*.md")
    if "```python\n" in page.read_text(encoding="utf-8") and page.name not in FRAGMENTS
)


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_programs_print_what_the_page_says(page: str) -> None:
    program = "\n".join(blocks(page, "python"))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-"],
        input=program,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "".join(blocks(page, "text"))


def test_one_hundred_lines_are_no_more_than_that() -> None:
    [program] = blocks("autodiff-in-100-lines.md", "python")
    assert len(program.splitlines()) <= 100


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in target:
            assert (ROOT / "docs" / target).exists(), target
