"""Handwritten digits of 8 x 8 pixels, of scikit-learn: a small network learns to read them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.datasets import load_digits

from chainrule.modalities.images.fit import fit_images

#: of 270 test images: at most ten are read wrongly
LEAST = 0.96


@pytest.fixture(scope="module")
def digits() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """1,797 images of 17 levels of grey (Alpaydin and Kaynak, 1998), stretched to bytes."""
    found = load_digits()
    return np.round(found.images * (255 / 16)).astype(np.uint8), found.target


@pytest.mark.parametrize("seed", [0, 1])
def test_digits_are_read(
    digits: tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]], seed: int
) -> None:
    model = fit_images(
        *digits,
        seed=seed,
        epochs=15,
        settings=["model.widths=[16,32]", "augment.flip=false"],
        runs_dir=None,
        verbose=False,
    )
    assert model.classes == tuple("0123456789")
    assert model.baseline["accuracy"] < 0.12
    assert model.metrics["accuracy"] >= LEAST
    # Validation images were not trained on either, and the metrics are not of them.
    assert max(model.history["val_accuracy"]) > LEAST
