"""From a folder of images to a run, and back from the run to predictions."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import signal
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import chainrule as cr
from chainrule.data.images import read_images
from chainrule.data.pictures import png
from chainrule.errors import ConfigError, DataError, StateError
from chainrule.modalities.images.fit import fit_images
from chainrule.modalities.images.network import Cnn, ImageNetwork, class_weights
from chainrule.modalities.images.predictor import ImagePredictor
from chainrule.report import report_facts, report_html, write_report
from chainrule.runs.listeners import Listener, Talk
from chainrule.train import Callback
from modalities.images.conftest import NARROW, SHAPES, paint_shapes, train


def test_shapes_are_recognised(learned: ImagePredictor, others: Path) -> None:
    assert learned.classes == SHAPES
    assert learned.metrics["accuracy"] > 0.9
    assert learned.baseline["accuracy"] == pytest.approx(1 / 3)
    assert learned.evaluate(others)["accuracy"] > 0.9
    shares = learned.predict_proba(others)
    assert shares.shape == (30, 3)
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-6)
    names = learned.predict(others)
    assert (names == np.array(SHAPES, object)[shares.argmax(1)]).all()


def test_sources_give_the_same_answers(learned: ImagePredictor, others: Path) -> None:
    images = read_images(others)
    whole = learned.predict_proba(others)
    np.testing.assert_array_equal(learned.predict_proba(images.pixels), whole)
    np.testing.assert_array_equal(learned.predict_proba(others / "disc"), whole[10:20])
    one = learned.predict_proba(others / "square" / "3.png")
    np.testing.assert_allclose(one, whole[23:24], atol=1e-6)
    labels = [images.classes[k] for k in images.labels]
    assert learned.evaluate((images.pixels, labels)) == learned.evaluate(others)


def test_bad_images_are_left_out_of_predictions(learned: ImagePredictor, others: Path,
                                                tmp_path: Path) -> None:  # fmt: skip
    folder = shutil.copytree(others / "disc", tmp_path / "disc")
    (folder / "bad.png").write_bytes(b"")
    (folder / "sub").mkdir()
    (folder / "9.png").rename(folder / "sub" / "9.png")
    for i in range(3):
        (folder / f"bad{i}.png").write_bytes(b"no image")
    assert learned.images(folder).paths == (*(f"{i}.png" for i in range(9)), "sub/9.png")
    assert [f.code for f in learned.last_findings] == ["D302"]


def test_a_run_comes_back(learned: ImagePredictor, others: Path) -> None:
    assert learned.run is not None
    loaded = cr.load_run(learned.run)
    assert isinstance(loaded, ImagePredictor)
    np.testing.assert_array_equal(loaded.predict_proba(others), learned.predict_proba(others))
    assert loaded.metrics == learned.metrics
    assert loaded.history["val_loss"] == learned.history["val_loss"]
    assert loaded.settings == learned.settings


def test_equal_seeds_give_equal_bits(learned: ImagePredictor, shapes: Path) -> None:
    again = train(shapes, None)
    assert again.run is None
    for name, value in learned.model.state_dict().items():
        np.testing.assert_array_equal(again.model.state_dict()[name], value)


def test_arrays_with_names(shapes: Path) -> None:
    images = read_images(shapes)
    labels = [images.classes[k] for k in images.labels]
    model = train(images.pixels, None, labels=labels, epochs=1, settings=NARROW)
    assert model.classes == SHAPES
    assert model.settings.data.size == (16, 16)


class Stop(Callback):
    """Ctrl-C after the fifth epoch."""

    def on_epoch_end(self, epoch: int, logs: Any) -> None:
        if epoch == 4:
            os.kill(os.getpid(), signal.SIGINT)


class Stopping(Listener):
    def callbacks(self, epochs: int) -> list[Callback]:
        return [Stop()]


def test_an_ended_run_goes_on_to_the_same_bits(
    learned: ImagePredictor, shapes: Path, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(shapes, tmp_path, listener=Stopping())
    (run,) = tmp_path.iterdir()
    resumed = cr.resume(run, verbose=False)
    assert isinstance(resumed, ImagePredictor)
    assert resumed.metrics == learned.metrics
    for name, value in learned.model.state_dict().items():
        np.testing.assert_array_equal(resumed.model.state_dict()[name], value)


def test_other_images_are_refused(learned: ImagePredictor, others: Path, tmp_path: Path) -> None:
    assert learned.run is not None
    run = shutil.copytree(learned.run, tmp_path / "run")
    with pytest.raises(StateError, match="not the same as when"):
        cr.resume(run, others, epochs=13, verbose=False)
    with pytest.raises(StateError, match="done after 12 epochs"):
        cr.resume(run, verbose=False)


def test_changed_folders_are_refused(learned: ImagePredictor, tmp_path: Path) -> None:
    assert learned.run is not None
    run = shutil.copytree(learned.run, tmp_path / "run")
    text = (run / "pipeline.json").read_text()
    (run / "pipeline.json").write_text(text.replace("cross", "crass"))
    with pytest.raises(StateError, match=r"pipeline\.json is not the one"):
        cr.load_run(run)


def test_test_images_of_their_own(shapes: Path, others: Path) -> None:
    model = train(shapes, None, test=others, epochs=1, settings=NARROW)
    assert model.evaluate(others)["accuracy"] == model.metrics["accuracy"]
    assert model.settings.data.test == str(others)


def test_numbers_stand_for_the_names_of_classes(shapes: Path, others: Path, tmp_path: Path) -> None:
    """Names out of alphabetical order: a test by numbers must not be read by the wrong names."""
    for name, folder in (("train", shapes), ("test", others)):
        images = read_images(folder)
        for kind, array in (("images", images.pixels), ("labels", images.labels)):
            head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
            content = array.astype(np.uint8).tobytes()
            (tmp_path / f"{name}-{kind}-idx{array.ndim}-ubyte").write_bytes(head + content)
    held = tmp_path / "test-images-idx4-ubyte"
    names = ["zeta", "alpha", "midway"]
    model = train(tmp_path / "train-images-idx4-ubyte", tmp_path / "runs", test=held, classes=names)
    assert model.classes == tuple(names)
    assert model.metrics["accuracy"] > 0.9
    assert model.run is not None
    loaded = cr.load_run(model.run)
    assert loaded.evaluate(held)["accuracy"] == model.metrics["accuracy"]
    images = read_images(others)
    assert loaded.evaluate((images.pixels, images.labels)) == loaded.evaluate(held)
    assert loaded.evaluate((images.pixels, [names[k] for k in images.labels]))["accuracy"] > 0.9


def test_everything_at_once(shapes: Path) -> None:
    words = (
        "augment.shift=1", "augment.rotate=5", "augment.brightness=0.1", "augment.cutout=2",
        "augment.mixup=0.2", "augment.cutmix=0.2", "train.label_smoothing=0.1",
        "train.average=ema", "model.dropout=0.1", "train.regularization.max_norm=4", *NARROW,
    )  # fmt: skip
    model = train(shapes, None, epochs=2, settings=words)
    assert np.isfinite(model.history["loss"]).all()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("model.widths=[8,8,8,8,8]",), "until nothing is left"),
        (("train.regularization.mixup=0.2",), "does not apply to images"),
        (("train.loss=mse",), "`train.loss` is 'mse'"),
        (
            ("data.class_weights=balanced", "augment.cutmix=1.0"),
            "cannot be combined with mixed images",
        ),
        (("data.channels=2",), "`data.channels` is 2"),
        (("model.dropout=2.0",), "`model.dropout` is 2.0"),
    ],
)
def test_settings_that_do_not_fit(shapes: Path, words: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        train(shapes, None, settings=words)


def test_networks_that_take_one_size(shapes: Path) -> None:
    with pytest.raises(ConfigError, match="takes images of 28 x 28 pixels, but these have 16 x 16"):
        fit_images(shapes, network="lenet5", runs_dir=None, verbose=False)


def test_one_class_is_not_enough(shapes: Path, tmp_path: Path) -> None:
    shutil.copytree(shapes / "disc", tmp_path / "photos" / "disc")
    with pytest.raises(DataError, match="one class, disc"):
        fit_images(tmp_path / "photos", runs_dir=None, verbose=False)
    with pytest.raises(DataError, match="no classes"):
        fit_images(shapes / "disc", runs_dir=None, verbose=False)


def test_so_few_images_that_nothing_can_be_divided(tmp_path: Path) -> None:
    few = paint_shapes(tmp_path / "few", 1, 0)
    (few / "square" / "0.png").unlink()
    with pytest.raises(DataError) as caught:
        train(few, None, epochs=1)
    assert "2 images cannot be split into 3 parts" in str(caught.value)
    assert "at least 3 images are needed" in str(caught.value)
    assert "row" not in str(caught.value)
    with pytest.raises(DataError, match=r"2 images cannot be split into 5 folds\n.*7 images are"):
        train(few, None, settings=("data.fold=[1,5]",))


def test_one_image_to_learn_from(tmp_path: Path) -> None:
    few, heard = paint_shapes(tmp_path / "few", 1, 0), io.StringIO()
    model = fit_images(few, epochs=1, runs_dir=tmp_path / "runs", listener=Talk(heard),
                       settings=NARROW)  # fmt: skip
    assert model.settings.train.batch_size == 32
    assert "1 test image " in heard.getvalue()
    assert model.run is not None
    page = write_report(model.run).read_text()
    assert "On 1 test image that it never saw" in page
    assert "test rows" not in page


def test_class_weights_even_out_the_classes() -> None:
    labels = np.array([0] * 6 + [1] * 3 + [2])
    weights = class_weights(labels, 4)
    np.testing.assert_allclose(weights * [6, 3, 1, 0], [2.5, 2.5, 2.5, 0])
    assert weights[3] == 1
    for wrong in (labels - 1, labels + 3):
        with pytest.raises(DataError, match="there are 4 classes"):
            class_weights(wrong, 4)


@pytest.mark.parametrize("std", [(1.0, 0.0, 1.0), (1.0, 1.0)])
def test_a_network_needs_moments_of_each_channel(std: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="deviations") as caught:
        ImageNetwork(Cnn(2, 3, (8, 8), (4,), 0.0), (0.0, 0.0, 0.0), std)
    assert str(std) in caught.value.what


def test_balanced_classes_find_the_rare_one(shapes: Path, tmp_path: Path) -> None:
    for name, count in (("disc", 60), ("square", 6)):
        (tmp_path / "few" / name).mkdir(parents=True)
        for i in range(count):
            shutil.copy(shapes / name / f"{i}.png", tmp_path / "few" / name)
    balanced = ("data.class_weights=balanced", *NARROW)
    model = train(tmp_path / "few", None, epochs=1, settings=balanced)
    assert "D111" in [f.code for f in model.findings]
    plain = train(tmp_path / "few", None, epochs=1, settings=NARROW)
    squares = shapes / "square"
    assert model.predict_proba(squares)[:, 1].mean() > plain.predict_proba(squares)[:, 1].mean()


# ---------------------------------------------------------------------------------- the report


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_are_png_files(channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, channels), dtype=np.uint8)
    image = Image.open(io.BytesIO(png(pixels)))
    assert image.mode == ("L" if channels == 1 else "RGB")
    np.testing.assert_array_equal(np.asarray(image).reshape(pixels.shape), pixels)


def test_the_report_shows_the_worst_mistakes(shapes: Path, tmp_path: Path) -> None:
    model = train(shapes, tmp_path, epochs=1, settings=NARROW)  # has hardly learned anything
    assert model.run is not None
    facts = report_facts(model.run)
    assert facts["summary"].startswith("A convolutional network (cnn, 16 x 16 RGB pixels)")
    assert facts["mistakes"]
    for mistake in facts["mistakes"]:
        true, file = mistake["name"].split("/")
        assert mistake["true"] == true != mistake["predicted"]
        content = base64.b64decode(mistake["image"].partition(",")[2])
        found = np.asarray(Image.open(io.BytesIO(content)))
        np.testing.assert_array_equal(found, np.asarray(Image.open(shapes / true / file)))
    assert facts["commands"][0]["command"].endswith("photos -o out.csv")
    page = report_html(model.run)
    assert page.count("<img ") == len(facts["mistakes"])
    assert "180 images" in page


def test_no_other_address_reaches_the_page(learned: ImagePredictor, tmp_path: Path) -> None:
    assert learned.run is not None
    run = shutil.copytree(learned.run, tmp_path / "run")
    evaluation = json.loads((run / "evaluation.json").read_text())
    bad = {"name": "x", "true": "a", "predicted": "b", "probability": 0.5}
    evaluation["mistakes"] = [{**bad, "image": "https://example.org/a.png"}, 3, {**bad}]
    (run / "evaluation.json").write_text(json.dumps(evaluation))
    assert report_facts(run)["mistakes"] == []
