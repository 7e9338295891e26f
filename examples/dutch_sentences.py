"""Whole sentences: 91 minutes of Dutch, written down letter by letter by a recurrent network.

    apt-get download fillets-ng-data fillets-ng-data-nl
    for f in fillets-ng-data*.deb; do dpkg -x $f game; done
    pip install "chainrule[audio]"
    python examples/dutch_sentences.py game sentences [epochs]

The dialogues of the game Fish Fillets, spoken by actors (Debian's fillets-ng-data; GPL-2). Every
tenth level is held out, so no sentence of it was heard in training. Letters come from two
convolutions and gated recurrent units in both directions, trained with connectionist temporal
classification; the error is counted in letters (CER) and words (WER), without capitals and
punctuation (`read_transcripts`). `python -m benchmarks.sentences` trains PyTorch on the same.
"""

from __future__ import annotations

import csv
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import chainrule as cr
from chainrule import nn, optim
from chainrule.data.audio import Alphabet, Transcribed, read_transcripts
from chainrule.data.audio.transcripts import steps_needed
from chainrule.modalities.audio.network import Features
from chainrule.modalities.audio.prepare import feature_moments
from chainrule.modalities.audio.source import steps_of
from chainrule.modalities.audio.transcribing import WritingNetwork
from chainrule.nn import functional as F
from chainrule.tasks.transcription import error_rates

GAME = Path("usr/share/games/fillets-ng")
SPOKEN = re.compile(r'dialogId\("([^"]+)".*?\)\s*dialogStr\("((?:[^"\\]|\\.)*)"\)', re.DOTALL)
RATE, BANDS, HOP = 16_000, 40, 160
#: seconds to which recordings are padded: one program for each
LENGTHS = (2, 3, 4, 6, 9)
BATCH, EPOCHS, RATE_OF_LEARNING = 16, 60, 2e-3
WEIGHT_DECAY, LONGEST_GRADIENT = 0.01, 5.0
#: of the network, which is that of `chainrule train --task transcription`
HIDDEN, LAYERS, DROPOUT = 160, 2, 0.2
#: stretches of time and of bands that are blanked out, and how long they are at most
HOLES = (2, 25, 2, 6)


def write_table(game: Path, folder: Path) -> Path:
    """The files and their words, with the level that they belong to."""
    rows: dict[str, tuple[str, str]] = {}
    for script in sorted((game / "script").rglob("*dialogs_nl.lua")):
        level = script.parent.name
        for name, words in SPOKEN.findall(script.read_text(encoding="utf-8")):
            files = sorted((game / "sound" / level).rglob(f"nl/{name}.ogg"))
            rows |= {str(file.absolute()): (words.replace('\\"', '"'), level) for file in files}
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "sentences.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "text", "level"), *((k, *v) for k, v in rows.items())])
    return folder / "sentences.csv"


def divided(data: Transcribed) -> tuple[Transcribed, Transcribed]:
    """For training, and the sentences of every tenth level; without those that are too long."""
    levels = [Path(path).parts[-3] for path in data.recordings.paths]
    held_out = set(sorted(set(levels))[::10])
    seconds = data.recordings.lengths / RATE
    rows = [i for i in range(len(data)) if seconds[i] <= LENGTHS[-1]]
    return (
        data.take([i for i in rows if levels[i] not in held_out]),
        data.take([i for i in rows if levels[i] in held_out]),
    )


def network(data: Transcribed, alphabet: Alphabet) -> WritingNetwork:
    """With features scaled as those of ``data`` need it."""
    mel = nn.MelSpectrogram(RATE, 512, 400, HOP, 20.0, n_mels=BANDS)
    features = Features(mel, 0)
    scaling = feature_moments(features, data.recordings, LENGTHS[-1] * RATE, padded=False)
    return WritingNetwork(
        features, scaling, nn.SpecAugment(*HOLES), len(alphabet.letters),
        hidden=HIDDEN, layers=LAYERS, dropout=DROPOUT,
    )  # fmt: skip


@dataclass(frozen=True)
class Batch:
    """Clips of one length, the steps of each, and its letters."""

    clips: NDArray[np.int16]
    steps: NDArray[np.int32]
    codes: NDArray[np.int32]
    letters: NDArray[np.int32]
    rows: NDArray[np.int64]


def batches(data: Transcribed, codes: list[list[int]], seed: int | None) -> Iterator[Batch]:
    """Rows of about the same length; the last batch of each length is filled up."""
    samples = data.recordings.lengths
    longest = max(map(len, codes))
    order = np.random.default_rng(seed).permutation(len(data))
    made = []
    for shorter, seconds in zip((0, *LENGTHS), LENGTHS, strict=False):
        fits = (samples[order] > shorter * RATE) & (samples[order] <= seconds * RATE)
        rows = order[fits]
        for start in range(0, len(rows), BATCH):
            chosen = np.resize(rows[start : start + BATCH], BATCH)
            clips = np.zeros((BATCH, seconds * RATE), np.int16)
            letters = np.ones((BATCH, longest), np.int32)
            for j, i in enumerate(chosen):
                clips[j, : samples[i]] = data.recordings[int(i)]
                letters[j, : len(codes[i])] = codes[i]
            steps = steps_of(samples[chosen], HOP)
            counts = np.array([len(codes[i]) for i in chosen], np.int32)
            made.append(Batch(clips, steps, letters, counts, chosen))
    for k in np.random.default_rng(seed).permutation(len(made)):
        yield made[k]


def sayable(data: Transcribed, alphabet: Alphabet) -> tuple[Transcribed, list[list[int]]]:
    """What has time for all of its letters, and these as numbers."""
    codes = [alphabet.encode(text) for text in data.texts]
    steps = steps_of(data.recordings.lengths, HOP)
    rows = [i for i, code in enumerate(codes) if steps_needed(code) <= steps[i]]
    return data.take(rows), [codes[i] for i in rows]


def train(data: Transcribed, alphabet: Alphabet, epochs: int = EPOCHS) -> WritingNetwork:
    """The network after so many epochs, with one cycle of the learning rate."""
    data, codes = sayable(data, alphabet)
    cr.manual_seed(0)
    model = network(data, alphabet)
    total = epochs * sum(1 for _ in batches(data, codes, 0))
    schedule = optim.schedule.OneCycle(RATE_OF_LEARNING, total)
    adam = optim.AdamW(model.parameters(), lr=schedule, weight_decay=WEIGHT_DECAY)

    @cr.compile
    def step(clips, steps, letters, counts):
        adam.zero_grad()
        scores = model(clips, steps).permute(1, 0, 2)
        loss = F.ctc_loss(scores, letters, steps, counts, zero_infinity=True)
        loss.backward()
        optim.clip.clip_grad_norm_(model.parameters(), LONGEST_GRADIENT)
        adam.step()
        return loss

    for epoch in range(epochs):
        begun, losses = time.perf_counter(), []
        for batch in batches(data, codes, epoch):
            losses.append(step(batch.clips, batch.steps, batch.codes, batch.letters).item())
        seconds = time.perf_counter() - begun
        print(
            f"epoch {epoch + 1}/{epochs}  loss {np.mean(losses):.3f}  {seconds:.0f} s", flush=True
        )
    return model


def transcribe(
    listen: Callable[[Any, Any], Any], data: Transcribed, alphabet: Alphabet
) -> list[str]:
    """What is heard in each recording, by log-probabilities [batch, steps, letters + 1]."""
    heard = [""] * len(data)
    for batch in batches(data, [[1]] * len(data), None):
        scores = np.asarray(listen(batch.clips, batch.steps)).transpose(1, 0, 2)
        for i, found in zip(batch.rows, nn.ctc_greedy_decode(scores, batch.steps), strict=True):
            heard[i] = alphabet.decode(found.labels)
    return heard


def listener(model: WritingNetwork) -> Callable[[Any, Any], Any]:
    """The network in evaluation, compiled."""
    model.eval()

    @cr.compile
    def listen(clips, steps):
        with cr.no_grad():
            return model(clips, steps)

    return lambda clips, steps: listen(clips, steps).numpy()


def parts_of(game: Path, folder: Path) -> tuple[Transcribed, Transcribed, Alphabet]:
    """Sentences to learn from, those held out, and the letters of the first."""
    if not (game / GAME / "sound").is_dir():
        sys.exit(f"there is no folder {game / GAME / 'sound'}; how to get it:\n\n{__doc__}")
    data = read_transcripts(write_table(game / GAME, folder), rate=RATE)
    for finding in data.findings:
        print(finding)
    known, held_out = divided(data)
    alphabet = Alphabet.of(known.texts)
    print(f"{len(known)} sentences to learn from, {len(held_out)} held out; {alphabet.letters!r}")
    return known, held_out, alphabet


def main(game: Path, folder: Path, epochs: int = EPOCHS) -> None:
    """Trains, and says how many letters and words of the held-out levels are wrong."""
    known, held_out, alphabet = parts_of(game, folder)
    heard = transcribe(listener(train(known, alphabet, epochs)), held_out, alphabet)
    for said, words in list(zip(held_out.texts, heard, strict=True))[:10]:
        print(f"  said   {said}\n  heard  {words}")
    rates = error_rates(list(held_out.texts), heard)
    print(f"CER {rates['cer']:.1%}, WER {rates['wer']:.1%}")


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:]))
