"""The doctor on real trainings: in Python, live, and as a command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import chainrule as cr
from chainrule import nn, optim
from chainrule.cli.app import app
from chainrule.doctor import evidence_of
from chainrule.doctor.live import LiveDoctor
from chainrule.errors import ConfigError
from chainrule.train import Observe, Trainer


def run_command(*arguments: str) -> Result:
    """A command in this process."""
    return CliRunner().invoke(app, [*arguments])


@pytest.fixture(scope="module")
def sick_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on 200 rows with a dropout that lets nothing pass."""
    folder = tmp_path_factory.mktemp("sick")
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 200)).round(3)
    lines = [f"{x},{z},{'yes' if x > 0 else 'no'}" for x, z in zip(a, b, strict=True)]
    (folder / "rows.csv").write_text("a,b,y\n" + "\n".join(lines) + "\n")
    own = ["model.layers=[8]", "model.dropout=0.95", "observe.every=2 steps"]
    model = cr.fit(folder / "rows.csv", "y", epochs=4, batch_size=20, settings=own,
                   runs_dir=folder / "runs", verbose=False)  # fmt: skip
    return model.run


def codes(found: Any) -> list[str]:
    return [d.code for d in found]


def test_a_run_is_diagnosed_from_its_folder(sick_run: Path) -> None:
    found = cr.diagnose(sick_run)
    assert "T307" in codes(found)
    assert codes(cr.diagnose(cr.load_run(sick_run))) == codes(found)
    assert "95 %" in next(d for d in found if d.code == "T307").sentence
    assert "T307" not in codes(cr.diagnose(sick_run, silenced=["T307"]))


def test_a_run_whose_data_is_gone_is_diagnosed_as_far_as_it_can_be(
    sick_run: Path, tmp_path: Path
) -> None:
    data = sick_run.parent.parent / "rows.csv"
    hidden = data.rename(tmp_path / "rows.csv")
    try:
        done = run_command("doctor", str(sick_run))
        assert done.exit_code == 0
        assert "not examined: data and fit" in done.stderr
    finally:
        hidden.rename(data)


def test_a_trainer_is_diagnosed() -> None:
    cr.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 16), nn.Linear(16, 2))
    trainer = Trainer(model, "cross_entropy", optim.Adam(model.parameters()))
    rng = np.random.default_rng(0)
    x = rng.normal(size=(160, 4)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int32)
    trainer.fit((x[:128], y[:128]), validation=(x[128:], y[128:]), epochs=6, batch_size=32,
                verbose=False, observe=Observe("basic", 4))  # fmt: skip
    found = cr.diagnose(trainer)
    assert "T108" in codes(found)
    assert str(next(d for d in found if d.code == "T108")).startswith("T108 `1` reads `0` directly")


def test_what_is_no_training_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot be diagnosed"):
        cr.diagnose(3)


def test_what_is_plain_already_is_told_live_and_once() -> None:
    cr.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
    with cr.no_grad():
        model[0].bias.assign_(np.full(16, -50.0, np.float32))
    trainer = Trainer(model, "cross_entropy", optim.SGD(model.parameters(), lr=0.01))
    x = np.random.default_rng(0).normal(size=(128, 4)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int32)
    trainer.fit((x, y), epochs=6, batch_size=32, verbose=False, callbacks=[LiveDoctor()],
                observe=Observe("basic", 1))  # fmt: skip
    # Dead units let no gradient pass: that is said once, and as what it is.
    assert [m[:4] for m in trainer.messages] == ["T103"]
    assert "chainrule explain T103" in "".join(trainer.messages)


def test_a_run_may_ignore_rules(sick_run: Path, tmp_path: Path) -> None:
    """In its `run.toml`, for the live doctor and for the one afterwards."""
    table = sick_run.parents[1] / "rows.csv"

    def trained(ignored: list[str]) -> Any:
        own = ["model.layers=[8]", "model.dropout=0.95", f"output.ignore={ignored}"]
        return cr.fit(table, "y", epochs=4, batch_size=20, settings=own, runs_dir=tmp_path,
                      verbose=False)  # fmt: skip

    assert "T307" in codes(cr.diagnose(sick_run))
    assert "T307" not in codes(cr.diagnose(trained(["T307"])))
    with pytest.raises(ConfigError, match="there is no rule T9999"):
        trained(["T9999"])
    assert len([*tmp_path.iterdir()]) == 1


def test_the_command(sick_run: Path) -> None:
    done = run_command("doctor", str(sick_run))
    assert done.exit_code == 0
    assert "T307  too much regularisation" in done.stdout
    assert "run.toml: model.dropout = 0.1" in done.stdout
    assert run_command("doctor", str(sick_run), "--fail-on", "warning").exit_code == 1
    assert run_command("doctor", str(sick_run), "--fail-on", "error").exit_code == 0
    document = json.loads(run_command("doctor", str(sick_run), "--json").stdout)
    assert "T307" in [d["code"] for d in document["diagnoses"]]
    assert document["looked_at"]["data"] is True
    silenced = run_command("doctor", str(sick_run), "--ignore", "t307")
    assert "T307" not in silenced.stdout
    wrong = run_command("doctor", str(sick_run), "--ignore", "T3077")
    assert wrong.exit_code == 2
    assert "did you mean T307" in wrong.stderr


def test_codes_are_explained() -> None:
    assert "dead units" in run_command("explain", "t103").stdout
    assert "finding in the data" in run_command("explain", "D118").stdout
    assert "T505" in run_command("explain").stdout
    unknown = run_command("explain", "T1033")
    assert unknown.exit_code == 2
    assert "there is no code T1033" in unknown.stderr


def test_weights_of_rows_are_no_target() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    trainer = Trainer(model, "cross_entropy", optim.Adam(model.parameters()))
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 4)).astype(np.float32)
    y, weights = (x[:, 0] > 0).astype(np.int32), rng.random(64).astype(np.float32)
    trainer.fit((x, y, weights), epochs=2, batch_size=32, verbose=False,
                observe=Observe("basic", 1))  # fmt: skip
    looked = evidence_of(trainer).examination
    assert looked is not None
    assert looked.data.target.kind == "classes"
    assert sum(looked.data.target.counts) == 64
    assert len(looked.data.inputs) == 1
