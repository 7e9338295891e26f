"""The fingerprint of data, and the commit of a working folder."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from chainrule.data import read_table
from chainrule.data.tables import fingerprint, row_ranges
from chainrule.data.tables import table as table_module
from chainrule.data.tables.fingerprint import fingerprint_of
from chainrule.runs.provenance import git_commit, versions
from chainrule.version import __version__
from meeting import meet


def of_columns(**columns: list[object]) -> str:
    table = read_table(columns)
    return fingerprint_of(columns, table)


def test_a_file_by_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n")
    digest = hashlib.sha256(b"a,b\n1,2\n").hexdigest()
    assert fingerprint_of(path, read_table(path)) == f"sha256:{digest}"


@pytest.mark.parametrize("size", [1, 3])
def test_a_large_file_by_its_pieces(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has read which of them."""
    monkeypatch.setattr(fingerprint, "PIECE", 50)
    monkeypatch.setattr(row_ranges, "CHUNK_ROWS", 8)
    monkeypatch.setattr(table_module, "CHUNK_ROWS", 8)
    path = tmp_path / "a.csv"
    content = b"a,b\n" + b"1,2\n" * 40
    path.write_bytes(content)
    pieces = [hashlib.sha256(content[i : i + 50]).digest() for i in range(0, len(content), 50)]
    expected = f"sha256:{hashlib.sha256(b''.join(pieces)).hexdigest()}"
    tables = meet(size, lambda peer: read_table(path, peers=peer))
    assert len(tables[0].own) < 40 or size == 1
    found = meet(size, lambda peer: fingerprint_of(path, read_table(path, peers=peer)))
    assert found == [expected] * size == [fingerprint_of(path, read_table(path))] * size


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
