"""Text files of every kind, good and bad, in pieces that cut nothing."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from chainrule.data.text import reading
from chainrule.data.text.columns import folder_columns, parallel_columns
from chainrule.data.text.reading import read_lines, read_text, text_pieces
from chainrule.errors import DataError

#: letters of one to four bytes, combining marks, right to left, emoji with joiners
TEXTS = ["plain\nlines\n", "größer ﷺ\r\nعربى עברית\r\n", "e\u0301 👩‍👩‍👧 नमस्ते\n" * 3, "no end"]


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("block", [1, 2, 3, 5, 7, 1 << 20])
@pytest.mark.parametrize("text", TEXTS)
def test_pieces_of_any_size_are_the_text(
    text: str, block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "BLOCK", block)
    plain = write(tmp_path / "a.txt", text.encode())
    zipped = write(tmp_path / "a.txt.gz", gzip.compress(text.encode()))
    for path in (plain, zipped):
        assert read_text(path) == text.replace("\r\n", "\n")
    marked = write(tmp_path / "marked.txt", b"\xef\xbb\xbf" + text.encode())
    if block > 2:
        assert read_text(marked) == text.replace("\r\n", "\n")


def test_one_long_line_is_cut_at_spaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BLOCK", 16)
    path = write(tmp_path / "line.txt", b"word " * 20)
    pieces = list(text_pieces(path))
    assert "".join(pieces) == "word " * 20
    assert max(map(len, pieces)) <= 21
    assert all(piece.startswith((" ", "word")) for piece in pieces)
    without = write(tmp_path / "letters.txt", b"x" * 100)
    assert max(map(len, text_pieces(without))) == 16


@pytest.mark.parametrize("block", [3, 1 << 20])
@pytest.mark.parametrize(
    ("content", "message", "where"),
    [
        (b"", "is empty", "bad.txt"),
        (b" \n\t\n", "is empty", "bad.txt"),
        (b"one\ntwo \xe4 three", "is not UTF-8: the byte 0xe4", "bad.txt:2, byte 8"),
        (b"one\n\n\xff", "is not UTF-8: the byte 0xff", "bad.txt:3, byte 5"),
        (b"cut \xf0\x9f\x98", "is not UTF-8: the byte 0xf0", "bad.txt:1, byte 4"),
        (b"a\nb\0c", "holds a null byte", "bad.txt:2, byte 3"),
    ],
)
def test_what_is_no_text_says_where(
    content: bytes, message: str, where: str, block: int, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(reading, "BLOCK", block)
    with pytest.raises(DataError, match=message) as error:
        read_text(write(tmp_path / "bad.txt", content))
    assert error.value.where.endswith(where)


def test_other_encodings_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is UTF-16, not UTF-8") as error:
        read_text(write(tmp_path / "wide.txt", "text".encode("utf-16")))
    assert "iconv -f UTF-16" in error.value.help


def test_there_is_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    huge = tmp_path / "huge.txt"
    with huge.open("wb") as file:
        file.truncate(1 << 30)  # of zeros that take no room
    with pytest.raises(DataError, match="holds 1,024 MB or more, and at most 256 MB") as error:
        read_text(huge)
    assert "head -c 256M" in error.value.help
    monkeypatch.setattr(reading, "MOST_BYTES", 1000)
    bomb = write(tmp_path / "bomb.txt.gz", gzip.compress(b"a" * 5000))
    assert bomb.stat().st_size < 1000
    with pytest.raises(DataError, match="at most 0 MB"):
        read_text(bomb)


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="file not found"):
        read_text(tmp_path / "nothing.txt")
    with pytest.raises(DataError, match="is not a file"):
        read_text(tmp_path)
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(DataError, match="is not a file"):
        read_text(tmp_path / "pipe.txt")
    broken = write(tmp_path / "cut.txt.gz", gzip.compress(b"some text here")[:-12])
    with pytest.raises(DataError, match="cannot read"):
        read_text(broken)


def test_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", b"one\n\nthree\r\nfour")
    assert read_lines(path) == ["one", "", "three", "four"]
    assert read_lines(write(path, b"one\n")) == ["one"]


def test_parallel_files(tmp_path: Path) -> None:
    left, right = tmp_path / "a.de", tmp_path / "a.en"
    left.write_text("eins\nzwei\ndrei\n")
    right.write_text("one\ntwo\nthree\n")
    columns = parallel_columns(left, right, ("de", "en"))
    assert columns == {"de": ["eins", "zwei", "drei"], "en": ["one", "two", "three"]}
    right.write_text("one\ntwo\n")
    with pytest.raises(DataError, match=r"a.de has 3 lines and a.en 2") as error:
        parallel_columns(left, right, ("de", "en"))
    assert error.value.where == f"{left}:3"


def test_folders_of_classes(tmp_path: Path) -> None:
    for name in ("neg/1.txt", "neg/2.txt", "pos/1.txt", "pos/notes.pdf"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"text of {name}\n")
    columns, findings = folder_columns(tmp_path, labelled=True)
    assert columns["class"] == ["neg", "neg", "pos"]
    assert columns["text"][2] == "text of pos/1.txt"
    assert [f.code for f in findings] == ["D601"]
    with pytest.raises(DataError, match="no folders of classes"):
        folder_columns(tmp_path / "neg", labelled=True)
