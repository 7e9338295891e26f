"""The examples on images read what their packages hold."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[3] / "examples"
GROUPS = ("Food & Drink", "Flags", "Component", "Flags")


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def emoji() -> ModuleType:
    return example("emoji")


@pytest.mark.parametrize(("name", "line"), [("emoji", "npm pack"), ("fashion", "apt-get")])
def test_without_data_they_say_how_to_get_it(name: str, line: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        example(name).main(tmp_path)
    assert f"there is no folder {tmp_path}" in str(caught.value)
    assert line in str(caught.value)


def package(root: Path, vendor: str, level: int) -> None:
    """A sheet of two by two pictures, each of one colour, as the packages have them."""
    sheet = np.zeros((68, 68, 4), np.uint8)
    listed = []
    for i, group in enumerate(GROUPS):
        y, x = divmod(i, 2)
        sheet[y * 34 + 1 : y * 34 + 33, x * 34 + 1 : x * 34 + 33] = (level, 10 * i, 0, 255)
        has = {"has_img_google": True, "has_img_twitter": i != 3}
        listed.append({"unified": str(i), "category": group, "sheet_x": x, "sheet_y": y, **has})
    place = root / vendor / "package"
    (place / "img" / vendor / "sheets").mkdir(parents=True)
    Image.fromarray(sheet).save(place / "img" / vendor / "sheets" / "32.png")
    (place / "emoji.json").write_text(json.dumps(listed))


def test_emoji_come_in_one_order_from_all_vendors(emoji: ModuleType, tmp_path: Path) -> None:
    for vendor, level in (("google", 50), ("twitter", 200)):
        package(tmp_path, vendor, level)
    pixels, groups = emoji.pictures(tmp_path, "google")
    others, same = emoji.pictures(tmp_path, "twitter")
    assert groups == same
    assert sorted(groups) == ["Flags", "Food & Drink"]  # one has no group, one no second picture
    assert pixels.shape == (2, 32, 32, 3)
    for picture, other, group in zip(pixels, others, groups, strict=True):
        assert (picture == (50, 10 * GROUPS.index(group), 0)).all()
        assert (other == (200, 10 * GROUPS.index(group), 0)).all()
