"""The data sets of ``benchmarks.texts``: which rows are made of their files."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from benchmarks.texts import INSIDE, SNIPPETS, mails, sentences, snippets, summary

DICTIONARY = """# comment
Haus {n} | Das Haus {n} ist rot. | Sag etw. :: house | The [coll.] house is red. | Say sth. now.
Wie geht es dir?; Wie geht's dir? :: How are you doing?; How do you do?
Das Haus ist rot. :: The house is red.
Das ist ein Satz von mehr als acht Wörtern. :: This is short.
Eins zwei drei. | Vier. :: One two three.
"""


def packed(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def test_sentences_are_whole_and_short_and_each_there_once(tmp_path: Path) -> None:
    path = tmp_path / "de-en"
    path.write_text(DICTIONARY, encoding="utf-8")
    assert list(sentences(path)) == [
        ("Das Haus ist rot.", "The house is red."),
        ("Wie geht es dir?", "How are you doing?"),
    ]


def test_snippets_in_the_middle_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "v.tar.gz"
    lines = b"1\t2.5\tgreat\r\n2\t0.0\tmeh\r\n3\t-0.1\tdull, dull\r\n"
    path.write_bytes(packed({INSIDE: packed({SNIPPETS: lines})}))
    assert list(snippets(path)) == [("pos", "great"), ("neg", "dull, dull")]


def test_bodies_of_mails_are_there_once(tmp_path: Path) -> None:
    path = tmp_path / "m.tgz"
    files = {
        "package/data/spam-1/1.txt": b"From: a\r\n\r\nBuy\r\n\r\nnow\xff\r\n",
        "package/data/spam-2/2.txt": b"From: b\n\nBuy\n\nnow\xff",
        "package/data/hard-ham-1/3.txt": b"From: c\n\nHello",
        "package/data/spam-1/empty.txt": b"From: d\n\n",
        "package/README.md": b"x\n\ny",
    }
    path.write_bytes(packed(files))
    assert list(mails(path)) == [("spam", "Buy\n\nnow\ufffd"), ("ham", "Hello")]


def test_means_over_seeds() -> None:
    line = {"network": "bag", "by": "chainrule", "baselines": {}, "seconds": 1.0}
    lines = [{**line, "validation": v, "metrics": {"accuracy": v}} for v in (0.5, 0.7)]
    found = summary(lines)
    assert found["validation"] == [0.6, 0.14142]
    assert found["metrics"] == {"accuracy": [0.6, 0.14142]}
    assert (found["seeds"], found["seconds"]) == (2, [1.0, 0.0])
