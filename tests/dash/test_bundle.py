"""The committed page: small, ours alone, and built from what is committed beside it."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from chainrule.dash.app import STATIC, TYPES
from chainrule.report.style import STYLE

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"


def test_the_script_is_small() -> None:
    assert len(gzip.compress((STATIC / "app.js").read_bytes(), 9, mtime=0)) <= 120_000


def test_nothing_is_loaded_from_elsewhere() -> None:
    for name in TYPES:
        text = (STATIC / name).read_text(encoding="utf-8")
        addresses = set(re.findall(r"""(?:https?:)?//[\w.-]+\.\w+[^\s"'`)]*""", text))
        assert all("www.w3.org" in address for address in addresses), (name, addresses)
        assert not re.search(r"\b(eval|Function)\(|dangerouslySetInnerHTML=", text) or name == (
            "app.js"
        )
    # What reports draw is escaped where it is made; nothing else becomes HTML.
    assert [
        file.name for file in (WEB / "src").rglob("*.ts*")
        if "dangerouslySetInnerHTML" in file.read_text(encoding="utf-8")
    ] == ["reported.tsx"]  # fmt: skip


def test_the_colours_are_those_of_reports() -> None:
    style = (STATIC / "app.css").read_text(encoding="utf-8")
    for name in ("paper", "ink", "accent", "warn"):
        for colour in re.findall(rf"--{name}: (#\w+);", STYLE)[:2]:
            assert f"--{name}:{colour}" in style.replace(": ", ":")


def test_the_lock_file_names_no_registry() -> None:
    lock = (WEB / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in lock
    assert '"integrity"' in lock
    assert "omit-lockfile-registry-resolved=true" in (WEB / ".npmrc").read_text()


@pytest.mark.parametrize("name", ["preact", "@preact/signals", "uplot"])
def test_licences_come_with_it(name: str) -> None:
    assert f"{name}\n\n" in (STATIC / "LICENSES.txt").read_text(encoding="utf-8")
