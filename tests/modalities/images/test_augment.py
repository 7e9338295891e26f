"""Random changes of images: what each does, and that equal seeds give equal images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule.errors import ConfigError, DTypeError, ShapeError
from chainrule.modalities.images.augment import Augment

Bytes = npt.NDArray[np.uint8]

RNG = np.random.default_rng(0)
PHOTOS = RNG.integers(0, 256, (64, 6, 5, 3), dtype=np.uint8)
LABELS = (np.arange(64) % 4).astype(np.int32)


def changed(x: Bytes = PHOTOS, seed: int = 0, **settings: Any) -> tuple[Bytes, npt.NDArray[Any]]:
    """The batch as numbers, run operation by operation."""
    cr.manual_seed(seed)
    pixels, target = Augment(**settings)(cr.tensor(x), cr.tensor(LABELS[: len(x)]))
    assert pixels.numpy().dtype == np.uint8
    return pixels.numpy(), target.numpy()


def which(x: Bytes, options: list[Bytes]) -> int:
    """The place of the one option that an image is equal to."""
    found = [i for i, option in enumerate(options) if np.array_equal(x, option)]
    assert len(found) == 1
    return found[0]


def test_nothing_wanted_changes_nothing() -> None:
    pixels, target = changed()
    np.testing.assert_array_equal(pixels, PHOTOS)
    np.testing.assert_array_equal(target, LABELS)


@pytest.mark.parametrize(("name", "axis"), [("flip", 1), ("vertical_flip", 0)])
def test_half_of_the_images_are_flipped(name: str, axis: int) -> None:
    pixels, _ = changed(**{name: True})
    flipped = [which(y, [x, np.flip(x, axis)]) for x, y in zip(PHOTOS, pixels, strict=True)]
    assert 20 < sum(flipped) < 44


def test_shifts_are_crops_of_padded_images() -> None:
    pixels, _ = changed(shift=2)
    seen = set()
    for x, y in zip(PHOTOS, pixels, strict=True):
        wide = np.pad(x, ((2, 2), (2, 2), (0, 0)), mode="edge")
        options = [wide[i : i + 6, j : j + 5] for i in range(5) for j in range(5)]
        seen.add(which(y, options))
    assert len(seen) > 15  # of 25


def rotated(x: npt.NDArray[Any], angle: float) -> npt.NDArray[Any]:
    """Bilinear, in double precision, point by point."""
    height, width = x.shape[:2]
    result = np.empty(x.shape)
    for r in range(height):
        for c in range(width):
            v, u = r - (height - 1) / 2, c - (width - 1) / 2
            y = np.clip(np.cos(angle) * v - np.sin(angle) * u + (height - 1) / 2, 0, height - 1)
            z = np.clip(np.sin(angle) * v + np.cos(angle) * u + (width - 1) / 2, 0, width - 1)
            i, j = int(y), int(z)
            k, m = min(i + 1, height - 1), min(j + 1, width - 1)
            a, b = y - i, z - j
            result[r, c] = (1 - a) * ((1 - b) * x[i, j] + b * x[i, m])
            result[r, c] += a * ((1 - b) * x[k, j] + b * x[k, m])
    return result


def test_rotations_are_linear_between_four_pixels() -> None:
    few = PHOTOS[:8]
    pixels, _ = changed(few, rotate=45.0)
    cr.manual_seed(0)
    angles = np.radians((2 * cr.rand(8, 1, 1).numpy().ravel() - 1) * 45.0)
    assert np.ptp(angles) > 0.8
    for x, y, angle in zip(few, pixels, angles, strict=True):
        assert np.abs(y - rotated(x.astype(float), angle)).max() < 0.51


def test_brightness_contrast_and_saturation() -> None:
    x = np.clip(PHOTOS, 60, 190)
    bright, _ = changed(x, brightness=0.2)
    difference = (bright.astype(int) - x).reshape(64, -1)
    assert (np.ptp(difference, axis=1) == 0).all()  # the same for all pixels of an image
    assert difference.min() < -30
    assert difference.max() > 30
    assert np.abs(difference).max() <= 51
    strong, _ = changed(x, contrast=0.4)
    ratio = strong.std(axis=(1, 2, 3)) / x.std(axis=(1, 2, 3))
    assert 0.59 < ratio.min() < 0.75
    assert 1.25 < ratio.max() < 1.41
    assert np.abs(strong.mean(axis=(1, 2, 3)) - x.mean(axis=(1, 2, 3))).max() < 1.0
    colour, _ = changed(x, saturation=0.5)
    grey, before = (a @ np.array([0.299, 0.587, 0.114]) for a in (colour, x))
    assert np.abs(grey - before).max() < 1.0
    single, _ = changed(x[..., :1], saturation=0.5)
    np.testing.assert_array_equal(single, x[..., :1])


def test_bytes_stay_within_their_range() -> None:
    pixels, _ = changed(brightness=1.0, contrast=1.0)
    assert (pixels == 0).any()
    assert (pixels == 255).any()


def test_cutout_covers_a_square() -> None:
    x = np.maximum(PHOTOS, 8)
    pixels, _ = changed(x, cutout=3, fill=(1, 2, 3))
    for before, after in zip(x, pixels, strict=True):
        covered = (after == (1, 2, 3)).all(axis=2)
        rows, columns = np.flatnonzero(covered.any(1)), np.flatnonzero(covered.any(0))
        assert 2 <= len(rows) <= 3  # some lie outside
        assert 2 <= len(columns) <= 3
        assert covered.sum() == len(rows) * len(columns)
        np.testing.assert_array_equal(after[~covered], before[~covered])


def test_mixup_mixes_images_and_targets_alike() -> None:
    x = np.repeat(np.repeat(LABELS[:, None, None, None] * 80, 6, 1), 5, 2).astype(np.uint8)
    pixels, target = changed(x, mixup=1.0, classes=4)
    assert np.abs(target.sum(1) - 1).max() < 1e-6
    wanted = target @ (80.0 * np.arange(4))  # a flat image is 80 times its class
    assert np.abs(pixels[:, 0, 0, 0] - wanted).max() < 0.51
    assert (target.max(1) < 1).sum() > 0


def test_cutmix_pastes_one_rectangle_and_counts_its_area() -> None:
    x = np.repeat(np.repeat(LABELS[:, None, None, None], 6, 1), 5, 2).astype(np.uint8)
    for seed in range(5):
        pixels, target = changed(x, seed, cutmix=1.0, classes=4)
        shares = np.stack([(pixels == k).mean(axis=(1, 2, 3)) for k in range(4)], axis=1)
        np.testing.assert_allclose(target, shares, atol=1e-6)


def test_with_both_each_batch_has_one() -> None:
    x = np.repeat(np.repeat(LABELS[:, None, None, None] * 80, 6, 1), 5, 2).astype(np.uint8)
    blended = [
        bool(np.setdiff1d(changed(x, seed, mixup=1.0, cutmix=1.0, classes=4)[0], x).size)
        for seed in range(12)
    ]
    assert 2 < sum(blended) < 10


def test_label_smoothing() -> None:
    _, target = changed(label_smoothing=0.2, classes=4)
    np.testing.assert_allclose(np.sort(target, axis=1), [[0.05, 0.05, 0.05, 0.85]] * 64, rtol=1e-6)


def test_seeds_decide_and_compiling_changes_nothing() -> None:
    everything = Augment(
        flip=True, vertical_flip=True, shift=1, rotate=10.0, brightness=0.1, contrast=0.2,
        saturation=0.3, cutout=2, mixup=0.4, cutmix=1.0, label_smoothing=0.1, classes=4,
    )  # fmt: skip

    def batches(run: Callable[..., Any]) -> list[npt.NDArray[Any]]:
        cr.manual_seed(3)
        found = []
        for _ in range(3):
            found += [t.numpy() for t in run(cr.tensor(PHOTOS[:8]), cr.tensor(LABELS[:8]))]
        return found

    one, compiled = batches(everything), batches(cr.compile(everything))
    for a, b in zip(one, compiled, strict=True):
        assert np.abs(a.astype(float) - b).max() <= (1 if a.dtype == np.uint8 else 1e-6)
    assert not np.array_equal(one[0], one[2])
    for a, b in zip(compiled, batches(cr.compile(everything)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_mistakes() -> None:
    with pytest.raises(ConfigError, match="rotate is 90"):
        Augment(rotate=90)
    with pytest.raises(ConfigError, match="mixup mixes targets"):
        Augment(mixup=0.2)
    with pytest.raises(ShapeError, match="images have shape"):
        Augment()(cr.tensor(PHOTOS[0]), cr.tensor(LABELS))
    with pytest.raises(DTypeError, match="give bytes"):
        Augment()(cr.tensor(PHOTOS).float(), cr.tensor(LABELS))
    wrong: dict[str, Any]
    for wrong in ({"rotate": "x"}, {"shift": 1.5}, {"flip": "yes"}, {"fill": 300}):
        with pytest.raises(ConfigError, match=f"{next(iter(wrong))} is"):
            Augment(**wrong)
    with pytest.raises(ShapeError, match="fill has 2 levels, but the images have 3 channels"):
        Augment(cutout=2, fill=(1, 2))(cr.tensor(PHOTOS), cr.tensor(LABELS))
    for name in ("shift", "cutout"):
        side = min(PHOTOS.shape[1:3])
        with pytest.raises(ConfigError, match=f"{name} is {side}, but the images have"):
            Augment(**{name: side})(cr.tensor(PHOTOS), cr.tensor(LABELS))
    assert repr(Augment(flip=True, shift=2)) == "Augment(flip=True, shift=2)"
