"""Reading many files of one kind: in order, with what is bad told or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from chainrule.data.files import Files, UnreadableError
from chainrule.data.filetable import read_file_table
from chainrule.data.listing import FileKind
from chainrule.errors import DataError

NOTES = FileKind((".txt",), "notes", "D1", "D2", "D3", "D4", "D5")


def length(file: Path) -> int:
    text = file.read_text()
    if text == "bad":
        raise UnreadableError("it is bad")
    return len(text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"a/1": "x", "a/2": "bad", "b/1": "xxx", "b/2": "xx"}.items():
        path = tmp_path / "notes" / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "notes"


def test_results_are_by_number_and_bad_files_are_told(folder: Path) -> None:
    files = Files.at(folder, NOTES, most_bad=0.5)
    assert (files.name, len(files), files.good) == ("notes", 4, [0, 1, 2, 3])
    assert files.read(length) == {0: 1, 2: 3, 3: 2}
    assert files.good == [0, 2, 3]
    assert files.read(length, [3, 0]) == {3: 2, 0: 1}
    assert files.labels(files.good).tolist() == [0, 1, 1]
    assert files.names([2]) == ("b/1.txt",)
    files.check()
    [finding] = files.findings
    assert finding.code == "D5"
    assert finding.message == "unreadable notes were skipped"
    assert finding.evidence == "1 of 4: a/2.txt: it is bad"


def test_too_many_bad_files(folder: Path) -> None:
    files = Files.at(folder, NOTES, most_bad=0.2)
    files.read(length)
    with pytest.raises(DataError, match="1 of 4 notes are unreadable") as caught:
        files.check()
    assert caught.value.where.endswith("2.txt: it is bad")
    alone = Files.at(folder / "a" / "2.txt", NOTES, most_bad=1.0)
    assert alone.names([0]) == ("2.txt",)
    alone.read(length)
    with pytest.raises(DataError, match="1 of 1 notes are unreadable"):
        alone.check()


def test_paths_that_lead_nowhere(folder: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        Files.at(folder / "c", NOTES)


def test_a_table_of_files(folder: Path) -> None:
    table = folder / "all.tsv"
    table.write_text("kind\tfile\nlong\tb/1.txt\n\nshort\ta/1.txt\n")
    read = read_file_table(table, NOTES, "labels", "", ("label", "kind"))
    assert read.values == ("long", "short")
    assert read.lines == (2, 4)
    assert Files(NOTES, read.listing([1])).read(length) == {0: 1}
    assert Files(NOTES, read.listing([1])).names([0]) == ("a/1.txt",)
    with pytest.raises(DataError, match="no column of labels: 'size'") as caught:
        read_file_table(table, NOTES, "labels", "size", ())
    assert "files of notes end in .txt" in caught.value.help
    table.write_text("kind\tfile\nlong\n")
    with pytest.raises(DataError, match="the row has 1 fields, but the header 2") as caught:
        read_file_table(table, NOTES, "labels", "", ("kind",))
    assert caught.value.where.endswith("all.tsv, line 2")
