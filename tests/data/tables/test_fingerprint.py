"""The fingerprint of data, and the commit of a working folder."""

from __future__ import annotations

import hashlib
from pathlib import Path

from chainrule.data import read_table
from chainrule.data.tables.fingerprint import fingerprint_of
from chainrule.runs.provenance import git_commit, versions
from chainrule.version import __version__


def of_columns(**columns: list[object]) -> str:
    table = read_table(columns)
    return fingerprint_of(columns, table)


def test_a_file_by_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n")
    digest = hashlib.sha256(b"a,b\n1,2\n").hexdigest()
    assert fingerprint_of(path, read_table(path)) == f"sha256:{digest}"


def test_columns_by_their_cells() -> None:
    first = of_columns(a=["ab", "c"], b=[1, 2])
    assert first == of_columns(a=["ab", "c"], b=[1, 2])
    for other in (
        of_columns(a=["a", "bc"], b=[1, 2]),
        of_columns(a=["ab", "c"], b=[2, 1]),
        of_columns(a=["ab", None], b=[1, 2]),
        of_columns(c=["ab", "c"], b=[1, 2]),
    ):
        assert other != first


def test_git_commit(tmp_path: Path) -> None:
    assert git_commit(tmp_path / "none") in ("", git_commit(tmp_path))
    (tmp_path / ".git" / "refs" / "heads").mkdir(parents=True)
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    assert git_commit(tmp_path) == ""
    (tmp_path / ".git" / "refs" / "heads" / "main").write_text("abc123\n")
    (tmp_path / "below").mkdir()
    assert git_commit(tmp_path / "below") == "abc123"
    (tmp_path / ".git" / "HEAD").write_text("def456\n")
    assert git_commit(tmp_path) == "def456"


def test_versions() -> None:
    assert versions()["chainrule"] == __version__
    assert "numpy" in versions()
