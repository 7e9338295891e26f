"""Tables of files and transcripts: what is read, and what is wrong with which line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from chainrule.data.audio.transcripts import Alphabet, normalised, read_transcripts, steps_needed
from chainrule.errors import DataError

RATE = 8000
HEADER = "file,text\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i, name in enumerate("abc"):
        tone = np.rint(5000 * np.sin(np.arange(2000 + i) * 0.3)).astype(np.int16)
        soundfile.write(tmp_path / f"{name}.wav", tone, RATE)
    return tmp_path


def table(folder: Path, text: str, name: str = "table.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_files_and_what_is_said_in_them(folder: Path) -> None:
    path = table(folder, HEADER + 'a.wav,"Yes, indeed!"\nb.wav,It’s  ÉTÉ 2\nc.wav,no\n')
    data = read_transcripts(path)
    assert data.texts == ("yes indeed", "it's été 2", "no")
    assert data.recordings.paths == ("a.wav", "b.wav", "c.wav")
    assert data.recordings.lengths.tolist() == [2000, 2001, 2002]
    assert data.findings == ()
    part = data.take([2, 0])
    assert (part.texts, part.recordings.paths) == (("no", "yes indeed"), ("c.wav", "a.wav"))


def test_columns_have_usual_names_or_are_named(folder: Path) -> None:
    tabs = table(folder, "Path\tsaid\tText\na.wav\tja\tyes\nb.wav\tnee\tno\n", "t.tsv")
    assert read_transcripts(tabs).texts == ("yes", "no")
    assert read_transcripts(tabs, "said").texts == ("ja", "nee")
    with pytest.raises(DataError, match="no column of transcripts: 'word'"):
        read_transcripts(tabs, "word")
    with pytest.raises(DataError, match="no column of files: path or file or audio"):
        read_transcripts(table(folder, "a,text\nb,c\n"))


def test_lines_without_words_or_sound_are_named(folder: Path) -> None:
    path = table(folder, HEADER + "a.wav,yes\nb.wav,?!\nnone.wav,no\nc.wav,no\n")
    data = read_transcripts(path, most_bad=0.5)
    assert data.texts == ("yes", "no")
    assert data.recordings.paths == ("a.wav", "c.wav")
    assert {f.code: f.evidence for f in data.findings} == {
        "D502": "1 of 3: none.wav: there is no such file",
        "D513": "1 of 4: line 3",
    }
    with pytest.raises(DataError, match="1 of 3 recordings are unreadable"):
        read_transcripts(path)


@pytest.mark.parametrize(
    ("text", "message", "where"),
    [
        (HEADER, "table.csv has no rows", ""),
        (HEADER + "a.wav,yes, indeed\n", "the row has 3 fields, but the header 2", "line 2"),
        (HEADER + "a.wav,\nb.wav,...\n", "all transcripts are empty", ""),
        (HEADER + 'a.wav,"yes\n', "cannot read table.csv: unexpected end of data", ""),
    ],
)
def test_tables_that_are_none(folder: Path, text: str, message: str, where: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_transcripts(table(folder, text))
    assert where in caught.value.where
    (folder / "bytes.csv").write_bytes(b"file,text\na.wav,\xff\xfe\n")
    for name in ("bytes.csv", "none.csv"):
        with pytest.raises(DataError, match=f"cannot read {name}"):
            read_transcripts(folder / name)


def test_letters_are_numbered_from_one() -> None:
    alphabet = Alphabet.of(["hello", "a b"])
    assert alphabet.letters == " abehlo"
    codes = alphabet.encode("hello")
    assert codes == [5, 4, 6, 6, 7]
    assert alphabet.decode(codes) == "hello"
    with pytest.raises(DataError, match="no letter 'x', 'y' in the alphabet"):
        alphabet.encode("hexy")
    with pytest.raises(DataError, match="all transcripts are empty"):
        Alphabet.of(["", ""])


def test_equal_neighbours_need_a_step_between_them() -> None:
    assert [steps_needed(codes) for codes in ([], [1], [1, 2], [1, 1], [2, 2, 2])] == [
        0, 1, 2, 3, 5
    ]  # fmt: skip


def test_what_is_not_heard_is_left_out() -> None:
    assert normalised("  Zo’n «vis» – 3 keer…\n") == "zo'n vis 3 keer"
    assert normalised("e\u0301te\u0301") == "été"
