"""Fashion-MNIST: 60,000 pictures of clothes, ten classes, a small convolutional network.

    apt-get download dataset-fashion-mnist && dpkg -x dataset-fashion-mnist_*.deb fashion-mnist
    python examples/fashion.py fashion-mnist

The data (Xiao, Rasul and Vollgraf, 2017; MIT licence) comes as a package of Debian, which
``apt-get install dataset-fashion-mnist`` puts into /usr/share/datasets: then no folder is needed.
`docs/images.md` says what to expect.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from chainrule.data.images import BUNDLED_IMAGES
from chainrule.modalities.images.fit import fit_images
from chainrule.modalities.images.predictor import ImagePredictor

PLACE = Path("usr/share/datasets/fashion-mnist")


def trained(place: Path, epochs: int = 12, verbose: bool = True) -> ImagePredictor:
    """The network, trained on nine tenths of the training images; the rest picks the epoch."""
    return fit_images(
        place / "train-images-idx3-ubyte.gz",
        test=place / "t10k-images-idx3-ubyte.gz",
        classes=BUNDLED_IMAGES["fashion"],
        split=(0.9, 0.05, 0.05),
        epochs=epochs,
        settings=["augment.shift=1", "train.average=ema"],
        runs_dir=None,
        verbose=verbose,
    )


def main(root: Path) -> None:
    """Trains, and says how good the network is on the 10,000 test images."""
    if not (root / PLACE).is_dir():
        sys.exit(f"there is no folder {root / PLACE}; how to get it:\n\n{__doc__}")
    begun = time.perf_counter()
    model = trained(root / PLACE)
    print(f"test accuracy {model.metrics['accuracy']:.2%} in {time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "/"))
