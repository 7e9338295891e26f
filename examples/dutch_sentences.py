"""Whole sentences: 91 minutes of Dutch, written down letter by letter by a recurrent network.

    apt-get download fillets-ng-data fillets-ng-data-nl
    for f in fillets-ng-data*.deb; do dpkg -x $f game; done
    pip install "chainrule[audio]" jiwer
    python examples/dutch_sentences.py game sentences

The dialogues of the game Fish Fillets, spoken by actors (Debian's fillets-ng-data; GPL-2). Every
tenth level is held out, so no sentence of it was heard in training. Letters come from a
convolution and gated recurrent units in both directions, trained with connectionist temporal
classification; the error is counted in letters (CER) and words (WER), without capitals and
punctuation (`read_transcripts`).
"""

from __future__ import annotations

import csv
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jiwer
import numpy as np
from numpy.typing import NDArray

import chainrule as cr
from chainrule import nn, optim
from chainrule.data.audio import Alphabet, Transcribed, read_transcripts
from chainrule.data.audio.transcripts import steps_needed
from chainrule.modalities.audio.network import Features
from chainrule.nn import functional as F

GAME = Path("usr/share/games/fillets-ng")
SPOKEN = re.compile(r'dialogId\("([^"]+)".*?\)\s*dialogStr\("((?:[^"\\]|\\.)*)"\)', re.DOTALL)
RATE, BANDS, HOP = 16_000, 40, 10
#: seconds to which recordings are padded: one program for each
LENGTHS = (2, 3, 4, 6, 9)
BATCH, EPOCHS, RATE_OF_LEARNING = 16, 60, 2e-3
#: frames to a step of the network
STRIDE = 2


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


class Listener(nn.Module):
    """Log-probabilities [steps, batch, letters + 1] of clips int16 [batch, samples]."""

    def __init__(self, letters: int, hidden: int = 160, channels: int = 24) -> None:
        super().__init__()
        mel = nn.MelSpectrogram(RATE, 512, 400, RATE * HOP // 1000, 20.0, n_mels=BANDS)
        self.features, self.scale = Features(mel, 0), nn.BatchNorm1d(BANDS, affine=False)
        self.holes = nn.SpecAugment(2, 25, 2, 6)
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, channels, 5, 2, padding=2, bias=False),
            nn.BatchNorm2d(channels), nn.ReLU(),
            nn.Conv2d(channels, channels, 3, (2, 1), padding=1, bias=False),
            nn.BatchNorm2d(channels), nn.ReLU(),
        )  # fmt: skip
        width = channels * BANDS // 4
        self.gru = nn.GRU(width, hidden, 2, batch_first=True, dropout=0.2, bidirectional=True)
        self.dropout, self.letters = nn.Dropout(0.2), nn.Linear(2 * hidden, letters + 1)

    def forward(self, clips: cr.Tensor, steps: cr.Tensor) -> cr.Tensor:
        features = self.holes(self.scale(self.features(clips)))
        maps = self.convolutions(features.unsqueeze(1)).permute(0, 3, 1, 2).flatten(2)
        outputs, _ = self.gru(maps, lengths=steps)
        return F.log_softmax(self.letters(self.dropout(outputs)), -1).permute(1, 0, 2)


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
            steps = steps_of(samples[chosen])
            counts = np.array([len(codes[i]) for i in chosen], np.int32)
            made.append(Batch(clips, steps, letters, counts, chosen))
    for k in np.random.default_rng(seed).permutation(len(made)):
        yield made[k]


def steps_of(samples: NDArray[np.integer]) -> NDArray[np.int32]:
    """The steps of the network for so many samples."""
    frames = 1 + samples // (RATE * HOP // 1000)
    return ((frames + STRIDE - 1) // STRIDE).astype(np.int32)


def train(data: Transcribed, alphabet: Alphabet, epochs: int = EPOCHS) -> Listener:
    """The network after so many epochs, with one cycle of the learning rate."""
    codes = [alphabet.encode(text) for text in data.texts]
    steps = steps_of(data.recordings.lengths)
    sayable = [i for i, code in enumerate(codes) if steps_needed(code) <= steps[i]]
    data, codes = data.take(sayable), [codes[i] for i in sayable]
    cr.manual_seed(0)
    model = Listener(len(alphabet.letters))
    total = epochs * sum(1 for _ in batches(data, codes, 0))
    schedule = optim.schedule.OneCycle(RATE_OF_LEARNING, total)
    adam = optim.AdamW(model.parameters(), lr=schedule, weight_decay=0.01)

    @cr.compile
    def step(clips, steps, letters, counts):
        adam.zero_grad()
        loss = F.ctc_loss(model(clips, steps), letters, steps, counts, zero_infinity=True)
        loss.backward()
        norm = optim.clip.clip_grad_norm_(model.parameters(), 5.0)
        adam.step()
        return loss, norm

    for epoch in range(epochs):
        begun, losses = time.perf_counter(), []
        for batch in batches(data, codes, epoch):
            loss, _ = step(batch.clips, batch.steps, batch.codes, batch.letters)
            losses.append(loss.item())
        seconds = time.perf_counter() - begun
        print(
            f"epoch {epoch + 1}/{epochs}  loss {np.mean(losses):.3f}  {seconds:.0f} s", flush=True
        )
    return model


def transcribe(model: Listener, data: Transcribed, alphabet: Alphabet) -> list[str]:
    """What the network hears in each recording."""
    heard = [""] * len(data)
    model.eval()
    listen = cr.compile(lambda clips, steps: model(clips, steps))
    with cr.no_grad():
        for batch in batches(data, [[1]] * len(data), None):
            scores = listen(batch.clips, batch.steps)
            for i, found in zip(batch.rows, nn.ctc_greedy_decode(scores, batch.steps), strict=True):
                heard[i] = alphabet.decode(found.labels)
    return heard


def main(game: Path, folder: Path) -> None:
    """Trains, and says how many letters and words of the held-out levels are wrong."""
    if not (game / GAME / "sound").is_dir():
        sys.exit(f"there is no folder {game / GAME / 'sound'}; how to get it:\n\n{__doc__}")
    data = read_transcripts(write_table(game / GAME, folder), rate=RATE)
    for finding in data.findings:
        print(finding)
    known, held_out = divided(data)
    alphabet = Alphabet.of(known.texts)
    print(f"{len(known)} sentences to learn from, {len(held_out)} held out; {alphabet.letters!r}")
    heard = transcribe(train(known, alphabet), held_out, alphabet)
    for said, words in list(zip(held_out.texts, heard, strict=True))[:10]:
        print(f"  said   {said}\n  heard  {words}")
    truth = list(held_out.texts)
    print(f"CER {jiwer.cer(truth, heard):.1%}, WER {jiwer.wer(truth, heard):.1%}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
