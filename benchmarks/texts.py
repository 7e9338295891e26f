"""Texts with a label, text to continue, and translation, over several seeds.

    python -m benchmarks.texts snippets vaderSentiment-3.3.2.tar.gz --networks bag,conv,transformer
    python -m benchmarks.texts austen --seeds 3
    python -m benchmarks.texts sentences /usr/share/trans/de-en

A line of JSON for each network and seed, then one for each network with means over the seeds. What
is chosen, is chosen by ``validation``. The data sets are those of ``docs/text.md``.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import re
import statistics
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import chainrule as cr

INSIDE = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
SNIPPETS = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"
#: of the sentences that are translated
WORDS = 8
ABBREVIATED = ("/", "(", "etw.", "sth.", "sb.", "jd.")


def snippets(archive: Path) -> Iterator[tuple[str, str]]:
    """Movie snippets, and whether people found them positive on the whole; none in the middle."""
    with tarfile.open(archive) as outer:
        member = outer.extractfile(INSIDE)
        assert member is not None
        with tarfile.open(fileobj=io.BytesIO(member.read())) as inner:
            file = inner.extractfile(SNIPPETS)
            assert file is not None
            for line in file.read().decode("utf-8").splitlines():
                _, rating, text = line.rstrip("\r").split("\t")
                if float(rating):
                    yield "pos" if float(rating) > 0 else "neg", text


def clear(text: str) -> str:
    """Without remarks in brackets."""
    return re.sub(r"\s+", " ", re.sub(r"\{[^}]*\}|\[[^\]]*\]|<[^>]*>", "", text)).strip()


def sentences(dictionary: Path) -> Iterator[tuple[str, str]]:
    """Whole sentences of at most `WORDS` words in German and in English, each pair once."""
    known: set[tuple[str, str]] = set()
    for line in dictionary.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") or " :: " not in line:
            continue
        german, english = (side.split(" | ") for side in line.split(" :: ", 1))
        if len(german) != len(english):
            continue
        for de, en in zip(german, english, strict=True):
            pair = clear(de.split(";")[0]), clear(en.split(";")[0])
            whole = all(side.endswith((".", "?", "!")) and 3 <= len(side.split()) <= WORDS
                        for side in pair)  # fmt: skip
            short = any(mark in side for side in pair for mark in ABBREVIATED)
            if whole and not short and pair not in known:
                known.add(pair)
                yield pair


def table_of(rows: Iterator[tuple[str, str]], names: tuple[str, str], folder: Path) -> Path:
    """The rows as a tsv."""
    path = folder / "rows.tsv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t")
        writer.writerows([names, *rows])
    return path


def trained(source: str, network: str, seed: int, settings: Sequence[str], **options: Any) -> Any:
    """One training and what it gave."""
    start = time.perf_counter()
    model = cr.fit(
        source, network=network, seed=seed, settings=list(settings),
        runs_dir=None, verbose=False, **options,
    )  # fmt: skip
    history = model.history
    best = history.best("val_loss")
    return {
        "network": network,
        "seed": seed,
        "validation": round(history["val_loss"][best], 5),
        "epoch": best + 1,
        "metrics": {k: round(v, 5) for k, v in model.metrics.items()},
        "baselines": {
            name: {k: round(v, 5) for k, v in own.items()} for name, own in model.baselines.items()
        },
        "seconds": round(time.perf_counter() - start, 1),
    }


def summary(lines: Sequence[Any]) -> dict[str, Any]:
    """Means over the seeds, and the deviation of each metric."""

    def mean(values: Sequence[float]) -> list[float]:
        deviation = statistics.stdev(values) if len(values) > 1 else 0.0
        return [round(statistics.mean(values), 5), round(deviation, 5)]

    first = lines[0]
    return {
        "network": first["network"],
        "seeds": len(lines),
        "validation": mean([line["validation"] for line in lines]),
        "metrics": {k: mean([line["metrics"][k] for line in lines]) for k in first["metrics"]},
        "baselines": {
            name: {k: mean([line["baselines"][name][k] for line in lines]) for k in own}
            for name, own in first["baselines"].items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", choices=("snippets", "austen", "sentences"))
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--networks", default="")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    given = parser.parse_args()
    if given.data != "austen" and given.file is None:
        parser.error(f"{given.data} are in a file: see docs/text.md")
    with tempfile.TemporaryDirectory() as folder:
        source, options = "austen", {"task": "language"}
        usual = "gpt"
        if given.data == "snippets":
            source = str(table_of(snippets(given.file), ("label", "text"), Path(folder)))
            options, usual = {"target": "label", "text": "text"}, "bag"
        elif given.data == "sentences":
            source = str(table_of(sentences(given.file), ("de", "en"), Path(folder)))
            options = {"task": "translation", "translate": "de", "target": "en"}
            usual = "transformer"
        for network in (given.networks or usual).split(","):
            lines = []
            for seed in range(given.seeds):
                lines.append(trained(source, network, seed, given.set, **options))
                print(json.dumps(lines[-1]), flush=True)
            print(json.dumps(summary(lines)), flush=True)


if __name__ == "__main__":
    main()
