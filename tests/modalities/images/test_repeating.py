"""Seeds and folds of images: each is a test image once, and groups go on where they ended."""

from __future__ import annotations

import io
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.data.images import read_images
from chainrule.errors import ConfigError, DataError, StateError
from chainrule.modalities.doors import cross_validate as cross_validate_images
from chainrule.modalities.images import IMAGES, ImageSettings
from chainrule.modalities.images.settings import ImageDataSettings
from chainrule.runs.groups import Repeated
from chainrule.runs.listeners import Listener, Talk
from chainrule.train import Callback
from chainrule.train.callbacks import LambdaCallback
from modalities.images.conftest import FAST, NARROW, train

OPTIONS: dict[str, Any] = {"epochs": 1, "settings": (*FAST, *NARROW), "verbose": False}


def test_each_image_is_a_test_image_once(shapes: Path) -> None:
    tested: list[str] = []
    for k in (1, 2, 3):
        chosen = ImageSettings(data=ImageDataSettings(fold=(k, 3)))
        train, val, test = IMAGES.open(chosen, shapes, None).prepare(chosen, None).parts
        tested += test.paths
        assert np.bincount(test.labels).tolist() == [20, 20, 20]
        held = {*train.paths, *val.paths}
        assert len(held) == 120
        assert not held & set(test.paths)
    assert sorted(tested) == sorted(read_images(shapes).paths)


def test_cross_validation(shapes: Path, tmp_path: Path) -> None:
    found = cross_validate_images(shapes, folds=3, runs_dir=tmp_path, **OPTIONS)
    assert found.names == ("fold-1", "fold-2", "fold-3")
    values = [p.metrics["accuracy"] for p in found.predictors]
    assert found.mean["accuracy"] == pytest.approx(statistics.fmean(values))
    assert found.run is not None
    facts = json.loads((found.run / "group.json").read_text())
    assert (facts["status"], facts["name"]) == ("done", "shapes")
    member = cr.load_run(found.run / facts["members"]["fold-2"]["run"])
    assert member.settings.data.fold == (2, 3)
    alone = train(shapes, None, epochs=1, settings=["data.fold=[2,3]", *NARROW])
    assert alone.metrics == found.predictors[1].metrics
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_seeds_of_arrays(shapes: Path) -> None:
    images = read_images(shapes)
    labels = [images.classes[k] for k in images.labels]
    found = cross_validate_images(
        images.pixels, labels, folds=None, seeds=[4, 7], runs_dir=None, **OPTIONS
    )
    assert found.names == ("seed-4", "seed-7")
    assert (
        found.predictors[1].metrics
        == train(shapes, None, epochs=1, seed=7, settings=[*NARROW, "data.split_seed=0"]).metrics
    )


class EndsInSecond(Listener):
    """Ctrl-C after the first epoch of the second training."""

    def __init__(self) -> None:
        self.number = -1

    def member(self, index: int, count: int, name: str) -> None:
        self.number = index

    def callbacks(self, epochs: int) -> list[Callback]:
        return [LambdaCallback(self.end)] if self.number == 1 else []

    def end(self, epoch: int, logs: Any) -> None:
        raise KeyboardInterrupt


def test_a_group_goes_on(shapes: Path, tmp_path: Path) -> None:
    options = {**OPTIONS, "epochs": 2, "folds": 2}
    whole = cross_validate_images(shapes, runs_dir=None, **options)
    with pytest.raises(KeyboardInterrupt):
        cross_validate_images(shapes, runs_dir=tmp_path, listener=EndsInSecond(), **options)
    [group] = tmp_path.iterdir()
    found = cr.resume(group, verbose=False)
    assert isinstance(found, Repeated)
    assert found.names == ("fold-1", "fold-2")
    assert found.summary == whole.summary
    assert len([p for p in group.iterdir() if p.is_dir()]) == 2


def test_a_group_of_arrays_needs_them_again(shapes: Path, tmp_path: Path) -> None:
    images = read_images(shapes)
    data = (images.pixels, [images.classes[k] for k in images.labels])
    done = cross_validate_images(*data, folds=None, seeds=1, runs_dir=tmp_path, **OPTIONS)
    assert done.run is not None
    with pytest.raises(StateError, match="the data of these runs came from Python"):
        cr.resume(done.run, verbose=False)
    again = cr.resume(done.run, data, verbose=False)
    assert isinstance(again, Repeated)
    assert again.summary["accuracy"]["mean"] == done.mean["accuracy"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"folds": 1}, "folds is 1"),
        ({"seeds": [1, 1]}, "each once"),
        ({"epoch": 1}, "no argument 'epoch'"),
        ({"test": "elsewhere"}, "cannot be combined with separate test images"),
    ],
)
def test_mistakes(shapes: Path, wrong: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        cross_validate_images(shapes, runs_dir=tmp_path, verbose=False, **wrong)
    assert not list(tmp_path.iterdir())


def test_too_few_images_are_said_first(shapes: Path, tmp_path: Path) -> None:
    heard = io.StringIO()
    with pytest.raises(DataError, match="180 images cannot be split into 179 folds"):
        cross_validate_images(shapes, folds=179, runs_dir=tmp_path, listener=Talk(heard))
    assert heard.getvalue() == ""
    assert not list(tmp_path.iterdir())
