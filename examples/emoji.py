"""Emoji in nine groups: learned from one vendor's drawings, judged on another's.

    npm pack emoji-datasource-google@16.0.0 && npm pack emoji-datasource-twitter@16.0.0
    mkdir -p emoji/google emoji/twitter
    for v in google twitter; do tar xzf emoji-datasource-$v-16.0.0.tgz -C emoji/$v; done
    python examples/emoji.py emoji

Each package (74 and 62 MB) has one sheet of 32 x 32 pictures (Google's: Apache-2.0, Twitter's:
CC BY 4.0) and a list that gives each emoji its group: animals, flags, food, ... They are drawings,
not photographs. Variants of the colour of skin are nearly copies of one another, so only one of
each emoji is taken. A fifth of the emoji is kept apart, too: what the network tells of those, it
cannot know by heart. `docs/images.md` says what to expect. Needs Pillow: ``chainrule[image]``.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from chainrule.modalities.images.fit import fit_images
from chainrule.modalities.images.predictor import ImagePredictor

VENDORS = ("google", "twitter")
SIDE = 32
#: pictures lie in the sheet with a free pixel on each side
STEP = SIDE + 2
#: each emoji whose number this divides is kept apart
APART = 5
#: a group of five emoji
LEFT_OUT = "Component"

Pixels = npt.NDArray[np.uint8]


def pictures(root: Path, vendor: str) -> tuple[Pixels, list[str]]:
    """A vendor's picture of each emoji that all vendors have, on white, and its group; the emoji
    in an order that is the same for all vendors, and random."""
    package = root / vendor / "package"
    sheet = Image.open(package / "img" / vendor / "sheets" / f"{SIDE}.png").convert("RGBA")
    white = Image.new("RGBA", sheet.size, "white")
    pixels = np.asarray(Image.alpha_composite(white, sheet).convert("RGB"))
    listed = json.loads((package / "emoji.json").read_text(encoding="utf-8"))
    emoji = [
        e
        for e in sorted(listed, key=lambda e: str(e["unified"]))
        if e["category"] != LEFT_OUT and all(e[f"has_img_{v}"] for v in VENDORS)
    ]
    order = np.random.default_rng(0).permutation(len(emoji))
    corners = [(emoji[i]["sheet_y"] * STEP + 1, emoji[i]["sheet_x"] * STEP + 1) for i in order]
    found = np.stack([pixels[y : y + SIDE, x : x + SIDE] for y, x in corners])
    return found, [emoji[i]["category"] for i in order]


def trained(pixels: Pixels, groups: list[str], epochs: int, verbose: bool) -> ImagePredictor:
    """A network on four fifths of the emoji of one vendor."""
    kept = [i for i in range(len(groups)) if i % APART]
    return fit_images(
        pixels[kept],
        [groups[i] for i in kept],
        split=(0.8, 0.1, 0.1),
        epochs=epochs,
        settings=[
            "augment.shift=3", "augment.rotate=10", "augment.brightness=0.1",
            "augment.contrast=0.3", "augment.saturation=0.3", "augment.cutout=8",
            "train.average=ema", "model.dropout=0.3", "train.early_stopping.patience=1000",
        ],
        runs_dir=None,
        verbose=verbose,
    )  # fmt: skip


def main(root: Path, epochs: int = 40, verbose: bool = True) -> dict[tuple[str, str], float]:
    """Trains on Google's drawings; the share of right answers by vendor and kind of emoji."""
    for vendor in VENDORS:
        if not (root / vendor / "package").is_dir():
            sys.exit(f"there is no folder {root / vendor / 'package'}; how to get it:\n\n{__doc__}")
    sets = {vendor: pictures(root, vendor) for vendor in VENDORS}
    model = trained(*sets["google"], epochs, verbose)
    groups = sets["google"][1]
    most = Counter(groups).most_common(1)[0][1] / len(groups)
    print(f"{len(groups)} emoji; the largest group has {most:.1%} of them")
    found = {}
    for vendor, (pixels, names) in sets.items():
        right = model.predict(pixels) == np.array(names, object)
        apart = np.arange(len(names)) % APART == 0
        for kind, chosen in (("learned", ~apart), ("new", apart)):
            found[vendor, kind] = float(right[chosen].mean())
            print(f"{vendor:<8} {kind:<8} {found[vendor, kind]:.1%} of {chosen.sum()}")
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "emoji"))
