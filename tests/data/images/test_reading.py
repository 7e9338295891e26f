"""Folders of images, good and bad files, made here with Pillow."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from chainrule.data.images import Images, Room, is_image_source, read_images
from chainrule.data.images.memory import in_file
from chainrule.errors import ConfigError, DataError

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def paint(path: Path, colour: object, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Ten red and ten green squares."""
    for i in range(10):
        paint(tmp_path / "photos" / "red" / f"{i}.png", RED)
        paint(tmp_path / "photos" / "green" / f"{i}.png", GREEN)
    return tmp_path / "photos"


def codes(images: Images) -> dict[str, str]:
    return {finding.code: finding.evidence for finding in images.findings}


def test_classes_are_the_names_of_folders(photos: Path) -> None:
    found = read_images(photos)
    assert found.classes == ("green", "red")
    assert found.labels.tolist() == [0] * 10 + [1] * 10
    assert found.pixels.dtype == np.uint8
    assert found.pixels.shape == (20, 8, 8, 3)
    assert (found.pixels[0] == GREEN).all()
    assert (found.pixels[-1] == RED).all()
    assert found.paths[0] == "green/0.png"
    assert found.findings == ()


@pytest.mark.parametrize("ending", ["png", "jpg", "webp"])
def test_formats(photos: Path, ending: str) -> None:
    paint(photos / "blue" / f"one.{ending}", BLUE)
    found = read_images(photos)
    assert found.classes == ("blue", "green", "red")
    assert np.abs(found.pixels[0].astype(int) - BLUE).max() <= 3


def test_folders_without_classes_and_single_files(photos: Path) -> None:
    flat = read_images(photos / "red")
    assert (flat.classes, len(flat), set(flat.labels.tolist())) == ((), 10, {-1})
    one = read_images(photos / "red" / "3.png")
    assert (one.paths, len(one)) == (("3.png",), 1)
    assert (one.pixels == RED).all()


def test_deeper_folders_belong_to_their_class(photos: Path) -> None:
    paint(photos / "red" / "more" / "deep.png", RED)
    assert read_images(photos).labels.tolist().count(1) == 11


def test_exif_turns_the_image(photos: Path) -> None:
    image = Image.new("RGB", (8, 4), RED)
    image.paste(BLUE, (0, 0, 4, 4))  # the left half
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right: what was left is up
    (photos / "turned").mkdir()
    for name in ("a.png", "b.jpg"):
        large = image.resize((64, 32), Image.Resampling.NEAREST)
        large.save(photos / "turned" / name, exif=exif, quality=95, subsampling=0)
        upright = read_images(photos / "turned" / name)
        assert upright.size == (64, 32)
        assert np.abs(upright.pixels[0, :30].astype(int) - BLUE).max() <= 3
        assert np.abs(upright.pixels[0, 34:].astype(int) - RED).max() <= 3


def test_palette_cmyk_and_transparent_pixels(photos: Path) -> None:
    Image.new("RGB", (8, 8), BLUE).convert("P").save(photos / "red" / "palette.png")
    paint(photos / "red" / "print.jpg", (0, 255, 255, 0), mode="CMYK")
    paint(photos / "red" / "ghost.png", (255, 0, 0, 0), mode="RGBA")
    found = read_images(photos)
    at = {Path(p).name: found.pixels[i] for i, p in enumerate(found.paths)}
    assert (at["palette.png"] == BLUE).all()
    assert np.abs(at["print.jpg"].astype(int) - RED).max() <= 3
    assert (at["ghost.png"] == 255).all()
    assert "ghost.png" in codes(found)["D311"]


def test_sixteen_bits_keep_their_upper_eight(tmp_path: Path) -> None:
    deep = np.full((8, 8), 0xABCD, np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    found = read_images(tmp_path / "deep.png")
    assert found.channels == 1
    assert (found.pixels == round(0xABCD / 257)).all()
    assert "D309" in codes(found)


def test_grey_images_alone_and_among_coloured_ones(photos: Path) -> None:
    paint(photos / "red" / "grey.png", 77, mode="L")
    mixed = read_images(photos)
    assert mixed.channels == 3
    assert "grey.png" in codes(mixed)["D305"]
    assert (mixed.pixels[mixed.paths.index("red/grey.png")] == 77).all()
    assert read_images(photos / "red" / "grey.png").channels == 1
    assert (read_images(photos / "red" / "0.png", channels=1).pixels == 76).all()  # 0.299 * 255


@pytest.mark.parametrize("ending", ["png", "webp"])
def test_of_animations_the_first_frame(photos: Path, ending: str) -> None:
    frames = [Image.new("RGB", (8, 8), c) for c in (BLUE, RED)]
    path = photos / "red" / f"moving.{ending}"
    frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
    found = read_images(photos)
    at = found.paths.index(f"red/moving.{ending}")
    assert np.abs(found.pixels[at].astype(int) - BLUE).max() <= 3
    assert "moving" in codes(found)["D303"]


def test_mixed_sizes_are_cropped_to_the_median_square(photos: Path) -> None:
    wide = Image.new("RGB", (24, 8), BLUE)
    wide.paste(RED, (8, 0, 16, 8))  # the middle
    wide.save(photos / "red" / "wide.png")
    found = read_images(photos)
    assert found.size == (8, 8)
    assert (found.pixels[found.paths.index("red/wide.png")] == RED).all()
    assert codes(found)["D304"] == "20 of 8 x 8, 1 of 24 x 8"
    stretched = read_images(photos, fit="stretch")
    assert (stretched.pixels[found.paths.index("red/wide.png")][:, 0] == BLUE).all()
    assert read_images(photos, size=(4, 6)).size == (4, 6)


def test_large_images_become_squares_of_96(tmp_path: Path) -> None:
    paint(tmp_path / "large.png", RED, (300, 200))
    assert read_images(tmp_path / "large.png").size == (96, 96)


def cut(path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:-60])


def cut_photo(path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, "JPEG")
    path.write_bytes(path.read_bytes()[:1500])


BAD: dict[str, Callable[[Path], object]] = {
    "is empty": lambda p: p.write_bytes(b""),
    "is not one of PNG": lambda p: p.write_text("no image at all"),
    "truncated": cut,
    "truncated or damaged": cut_photo,
    "is not one of": lambda p: Image.new("RGB", (8, 8)).save(p, "GIF"),
}


@pytest.mark.parametrize("why", BAD)
def test_bad_files_are_left_out_and_named(photos: Path, why: str) -> None:
    BAD[why](photos / "red" / "bad.png")
    found = read_images(photos)
    assert len(found) == 20
    assert "red/bad.png" not in found.paths
    assert "red/bad.png: it" in codes(found)["D302"]
    assert why in codes(found)["D302"]


def test_many_bad_files_are_an_error(photos: Path) -> None:
    for i in range(3):
        (photos / "red" / f"{i}.png").write_bytes(b"")
    with pytest.raises(DataError, match="3 of 20 images are unreadable") as caught:
        read_images(photos)
    assert "red/0.png: it is empty" in caught.value.where
    assert len(read_images(photos, most_bad=0.2)) == 17


def test_a_bomb_is_refused(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paint(photos / "red" / "bomb.png", RED, (40, 40))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # 1600 is between a warning and an error
    assert "more pixels than is safe" in codes(read_images(photos))["D302"]
    paint(photos / "red" / "bomb.png", RED, (80, 80))
    assert "more pixels than is safe" in codes(read_images(photos))["D302"]


def test_a_bomb_of_text_is_refused(photos: Path) -> None:
    info = PngInfo()
    info.add_text("a", "x" * (70 << 20), zip=True)
    Image.new("RGB", (8, 8)).save(photos / "red" / "text.png", pnginfo=info)
    assert "red/text.png" in codes(read_images(photos))["D302"]


def test_what_is_no_image_is_told(photos: Path) -> None:
    (photos / "red" / "notes.txt").write_text("words")
    (photos / "red" / ".hidden").write_text("")
    (photos / "empty").mkdir()
    paint(photos / "loose.png", RED)
    found = codes(read_images(photos))
    assert found["D301"] == "1 files: notes.txt"
    assert found["D306"] == "empty"
    assert found["D308"] == "1 files: loose.png"


def test_without_labels_all_folders_are_read(photos: Path) -> None:
    paint(photos / "loose.png", BLUE)
    paint(photos / "red" / "more" / "deep.png", BLUE)
    found = read_images(photos, labelled=False)
    assert (found.classes, set(found.labels.tolist())) == ((), {-1})
    assert len(found) == 22
    assert {"loose.png", "red/more/deep.png", "green/0.png"} <= set(found.paths)
    assert found.findings == ()


def test_links_do_not_leave_the_folder(photos: Path, tmp_path: Path) -> None:
    paint(tmp_path / "secret" / "s.png", BLUE)
    (photos / "red" / "out.png").symlink_to(tmp_path / "secret" / "s.png")
    (photos / "red" / "up").symlink_to(tmp_path / "secret")
    (photos / "away").symlink_to(tmp_path / "secret")
    (photos / "red" / "in.png").symlink_to(photos / "green" / "0.png")
    (photos / "red" / "broken.png").symlink_to(photos / "nothing.png")
    (photos / "red" / "round.png").symlink_to("again.png")
    (photos / "red" / "again.png").symlink_to("round.png")
    (photos / "red" / "self").symlink_to("self")
    found = read_images(photos)
    assert found.classes == ("green", "red")
    assert len(found) == 21
    assert not (found.pixels == BLUE).all(axis=(1, 2, 3)).any()
    assert codes(found)["D307"] == "away, out.png, up"


def test_pipes_are_not_opened(photos: Path) -> None:
    os.mkfifo(photos / "red" / "pipe.png")
    assert codes(read_images(photos))["D301"] == "1 files: pipe.png"


def test_what_means_images(photos: Path) -> None:
    for source in (photos, photos / "red" / "0.png", "fashion"):
        assert is_image_source(source)
    (photos / "table.csv").write_text("a,b\n1,2\n")
    for other in ("", "heart", photos / "table.csv", photos / "none.csv", 3, None):
        assert not is_image_source(other)


def test_errors_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        read_images(tmp_path / "nothing")
    with pytest.raises(DataError, match="is a folder without images") as caught:
        read_images(tmp_path)
    assert "for each class" in caught.value.help
    with pytest.raises(DataError, match="is a folder without images") as caught:
        read_images(tmp_path, labelled=False)
    assert "pass an image, or a folder of them" in caught.value.help
    for name in ("images-idx3-ubyte", "labels-idx1-ubyte"):
        (tmp_path / name).write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 1, 7]))
    with pytest.raises(DataError, match="is a folder without images") as caught:
        read_images(tmp_path)
    assert caught.value.help.endswith(f"the images itself: {tmp_path / 'images-idx3-ubyte'}")
    (tmp_path / "notes.txt").write_text("hello", encoding="utf-8")
    with pytest.raises(DataError, match=r"notes.txt is neither an image nor an IDX file"):
        read_images(tmp_path / "notes.txt")
    paint(tmp_path / "a.png", RED)
    with pytest.raises(ConfigError, match="the size is 0"):
        read_images(tmp_path, size=0)
    with pytest.raises(ConfigError, match="fit is 'squash'"):
        read_images(tmp_path, fit="squash")
    with pytest.raises(ConfigError, match="channels is 4"):
        read_images(tmp_path, channels=4)


def test_without_pillow_the_error_names_it(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "PIL.Image", None)
    with pytest.raises(ConfigError, match="need the Pillow package") as caught:
        read_images(photos)
    assert caught.value.help == 'pip install "chainrule[image]"'


def test_many_pixels_lie_in_a_file(photos: Path) -> None:
    whole = read_images(photos)
    room = Room(photos.parent / "scratch", 100)
    mapped = read_images(photos, room=room)
    assert in_file(mapped.pixels)
    assert not in_file(whole.pixels)
    assert room.folder is not None
    assert list(room.folder.iterdir()) == []  # it has no name
    np.testing.assert_array_equal(mapped.pixels, whole.pixels)
    taken = mapped.take(np.array([3, 15]), Room(room.folder))
    assert in_file(taken.pixels)  # so is every part of it
    np.testing.assert_array_equal(taken.pixels, whole.pixels[[3, 15]])
    assert mapped.fingerprint() == whole.fingerprint()
    assert mapped.moments() == whole.moments()
    assert mapped.copies() == whole.copies() == 18
    small = mapped.shaped((4, 4), 1, room=room)
    np.testing.assert_array_equal(small.pixels, whole.shaped((4, 4), 1).pixels)
