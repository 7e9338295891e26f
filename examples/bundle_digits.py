"""How the bundled recordings ``digits-spoken`` were made: a file of all, and where each lies.

    apt-get install espeak-ng
    python examples/bundle_digits.py digits src/chainrule/data/bundled

Forty-eight voices of espeak-ng 1.51 say "zero" to "nine", each in one of seven kinds of English,
8,000 samples a second; the silence before and after is cut off.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import soundfile
from spoken_digits import HELD_OUT_LANGUAGES, LANGUAGES, VOICES, WORDS, speak

from chainrule.data.audio import read_audio

RATE, SPEAKERS = 8000, 48
#: what is quieter than this, of full scale, before and after a word is cut off, but for a margin
QUIET, MARGIN = 0.004, RATE // 50


def trimmed(samples: np.ndarray) -> np.ndarray:
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > QUIET * 32768)
    return samples[max(0, loud[0] - MARGIN) : loud[-1] + MARGIN]


def main(scratch: Path, place: Path) -> None:
    languages = (*LANGUAGES, *HELD_OUT_LANGUAGES)
    clips, rows, end = [], [], 0
    speakers = [voice for i, voice in enumerate(VOICES) if i % 9 < 5][:SPEAKERS]
    for number, voice in enumerate(speakers):
        language = languages[number % len(languages)]
        for word in WORDS:
            speak(scratch, language, voice, word)
            file = scratch / word / f"{voice}-{language}-0.wav"
            clips.append(trimmed(read_audio(file, rate=RATE)[0]))
            end += len(clips[-1])
            rows.append((f"{voice}-{language}", word, end))
    name = place / "digits-spoken"
    soundfile.write(f"{name}.flac", np.concatenate(clips), RATE, "PCM_16", compression_level=1.0)
    with Path(f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([("speaker", "word", "end"), *rows])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
