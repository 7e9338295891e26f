"""The functions that train whatever they are given: which kind it is, and whose arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.data.pictures import png
from chainrule.errors import ChainruleError, ConfigError, DataError
from chainrule.modalities.images import ImagePredictor
from chainrule.modalities.tables import TABLES, TablePredictor
from chainrule.runs import registry
from chainrule.runs.recognition import kind_of_source

N = 40
COLUMNS = {"x": list(range(N)), "y": ["low"] * (N // 2) + ["high"] * (N // 2)}


@pytest.fixture
def pixels() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 256, (N, 8, 8), dtype=np.uint8)


@pytest.fixture
def labels() -> np.ndarray[Any, Any]:
    return np.arange(N) % 2


#: how the values of a series are called
SERIES = {"pandas": "data", "polars": "values"}


def fit(*arguments: Any, **options: Any) -> Any:
    return cr.fit(*arguments, **{"epochs": 1, "runs_dir": None, "verbose": False, **options})


def test_pixels_with_labels_are_images(pixels: Any, labels: Any) -> None:
    model = fit(pixels, labels, settings=["model.widths=[4]"])
    assert isinstance(model, ImagePredictor)
    assert model.classes == ("0", "1")


def test_a_folder_of_images_and_of_classes(
    pixels: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("PIL")
    monkeypatch.chdir(tmp_path)
    for i, image in enumerate(pixels):
        path = Path("photos", "cats" if i % 2 else "dogs", f"{i}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(image[..., None]))
    model = fit("photos", settings=["model.widths=[4]"])
    assert isinstance(model, ImagePredictor)
    assert model.classes == ("cats", "dogs")


def test_a_bundled_table() -> None:
    assert isinstance(fit("heart"), TablePredictor)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow", "dict"])
def test_columns_in_memory_are_a_table(library: str) -> None:
    frame: Any = COLUMNS
    if library != "dict":
        module = pytest.importorskip(library)
        frame = module.table(COLUMNS) if library == "pyarrow" else module.DataFrame(COLUMNS)
    model = fit(frame, "y")
    assert isinstance(model, TablePredictor)
    assert model.target == "y"


def test_cross_validation_recognises_too(pixels: Any, labels: Any) -> None:
    options: dict[str, Any] = {"folds": 2, "epochs": 1, "runs_dir": None, "verbose": False}
    images = cr.cross_validate(pixels, labels, settings=["model.widths=[4]"], **options)
    assert [type(p) for p in images.predictors] == [ImagePredictor] * 2
    tables = cr.cross_validate(COLUMNS, "y", **options)
    assert [type(p) for p in tables.predictors] == [TablePredictor] * 2


@pytest.mark.parametrize("source", [None, 5, object(), [1, 2], np.zeros((2, 3, 4, 5, 6))])
def test_what_is_no_data_of_any_kind(source: Any) -> None:
    with pytest.raises(DataError, match="that can be learned from"):
        fit(source)


def test_paths_that_lead_nowhere() -> None:
    for name in ("nothing.csv", "nowhere"):
        with pytest.raises(DataError, match=f"file not found: {name}"):
            fit(name)


def test_two_kinds_that_are_equally_sure(monkeypatch: pytest.MonkeyPatch) -> None:
    class Rival(type(TABLES)):  # type: ignore[misc]
        name = "rivals"
        is_default = False

    monkeypatch.setitem(registry._REGISTERED, "rivals", Rival())
    with pytest.raises(ConfigError, match="'heart' may be tables or rivals") as error:
        kind_of_source("heart")
    assert 'data.kind = "rivals"' in error.value.help
    assert kind_of_source("fashion").name == "images"


def test_settings_may_name_the_kind() -> None:
    with pytest.raises(DataError, match="the images are object"):
        fit(COLUMNS, "y", settings=["data.kind=images"])  # which they are not
    with pytest.raises(ConfigError, match="did you mean 'images'"):
        fit("fashion", settings=["data.kind=image"])


@pytest.mark.parametrize(
    ("source", "options", "what", "known"),
    [
        ("heart", {"network": "cnn"}, "no argument 'network' for tables", "layers"),
        ("fashion", {"layers": (8,)}, "no argument 'layers' for images", "network"),
        ("fashion", {"query": "SELECT 1"}, "no argument 'query' for images", "classes"),
        ("heart", {"epoch": 3}, "no argument 'epoch' for tables", "epochs"),
    ],
)
def test_arguments_of_another_kind(
    source: str, options: dict[str, Any], what: str, known: str
) -> None:
    for function in (fit, cr.cross_validate):
        with pytest.raises(ConfigError, match=what) as error:
            function(source, **options)
        assert known in error.value.help
        assert what.split("'")[1] not in error.value.help.split(": ")[1].split(", ")


@pytest.mark.parametrize("library", ["numpy", "dict", "pandas", "polars", "pyarrow"])
def test_rows_and_a_target_of_their_own_are_a_table(library: str) -> None:
    x = np.random.default_rng(0).normal(size=(60, 3))
    y = x @ [1.0, 2.0, 3.0]
    columns = {f"x{i}": x[:, i] for i in range(3)}
    rows, target, name = {"numpy": x}.get(library, columns), y, "target"
    if library not in ("numpy", "dict"):
        module = pytest.importorskip(library)
        rows = module.table(columns) if library == "pyarrow" else module.DataFrame(columns)
    if library in ("pandas", "polars"):
        target, name = module.Series(name="price", **{SERIES[library]: y}), "price"
    model = fit(rows, target, epochs=3)
    assert (model.task, model.target) == ("regression", name)
    whole = fit({**columns, name: y}, name, epochs=3)
    np.testing.assert_array_equal(model.predict(rows), whole.predict(rows))


def test_a_target_that_does_not_fit_its_rows(labels: Any) -> None:
    for target, message in (
        ([0, 1], "but 2 values of the target"),
        (np.zeros((N, 2)), "2 targets were given"),
    ):
        with pytest.raises(DataError, match=message):
            fit(COLUMNS, target)
    with pytest.raises(DataError, match="a column `target` already"):
        fit({"target": labels, "x": labels}, labels)
    with pytest.raises(ConfigError, match="but tables need its name"):
        fit("heart", labels)


def test_a_run_on_rows_and_target_goes_on_with_them(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(60, 3))
    y = x[:, 0] > 0
    done = fit(x, y, runs_dir=tmp_path)
    more: Any = cr.resume(done.run, (x, y), epochs=2, verbose=False)
    assert more.history.epoch == [0, 1]


def test_images_without_labels(pixels: Any) -> None:
    with pytest.raises(ChainruleError, match="no classes"):
        fit(pixels)
