"""Tones of Mandarin: which of them a syllable has, on a random split and across two speakers.

    apt-get download gcin-voice && dpkg -x gcin-voice_*.deb voices
    pip install "chainrule[audio]"
    python examples/mandarin_tones.py voices tones

The input method gcin comes with 2,358 recorded syllables of two speakers (Edward Liu, GPL-3 or
LGPL-3; ChionMeilin and Chu Lo, CC BY 3.0). A syllable is a folder such as ㄇㄚ3, named after its
sound and tone; the few with a neutral tone are left out. `docs/speech.md` says what to expect.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from chainrule.modalities.audio.fit import fit_audio
from chainrule.modalities.audio.predictor import AudioPredictor

PLACE = Path("usr/share/gcin-voice/ogg")
SPEAKERS = ("3", "5")
NEUTRAL = "1"
#: the pitch of a voice is what tones are: narrow bands, and none above 2,000 Hz. Clips are as long
#: as the longest syllable, whoever is learned from: one of the two is slower
PITCH = ("features.window=64", "features.bands=80", "features.lowest=60", "features.highest=2000",
         "augment.band_masks=0", "data.length=0.64")  # fmt: skip


def sort(source: Path, folder: Path) -> None:
    """``folder/speaker/tone/syllable.ogg``. No digit at the end is the first tone."""
    for syllable in sorted(source.iterdir()):
        last = syllable.name[-1]
        if last == NEUTRAL:
            continue
        tone = f"tone {last if last in '234' else 1}"
        for speaker in SPEAKERS:
            if (syllable / f"{speaker}.ogg").exists():
                place = folder / speaker / tone
                place.mkdir(parents=True, exist_ok=True)
                shutil.copy(syllable / f"{speaker}.ogg", place / f"{syllable.name}.ogg")


def both(folder: Path) -> Path:
    """The recordings of both speakers in one folder for each tone."""
    for speaker in SPEAKERS:
        for file in sorted((folder / speaker).rglob("*.ogg")):
            place = folder / "both" / file.parent.name
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, place / f"{speaker}-{file.name}")
    return folder / "both"


def trained(source: Path, epochs: int = 10, **more: object) -> AudioPredictor:
    """The network, with features that show the pitch."""
    return fit_audio(source, epochs=epochs, runs_dir=None, settings=PITCH, **more)


def main(source: Path, folder: Path) -> None:
    """Trains on a random split, then on each of the speakers, and tests on the other."""
    if not (source / PLACE).is_dir():
        sys.exit(f"there is no folder {source / PLACE}; how to get it:\n\n{__doc__}")
    sort(source / PLACE, folder)
    print(f"random split: accuracy {trained(both(folder)).metrics['accuracy']:.1%}")
    for one, other in (SPEAKERS, SPEAKERS[::-1]):
        model = trained(folder / one, test=folder / other)
        print(f"speaker {one}, tested on {other}: accuracy {model.metrics['accuracy']:.1%}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
