"""Small pictures of three shapes, and a run that has learned them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from chainrule.modalities.images.fit import fit_images
from chainrule.modalities.images.predictor import ImagePredictor

SHAPES = ("cross", "disc", "square")
#: enough for a test to see that something is learned, and no more
FAST: tuple[str, ...] = ("model.widths=[8,16]", "train.batch_size=16", "train.lr=0.01")
#: for what is not about learning: less to compile
NARROW = ("model.widths=[4]",)


def draw(shape: str, rng: np.random.Generator) -> Image.Image:
    """A bright shape anywhere on a dark ground."""
    image = Image.new("RGB", (16, 16), tuple(rng.integers(0, 100, 3).tolist()))
    pen = ImageDraw.Draw(image)
    x, y, side = rng.integers(1, 6), rng.integers(1, 6), int(rng.integers(7, 10))
    colour = tuple(rng.integers(160, 256, 3).tolist())
    if shape == "cross":
        pen.line((x, y, x + side, y + side), fill=colour, width=2)
        pen.line((x, y + side, x + side, y), fill=colour, width=2)
    elif shape == "disc":
        pen.ellipse((x, y, x + side, y + side), fill=colour)
    else:
        pen.rectangle((x, y, x + side, y + side), fill=colour)
    return image


def paint_shapes(folder: Path, each: int, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    for shape in SHAPES:
        (folder / shape).mkdir(parents=True)
        for i in range(each):
            draw(shape, rng).save(folder / shape / f"{i}.png")
    return folder


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty pictures of each shape."""
    return paint_shapes(tmp_path_factory.mktemp("shapes") / "shapes", 60, 0)


@pytest.fixture(scope="session")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten more of each."""
    return paint_shapes(tmp_path_factory.mktemp("others") / "others", 10, 1)


def train(source: object, runs: Path | None, **settings: Any) -> ImagePredictor:
    words = [*FAST, *settings.pop("settings", ())]
    given = {"epochs": 12, "runs_dir": runs, "verbose": False, **settings}
    return fit_images(source, settings=words, **given)


@pytest.fixture(scope="session")
def learned(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> ImagePredictor:
    return train(shapes, tmp_path_factory.mktemp("runs"))
