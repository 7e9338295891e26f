"""Spoken digits: synthetic voices to learn from, other voices and recorded people to test on.

    apt-get install espeak-ng
    apt-get download asterisk-core-sounds-en-wav && dpkg -x asterisk-core-sounds-en-wav_*.deb people
    pip install "chainrule[audio]"
    python examples/spoken_digits.py digits people

The speech synthesiser espeak-ng (GPL-3; what it says is not covered by it) speaks the words "zero"
to "nine" in 91 voices and seven kinds of English. Held out are every fifth voice, by its name, and
two kinds of English; each is tested apart. The recorded digits are those of the telephone system
Asterisk (Allison Smith; CC BY-SA 3.0): ten recordings, one woman, 8,000 samples a second.
`docs/speech.md` says what to expect.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from chainrule.modalities.audio.fit import fit_audio
from chainrule.modalities.audio.predictor import AudioPredictor

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
LANGUAGES = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-us-nyc")
HELD_OUT_LANGUAGES = ("en-029", "en-gb-x-gbcwmd")
VOICES = (
    "adam", "Alex", "Alicia", "Andrea", "Andy", "Annie", "antonio", "aunty", "belinda", "benjamin",
    "boris", "caleb", "david", "Denis", "Diogo", "ed", "edward", "edward2", "Gene", "Gene2",
    "gustave", "announcer", "Henrique", "Hugo", "iven", "iven2", "iven3", "iven4", "Jacky", "john",
    "kaukovalta", "Lee", "linda", "marcelo", "Marco", "Mario", "max", "Michael", "michel", "miguel",
    "Mike", "Mr", "Nguyen", "pablo", "paul", "pedro", "quincy", "RicishayMax", "rob", "robert",
    "robosoft", "robosoft3", "robosoft5", "robosoft7", "steph", "steph2", "steph3", "Storm",
    "Tweaky", "UniRobot", "zac", "anika", "AnxiousAndy", "f1", "f2", "f3", "f4", "f5", "grandma",
    "grandpa", "klatt", "klatt2", "klatt3", "klatt4", "klatt5", "klatt6", "m1", "m2", "m3", "m4",
    "m5", "m6", "m7", "m8", "norbert", "sandro", "shelby", "travis", "victor", "croak", "whisper",
)  # fmt: skip
HELD_OUT_VOICES = VOICES[2::5]
PEOPLE = Path("usr/share/asterisk/sounds/en_US_f_Allison/digits")


def speak(folder: Path, language: str, voice: str, word: str, take: int = 0) -> None:
    """One recording, ``folder/word/voice-language-take.wav``; pace and pitch depend on its name."""
    file = folder / word / f"{voice}-{language}-{take}.wav"
    if file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    chance = random.Random(file.stem)  # of the voice, not of the word: a person keeps a pace
    pace, pitch = chance.randint(110, 190), chance.randint(25, 75)
    voice = f"{language}+{voice}"
    line = ["espeak-ng", "-v", voice, "-s", f"{pace}", "-p", f"{pitch}", "-w", str(file), word]
    subprocess.run(line, check=True)


def parts(folder: Path) -> Iterator[tuple[Path, Sequence[str], Sequence[str], int]]:
    """Each set of recordings: where, in which kinds of English, by whom, and how often."""
    known = [voice for voice in VOICES if voice not in HELD_OUT_VOICES]
    yield folder / "train", LANGUAGES, known, 2
    yield folder / "new-voices", LANGUAGES, HELD_OUT_VOICES, 1
    yield folder / "new-english", HELD_OUT_LANGUAGES, known, 1


def make(folder: Path) -> None:
    """Has all of it spoken: about 10,000 words, in two minutes."""
    with ThreadPoolExecutor() as pool:
        for place, languages, voices, takes in parts(folder):
            jobs = [
                (place, language, voice, word, take)
                for language in languages for voice in voices
                for word in WORDS for take in range(takes)
            ]  # fmt: skip
            list(pool.map(lambda job: speak(*job), jobs))


def copy_people(source: Path, folder: Path) -> None:
    """The recorded digits as a folder for each word."""
    for number, word in enumerate(WORDS):
        (folder / word).mkdir(parents=True, exist_ok=True)
        shutil.copy(source / f"{number}.wav", folder / word)


def trained(folder: Path, epochs: int = 10, verbose: bool = True) -> AudioPredictor:
    """The network; a tenth of the voices picks the epoch."""
    return fit_audio(
        folder / "train",
        test=folder / "new-voices",
        speaker=r"([^/]+?)-",
        length=1.0,
        split=(0.85, 0.1, 0.05),
        epochs=epochs,
        runs_dir=None,
        verbose=verbose,
    )


def main(folder: Path, people: Path) -> None:
    """Trains, and says how good the network is on each of the sets that it has not heard."""
    if shutil.which("espeak-ng") is None or not (people / PEOPLE).is_dir():
        sys.exit(f"espeak-ng or {people / PEOPLE} is missing; how to get them:\n\n{__doc__}")
    make(folder)
    copy_people(people / PEOPLE, folder / "people")
    begun = time.perf_counter()
    model = trained(folder)
    print(f"trained in {time.perf_counter() - begun:.0f} s")
    for name in ("new-voices", "new-english", "people"):
        print(f"{name}: accuracy {model.evaluate(folder / name)['accuracy']:.2%}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
