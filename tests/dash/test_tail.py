"""Files that grow: whole lines, each once, whatever happens to the file meanwhile."""

from __future__ import annotations

import json
import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from chainrule.dash import tail as module
from chainrule.dash.tail import Lines, Tail


def line(**values: object) -> str:
    return json.dumps(values) + "\n"


def test_a_line_counts_when_it_has_an_end(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    tail = Tail(file)
    assert tail.read() == Lines()
    file.write_text(line(epoch=1) + '{"epoch": 2')
    assert tail.read().objects == ({"epoch": 1},)
    assert tail.read().objects == ()
    with file.open("a") as out:
        out.write("}\n" + line(epoch=3))
    assert tail.read().objects == ({"epoch": 2}, {"epoch": 3})


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=6))
def test_pieces_give_what_the_whole_gives(
    tmp_path_factory: object, content: bytes, cuts: list[int]
) -> None:
    folder = tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
    good = b'{"a": 1}\n'
    content = content.replace(b"a", b"\n").replace(b"b", good)
    file = folder / "pieces.jsonl"
    file.write_bytes(content)
    whole = Tail(file).read().objects
    file.write_bytes(b"")
    tail, read = Tail(file), []
    ends = sorted({min(cut, len(content)) for cut in cuts} | {len(content)})
    for start, end in zip([0, *ends], ends, strict=False):
        with file.open("ab") as out:
            out.write(content[start:end])
        part = tail.read()
        assert not part.again
        read += part.objects
    assert tuple(read) == whole


def test_damaged_lines_are_left_out_and_counted(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    # The second and third lines would be a list of two objects if they were joined.
    file.write_text(line(epoch=1) + '{"a": [{}\n{}]}\n' + line(epoch=2) + "[]\n" + '{"x": NaN}\n')
    tail = Tail(file)
    assert tail.read().objects == ({"epoch": 1}, {"epoch": 2})
    assert tail.damaged == 4


def test_offsets_say_where_lines_begin(tmp_path: Path) -> None:
    file = tmp_path / "histograms.jsonl"
    file.write_text(line(step=1) + "damaged\n" + line(step=2))
    read = Tail(file).read()
    for value, offset in zip(read.objects, read.offsets, strict=True):
        assert json.loads(file.read_bytes()[offset:].splitlines()[0]) == value


def test_a_file_that_was_replaced_or_cut_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    file.write_text(line(epoch=1) + line(epoch=2))
    tail = Tail(file)
    tail.read()
    other = tmp_path / "other"
    other.write_text(line(epoch=1) + line(epoch=2) + line(epoch=3))
    os.replace(other, file)
    again = tail.read()
    assert (again.again, len(again.objects)) == (True, 3)
    file.write_text(line(epoch=7))  # the same file, shorter
    again = tail.read()
    assert (again.again, again.objects) == (True, ({"epoch": 7},))
    file.write_text(line(epoch=8) + line(epoch=9))  # the same file, longer, and not what it was
    assert tail.read().again
    file.unlink()
    assert tail.read() == Lines(again=True)
    assert tail.read() == Lines()


def test_a_long_file_comes_in_pieces(tmp_path: Path, monkeypatch: object) -> None:
    monkeypatch.setattr(module, "PIECE", 64)  # type: ignore[attr-defined]
    file = tmp_path / "metrics.jsonl"
    file.write_text("".join(line(epoch=i) for i in range(20)) + "x" * 200 + "\n" + line(epoch=20))
    tail, read = Tail(file), []
    for _ in range(40):
        part = tail.read()
        read += [value["epoch"] for value in part.objects]
    assert read == list(range(21))
    assert not part.more


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "metrics.jsonl")
    assert Tail(tmp_path / "metrics.jsonl").read() == Lines()
