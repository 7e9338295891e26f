"""Arguments of another kind end in words, wherever a path or a saved state is taken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.arguments import check_state, path_of, user_path
from chainrule.config import CACHE_DIR
from chainrule.errors import ConfigError, StateError
from chainrule.modalities.doors import resume as resume_group
from chainrule.report import write_report
from chainrule.train import callbacks

MODEL = nn.Linear(2, 1)
ADAM = optim.Adam(MODEL.parameters(), lr=0.1)


def test_paths() -> None:
    assert path_of("a/b", "the file") == path_of(Path("a/b"), "the file") == Path("a/b")
    with pytest.raises(ConfigError, match=r"the file is None\n  help:  pass a path"):
        path_of(None, "the file")


def test_folders_of_users(monkeypatch: pytest.MonkeyPatch) -> None:
    assert user_path("~/a", "the file") == Path.home() / "a"
    for wrong, said in (
        ("~nobody-at-all/x", "there is no user ~nobody-at-all"),
        ("a\0b", "a null character"),
    ):
        for taker in (lambda p: user_path(p, "the run"), cr.load_run, cr.resume, write_report):
            with pytest.raises(ConfigError, match=said):
                taker(wrong)
        with pytest.raises(ConfigError, match=said):
            cr.fit("heart", epochs=1, runs_dir=wrong, verbose=False)
        with pytest.raises(ConfigError, match=said):
            cr.fit(wrong, "y", runs_dir=None, verbose=False)
    monkeypatch.setenv("CHAINRULE_CACHE_DIR", "~nobody-at-all/x")
    with pytest.raises(ConfigError, match="CHAINRULE_CACHE_DIR is '~nobody-at-all/x'"):
        CACHE_DIR.read()


def test_paths_of_users_are_expanded_in_one_place() -> None:
    package = Path(cr.__file__).parent
    found = [p.name for p in package.rglob("*.py") if "expanduser" in p.read_text()]
    assert found == ["arguments.py"]


def test_states() -> None:
    check_state({}, "a model")
    with pytest.raises(StateError, match="it is a Linear\n  help:  give what state_dict"):
        check_state(MODEL, "a model")
    with pytest.raises(StateError, match=r"it is 'a\.safetensors'\n  help:  read the file first"):
        check_state("a.safetensors", "a model")


@pytest.mark.parametrize("wrong", [None, 3])
@pytest.mark.parametrize(
    "taker",
    [
        cr.load_run,
        cr.resume,
        resume_group,
        cr.load,
        lambda path: cr.save(MODEL, path),
        lambda path: cr.fit("heart", runs_dir=path) if path else path_of(path, "runs_dir"),
        cr.Checkpoints,
        callbacks.ModelCheckpoint,
        callbacks.CSVLogger,
        callbacks.BackupAndRestore,
        write_report,
    ],
)
def test_what_is_no_path(taker: Callable[[Any], Any], wrong: Any) -> None:
    with pytest.raises(ConfigError, match=f" is {wrong}\n.*pass a path"):
        taker(wrong)


@pytest.mark.parametrize("wrong", [None, 3, "w.safetensors"])
@pytest.mark.parametrize(
    "owner",
    [
        MODEL,
        ADAM,
        optim.LBFGS(MODEL.parameters()),
        optim.SimulatedAnnealing(MODEL.parameters()),
        optim.Lookahead(ADAM),
        optim.EMA(MODEL.parameters()),
        optim.schedule.Exponential(0.1, 0.9),
        optim.schedule.ReduceOnPlateau(0.1),
    ],
    ids=lambda owner: type(owner).__name__,
)
def test_what_is_no_state(owner: Any, wrong: Any) -> None:
    with pytest.raises(StateError, match=f"this is not the state of .*: it is {wrong!r}"):
        owner.load_state_dict(wrong)


@pytest.mark.parametrize(
    "state",
    [
        {"state": None, "param_groups": None},
        {"state": {}, "param_groups": [None]},
        {"state": {}, "param_groups": [{}]},
        {"state": {0: None}, "param_groups": [{"params": [0, 1]}]},
    ],
)
def test_what_is_half_the_state_of_an_optimizer(state: Any) -> None:
    for optimizer in (ADAM, optim.LBFGS(MODEL.parameters())):
        with pytest.raises(StateError, match="this is not the state of an optimizer"):
            optimizer.load_state_dict(state)


def test_what_is_no_state_of_a_trainer() -> None:
    trainer = cr.Trainer(MODEL, "mse", ADAM)
    with pytest.raises(StateError, match="not the state of a trainer: it is None"):
        trainer.set_state(None)  # type: ignore[arg-type]
    with pytest.raises(StateError, match="it is None"):
        trainer.set_weights(None)  # type: ignore[arg-type]
    with pytest.raises(StateError, match="not the weights of a trainer"):
        trainer.set_weights(MODEL.state_dict())


def test_what_has_no_weights(tmp_path: Path) -> None:
    for wrong in (None, {"a": "text"}):
        with pytest.raises(ConfigError):
            cr.save(wrong, tmp_path / "w")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
