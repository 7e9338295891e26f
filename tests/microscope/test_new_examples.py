"""A new example of every kind of data: read as the run reads its data, and called by its names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import chainrule as cr
from chainrule.errors import ConfigError, DataError
from chainrule.microscope.of_run import RunScope, scope_of_run
from chainrule.runs.fitting import settings_from_arguments
from chainrule.runs.folder import WEIGHTS_FILE
from chainrule.runs.preparation import open_data, prepare_data
from chainrule.runs.registry import lookup
from chainrule.train import save
from reference.make_runs import pictures
from runs import mutations

RUN = Path(__file__).parents[1] / "reference" / "runs2" / "table"
ROW = {"age": 45, "sex": "Male", "cp": "asymptomatic", "trestbps": 120, "chol": 200, "fbs": "False",
       "restecg": "normal", "thalch": 80, "exang": "True", "oldpeak": 1.5}  # fmt: skip
TYPED = ",".join(f"{name}={value}" for name, value in ROW.items())
#: of each kind of data, what a network of a few weights learns from
WORDS = [f"{'good' if i % 2 else 'bad'} film number {'one' if i % 3 else 'two'}" for i in range(40)]


def opened(kind: str, source: Any, folder: Path, *settings: str, **given: Any) -> RunScope:
    """An untrained network for a source, as a run would have it."""
    modality = lookup(kind)
    given = {"epochs": 1, "runs_dir": None, **given}
    known = settings_from_arguments(modality, source, given, settings)
    prepared = prepare_data(open_data(modality, known, source, None), None, None)
    looked = RunScope.of(modality, prepared, folder, kind)
    folder.mkdir(exist_ok=True)
    save(looked.trainer.model, folder / WEIGHTS_FILE)
    return looked


def town_table(folder: Path) -> RunScope:
    table = mutations.people() | {"town": [f"town {i % 12}" for i in range(64)]}
    return opened("tables", table, folder, "model.layers=[3]", target="cost")


def reviews(folder: Path) -> RunScope:
    labels = ["pos" if i % 2 else "neg" for i in range(40)]
    return opened("text", (WORDS, labels), folder, "model.width=4")


def story(folder: Path) -> RunScope:
    small = ("model.width=4", "model.layers=1", "tokenizer.kind=character", "tokenizer.length=8")
    return opened("text", ["a cat sat. " * 40], folder, *small, task="language")


def pairs(folder: Path) -> RunScope:
    table = {"de": [f"eins {i % 7} zwei {i % 5}" for i in range(40)],
             "en": [f"one {i % 7} two {i % 5}" for i in range(40)]}  # fmt: skip
    return opened("text", table, folder, "model.width=4", "model.layers=1", "model.heads=1",
                  "data.source=de", task="translation", target="en")  # fmt: skip


def shop(folder: Path) -> RunScope:
    table = {name: values[:60] for name, values in mutations.sales().items() if name != "shop"}
    return opened("series", table, folder, *mutations.SMALL_SERIES, target="sold", horizon=3)


def tones(folder: Path) -> RunScope:
    return opened("audio", mutations.hums(), folder, *mutations.SMALL_SOUND, rate=mutations.RATE)


def photos(folder: Path) -> RunScope:
    return opened("images", pictures(), folder, *mutations.SMALL_IMAGES)


def wave(folder: Path) -> str:
    soundfile.write(folder / "new.wav", mutations.hum(700, 0.12), mutations.RATE)
    return str(folder / "new.wav")


def shot(folder: Path) -> str:
    np.save(folder / "new.npy", pictures()[0][:1])
    return str(folder / "new.npy")


def newer(folder: Path) -> str:
    rows = [f"2006-{m:02},{20 + m}" for m in range(1, 13)]
    (folder / "new.csv").write_text("\n".join(["month,sold", *rows]), encoding="utf-8")
    return str(folder / "new.csv")


KINDS: Mapping[str, tuple[Any, Any, str | None, str]] = {
    "a table": (town_table, "age=,town=town 3,ill=well", "99", "town=town 3"),
    "a text": (reviews, "a bad film", "neg", ":bad"),
    "a story": (story, "a cat", None, "2:c"),
    "a pair": (pairs, "eins 1 zwei 2", "one 1 two 2", ":zwei"),
    "a series": (shop, newer, "31,32,33", "sold, 2 back"),
    "a sound": (tones, wave, "low", ""),
    "a picture": (photos, lambda folder: pictures()[0][:1], None, ""),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_reads_a_new_example(kind: str, tmp_path: Path) -> None:
    make, given, target, named = KINDS[kind]
    looked = make(tmp_path / "run")
    row = given(tmp_path) if callable(given) else given
    scope = looked.row(row, target)
    assert named in str(scope.input())
    assert scope.step.loss is None or np.isfinite(scope.step.loss)
    assert (scope.step.loss is None) == (kind == "a picture")
    # What the network gets is what it predicts from, and shapes are those of its data.
    of_data = looked.example(0).step
    assert [v.array.dtype for v in scope.step.inputs] == [v.array.dtype for v in of_data.inputs]
    assert scope.step.output.array.ndim == of_data.output.array.ndim
    form = looked.predictor.form()
    assert form.fields or form.whole
    if form.fields:  # what the page begins with can be looked at
        assert looked.row({f.name: f.usual for f in form.fields}).step.loss is None
    json.dumps(scope.to_dict(), allow_nan=False)


def test_a_row_of_a_run_and_its_target() -> None:
    forward, whole = scope_of_run(RUN, row=TYPED), cr.scope(RUN, row=ROW, target="yes")
    assert forward.step.loss is None
    assert "give one with --target (no, yes)" in str(forward)
    assert "No gradient: no target was given" in str(forward.loss())
    np.testing.assert_array_equal(forward.step.output.array, whole.step.output.array)
    assert "sex=Male" in str(whole.unit("body.0", 3))
    assert whole.form is not None
    usual = {field.name: field.usual for field in whole.form.fields}
    assert whole.at(json.dumps(usual)).step.loss is None
    target = json.dumps(ROW | {"disease": "yes"})
    assert scope_of_run(RUN, row=target).step.loss == whole.step.loss
    with pytest.raises(ConfigError, match="there is no target to change"):
        forward.what_if(target={0: 1.0})


@pytest.mark.parametrize(
    ("row", "target", "said"),
    [
        ("agee=3", None, "did you mean 'age'?"),
        ("age=3", None, "the row lacks `sex`, `cp`"),
        (TYPED.replace("45", "old"), None, "`old` in column `age` is not a number"),
        (TYPED + ",age=3", None, "`age` is given twice"),
        ("hello", None, "expected column=value, got 'hello'"),
        ('{"age": 4', None, "this is not JSON"),
        (json.dumps(ROW | {"age": [1, 2]}), None, "`age` is not one value"),
        (TYPED, "perhaps", "there is no class 'perhaps'"),
        (None, "yes", "a target goes with a new row"),
    ],
)
def test_rows_that_cannot_be_read(row: str | None, target: str | None, said: str) -> None:
    with pytest.raises((DataError, ConfigError)) as caught:
        scope_of_run(RUN, row=row, target=target)
    assert said in str(caught.value)


def test_what_was_unusual_in_a_row_is_said() -> None:
    shown = str(scope_of_run(RUN, row=TYPED.replace("asymptomatic", "unheard")))
    assert "unheard" in shown
