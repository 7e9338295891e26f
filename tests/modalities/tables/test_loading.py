"""Loading a run: whatever is missing, changed or foreign is refused with its place."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.errors import ChainruleError, StateError
from chainrule.modalities.doors import load_run
from chainrule.modalities.tables.predictor import TablePredictor
from chainrule.records import sha256_of
from resealing import reseal


@pytest.fixture
def copy(fitted: TablePredictor, tmp_path: Path) -> Path:
    """A run folder that may be damaged."""
    assert fitted.run is not None
    return Path(shutil.copytree(fitted.run, tmp_path / "run"))


def facts(run: Path, **changed: object) -> None:
    reseal(run / "run.json", **changed)


def replaced(run: Path, file: str, old: str, new: str) -> None:
    """Changes a file, and its hash too, as somebody would who means it."""
    text = (run / file).read_text()
    assert old in text
    (run / file).write_text(text.replace(old, new, 1))
    files = json.loads((run / "run.json").read_text())["files"]
    reseal(run / "run.json", ("settings",), files=files | {file: sha256_of(run / file)})


def replaced_text(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def cut(run: Path, file: str) -> None:
    (run / file).write_bytes((run / file).read_bytes()[:-7])


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no run.json": (lambda r: (r / "run.json").unlink(), "no run.json"),
    "no weights": (lambda r: (r / "model.safetensors").unlink(), "no model.safetensors"),
    "no settings": (lambda r: (r / "run.toml").unlink(), "no run.toml"),
    "no preprocessing": (lambda r: (r / "pipeline.json").unlink(), "no pipeline.json"),
    "weights cut off": (lambda r: cut(r, "model.safetensors"), "not the one that this run wrote"),
    "preprocessing changed": (
        lambda r: (r / "pipeline.json").write_text("{}"), "not the one that this run wrote"),
    "run.json cut off": (lambda r: cut(r, "run.json"), "not JSON"),
    "run.json of something else": (
        lambda r: (r / "run.json").write_text("{}"), "not the expected kind"),
    "run.json changed by hand": (
        lambda r: (r / "run.json").write_text((r / "run.json").read_text() + " "), "its checksum"),
    "a newer version": (lambda r: facts(r, version=3), "version 3"),
    "still training": (lambda r: facts(r, status="running"), "status is running"),
    "failed": (lambda r: facts(r, status="failed", error="loss nan"), "status is failed"),
    "a wrong type": (lambda r: facts(r, findings="none"), "`findings`"),
    "settings changed": (
        lambda r: replaced_text(r / "run.toml", '"relu"', '"tanh"'),
        "`model.activation` was \"relu\" and is \"tanh\""),
    "history changed": (
        lambda r: replaced_text(r / "metrics.jsonl", "0.", "1."), "metrics.jsonl is not the one"),
    "hashes gone": (lambda r: facts(r, files={}), "not the one that this run wrote"),
    "a task that is none": (lambda r: facts(r, task="ranking"), "'ranking' is not known"),
    "another target": (
        lambda r: replaced(r, "run.toml", 'target = "ill"', 'target = "age"'), "belong together"),
    "settings that are not complete": (
        lambda r: replaced(r, "run.toml", "dropout = 0.5", 'dropout = "auto"'), "not complete"),
    "an unknown setting": (
        lambda r: replaced(r, "run.toml", "dropout", "drpout"), "did you mean `model.dropout`"),
    "another size of model": (
        lambda r: replaced(r, "run.toml", "layers = [64, 64]", "layers = [64, 65]"), "shape"),
    "another depth of model": (
        lambda r: replaced(r, "run.toml", "layers = [64, 64]", "layers = [64]"), "body"),
    "odd metrics": (lambda r: (r / "metrics.jsonl").write_text("[1]\n"), "metrics.jsonl"),
    "a column lost": (
        lambda r: replaced(r, "pipeline.json", '"column": "age"', '"column": "aged"'), "aged"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_told(name: str, copy: Path) -> None:
    damage, message = DAMAGE[name]
    damage(copy)
    with pytest.raises(ChainruleError) as caught:
        load_run(copy)
    assert caught.value.exit_code == 2
    assert message in str(caught.value)


def test_a_copied_run_works(copy: Path, fitted: TablePredictor) -> None:
    assert load_run(copy).metrics == fitted.metrics
    assert load_run(str(copy)).run == copy


def test_a_run_of_the_first_release(copy: Path, fitted: TablePredictor, table: Any) -> None:
    """Its ``run.toml`` has version 1, flat keys, and no word of what came later."""
    (copy / "run.toml").write_text(
        'version = 1\nname = "table"\nseed = 0\n\n[data]\npath = ""\ntarget = "ill"\nquery = ""\n'
        'task = "auto"\ncolumns = {}\nmissing = {}\nsplit = [0.7, 0.15, 0.15]\n\n[model]\n'
        "layers = [64, 64]\ndropout = 0.5\n\n[train]\nepochs = 40\n"
        f"batch_size = {fitted.settings.train.batch_size}\nlr = 0.001\n"
        'weight_decay = 0.1\npatience = 15\ntime_limit = 0.0\noptimizer = "adamw"\n'
        'loss = "bce_with_logits"\n'
    )
    reseal(copy / "run.json", ("settings",))
    old = load_run(copy)
    assert old.settings.train == fitted.settings.train
    np.testing.assert_array_equal(old.predict_proba(table), fitted.predict_proba(table))


def test_a_line_that_was_being_written_is_left_out(copy: Path, fitted: TablePredictor) -> None:
    """In runs whose history nothing vouches for."""
    with (copy / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 41, "lo')
    files = json.loads((copy / "run.json").read_text())["files"]
    facts(copy, files={f: h for f, h in files.items() if f != "metrics.jsonl"})
    assert load_run(copy).history.epoch == fitted.history.epoch


def test_settings_that_no_prediction_depends_on_may_change(
    copy: Path, fitted: TablePredictor
) -> None:
    replaced_text(copy / "run.toml", "epochs = 40", "epochs = 50")
    (copy / "run.toml").write_text((copy / "run.toml").read_text() + "# a note\n")
    assert load_run(copy).metrics == fitted.metrics


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="there is no run folder"):
        load_run(tmp_path / "none")


def test_weights_that_are_a_pickle_are_not_opened(copy: Path) -> None:
    (copy / "model.safetensors").write_bytes(b"\x80\x04K\x01.")
    files = json.loads((copy / "run.json").read_text())["files"]
    facts(copy, files=files | {"model.safetensors": sha256_of(copy / "model.safetensors")})
    with pytest.raises(StateError, match="pickle"):
        load_run(copy)
