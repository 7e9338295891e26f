"""Arrays of bytes as images."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.data.images import Images, read_images
from chainrule.errors import ConfigError, DataError

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (6, 5, 4), dtype=np.uint8)
RGB = RNG.integers(0, 256, (6, 5, 4, 3), dtype=np.uint8)


def test_layouts() -> None:
    assert read_images(GREY).pixels.shape == (6, 5, 4, 1)
    assert read_images(RGB).pixels is not None
    first = np.moveaxis(RGB, 3, 1)
    np.testing.assert_array_equal(read_images(first).pixels, RGB)
    both = np.zeros((2, 3, 5, 3), np.uint8)
    assert read_images(both).size == (3, 5)
    assert read_images(both, layout="NCHW").size == (5, 3)
    assert np.shares_memory(read_images(RGB).pixels, RGB)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (GREY.astype(np.float32), "float32, not uint8"),
        (GREY[0], r"shape \(5, 4\)"),
        (np.zeros((2, 5, 4, 7), np.uint8), r"shape \(2, 5, 4, 7\)"),
        (RGB[0], r"shape \(5, 4, 3\): one image, or 5 grey ones"),
        ([GREY[0], GREY[0, :3]], "arrays of different shapes"),
        (GREY[:0], r"shape \(0, 5, 4\)"),
    ],
)
def test_arrays_that_are_no_images(array: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_images(array)


def test_labels() -> None:
    found = read_images(GREY, ["b", "a", "b", "c", "a", "a"])
    assert found.classes == ("a", "b", "c")
    assert found.labels.tolist() == [1, 0, 1, 2, 0, 0]
    ordered = read_images(GREY, ["b", "a", "b", "c", "a", "a"], classes=["c", "b", "a"])
    assert ordered.classes == ("c", "b", "a")
    assert ordered.labels.tolist() == [1, 2, 1, 0, 2, 2]
    with pytest.raises(DataError, match="unknown labels: "):
        read_images(GREY, ["b", "a", "b", "c", "a", "a"], classes=["c", "b"])
    with pytest.raises(DataError, match="got 6 images, but labels of shape"):
        read_images(GREY, [1, 2])
    with pytest.raises(DataError, match="do not index the 2 classes"):
        read_images(GREY, [0, 1, 2, 0, 1, 2], classes=["x", "y"])
    with pytest.raises(ConfigError, match="duplicate names among the classes x, x"):
        read_images(GREY, [0, 1, 1, 0, 1, 0], classes=["x", "x"])
    with pytest.raises(ConfigError, match="images of fashion have labels"):
        read_images("fashion", [0] * 3000)
    with pytest.raises(ConfigError, match="most_bad is 5"):
        read_images(GREY, most_bad=5)
    with pytest.raises(ConfigError, match="the size is True"):
        read_images(GREY, size=True)
    with pytest.raises(ConfigError, match="layout"):
        read_images(GREY, layout="CHW")


def test_moments_are_those_of_the_pixels() -> None:
    mean, std = read_images(RGB).moments()
    flat = RGB.reshape(-1, 3).astype(float)
    np.testing.assert_allclose(mean, flat.mean(0), rtol=1e-12)
    np.testing.assert_allclose(std, flat.std(0), rtol=1e-12)
    assert read_images(np.full((2, 3, 3, 1), 9, np.uint8)).moments() == ((9.0,), (1.0,))


def test_channels_and_sizes() -> None:
    images = read_images(GREY)
    wide = images.shaped((5, 4), 3)
    assert (wide.pixels == GREY[..., None]).all()
    np.testing.assert_array_equal(wide.shaped((5, 4), 1).pixels[..., 0], GREY)
    grey = read_images(RGB).shaped((5, 4), 1).pixels[..., 0]
    weights = np.array([0.299, 0.587, 0.114])
    assert np.abs(grey - RGB @ weights).max() < 0.51
    assert images.shaped((10, 8), 1).pixels.shape == (6, 10, 8, 1)


def test_classes_of_another_source() -> None:
    mine = read_images(GREY[:2], ["dog", "cat"])
    assert mine.labelled_as(["ant", "cat", "dog"]).labels.tolist() == [2, 1]
    with pytest.raises(DataError, match="unknown classes in images: dog"):
        mine.labelled_as(["cat", "ant"])
    with pytest.raises(DataError, match="have no classes"):
        read_images(GREY).labelled_as(["cat"])


def test_copies_and_fingerprint() -> None:
    twice = Images.of_array(np.concatenate([GREY, GREY[:2]]), [0] * 8)
    assert twice.copies() == 2
    assert twice.fingerprint() != Images.of_array(GREY, [0] * 6).fingerprint()
    assert twice.fingerprint() == read_images(twice.pixels, [0] * 8).fingerprint()
