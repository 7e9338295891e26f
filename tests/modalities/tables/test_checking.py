"""The checks before training: what is sound passes, what is wrong is named with its remedy."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.errors import DataError
from chainrule.frontend import default_generator
from chainrule.modalities.tables import TABLES
from chainrule.modalities.tables.settings import Settings
from chainrule.runs.checks.model import Trial
from chainrule.runs.checks.registry import MODEL_CHECKS, PART_CHECKS, run_checks
from chainrule.runs.checks.result import Check
from chainrule.runs.dry_run import PreparedRun, prepare_run
from chainrule.runs.settings.sources import from_overrides, gather
from train.resumable import digest

DATA_CHECKS = (*TABLES.checks, *PART_CHECKS)


def settings(*words: str) -> Settings:
    return gather([from_overrides(words, "test")], Settings).settings


def of_table(source: object, *words: str) -> dict[str, Check]:
    """The checks that need no model."""
    with prepare_run(TABLES, settings(*words), source) as run:
        return {c.name: c for c in (look(run) for look in DATA_CHECKS)}


def of_model(source: object, *words: str, only: str = "") -> dict[str, Check]:
    with prepare_run(TABLES, settings(*words), source) as run:
        trial = Trial.of(run)
        chosen = [c for c in MODEL_CHECKS if not only or c.__name__ == only]
        return {c.name: c for c in (look(trial) for look in chosen)}


@pytest.fixture(scope="module")
def sound(table: Any) -> dict[str, Check]:
    default_generator.set_state(before := default_generator.get_state())
    found = {c.name: c for c in run_checks(TABLES, settings("data.target=ill"), table)}
    assert default_generator.get_state() == before
    return found


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_a_sound_table_has_no_failures(sound: dict[str, Check]) -> None:
    assert len(sound) == len(DATA_CHECKS) + len(MODEL_CHECKS)
    assert {c.status for c in sound.values()} <= {"ok", "warning"}
    assert sound["columns"].facts["kinds"] == {
        "age": "number", "income": "number", "town": "category", "smoker": "category",
    }  # fmt: skip
    assert sound["split"].facts == {"train": 168, "validation": 36, "test": 36}
    assert sound["missing values"].facts["shares"].keys() == {"income"}


def test_the_first_loss_is_that_of_equal_chances(sound: dict[str, Check]) -> None:
    facts = sound["first loss"].facts
    assert facts["expected"] == pytest.approx(math.log(2), rel=1e-6)
    assert facts["loss"] == pytest.approx(math.log(2), rel=0.2)


def test_gradients_and_differences_cover_every_parameter(sound: dict[str, Check]) -> None:
    norms, errors = (
        sound[n].facts[k] for n, k in (("gradients", "norms"), ("finite differences", "errors"))
    )
    assert norms.keys() == errors.keys()
    assert "embeddings.0.weight" in norms
    assert min(norms.values()) > 0
    assert max(errors.values()) < 1e-6


def test_memory_is_what_the_program_holds(sound: dict[str, Check], table: Any) -> None:
    facts = sound["memory"].facts
    assert facts["bytes"] == sum(facts[k] for k in ("data", "states", "arena", "code"))
    with prepare_run(TABLES, settings("data.target=ill"), table) as run:
        members = list(run.trainer().model.parameters())
        assert facts["weights"] == sum(p.numpy().nbytes for p in members)
        # AdamW keeps two moments of each weight; random numbers need a few bytes.
        assert 0 <= facts["states"] - 3 * facts["weights"] < 100
        rows, numbers = 240, len(run.prepared.preprocessor.names)
        assert facts["data"] == 4 * rows * (numbers + 1 + 1)


def test_time_is_made_of_its_parts(sound: dict[str, Check]) -> None:
    facts = sound["time"].facts
    assert facts["step"] > 0
    assert facts["epoch"] == pytest.approx(facts["steps"] * facts["step"] + facts["validation"])
    assert facts["seconds"] == pytest.approx(200 * facts["epoch"])


def test_every_check_leaves_the_model_as_it_was(
    table: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("data.target=ill", "train.average=ema", "train.accumulate=2", "train.schedule=cosine")
    with prepare_run(TABLES, settings(*words), table) as run:
        trial = Trial.of(run)
        before = digest(trial.trainer)
        for look in MODEL_CHECKS:
            look(trial)
            assert digest(trial.trainer) == before, look.__name__
    assert not list(tmp_path.iterdir())


def test_a_column_that_knows_the_target(table: Any, rng: np.random.Generator) -> None:
    told = {**table, "when": [7 if ill == "ill" else 3 for ill in table["ill"]]}
    found = of_table(told, "data.target=ill")["leaking columns"]
    assert found.status == "failed"
    assert found.facts["scores"]["when"] == 1.0
    assert found.remedies[0].endswith("data.columns.when=ignored")
    # Among the gaps, too: only those who are ill have a date.
    told = {**table, "stay": np.where(table["ill"] == "ill", rng.normal(size=240), np.nan)}
    assert of_table(told, "data.target=ill")["leaking columns"].status == "failed"


def test_a_number_that_knows_a_number(rng: np.random.Generator) -> None:
    x = rng.normal(size=(400, 2))
    y = np.exp(x[:, 0] + 0.5 * x[:, 1])
    alone = {"a": x[:, 0], "b": x[:, 1], "y": y}
    assert of_table(alone, "data.target=y")["leaking columns"].status == "ok"
    cents = {**alone, "cents": 100 * y + 3}
    found = of_table(cents, "data.target=y")["leaking columns"]
    assert found.status == "failed"
    assert found.facts["scores"]["cents"] == pytest.approx(1.0, abs=1e-6)
    # The one input of a table may say all there is to say.
    only = {"cents": 100 * y, "y": y}
    assert of_table(only, "data.target=y")["leaking columns"].status == "ok"


def test_columns_that_say_the_same(table: Any) -> None:
    age = np.asarray(table["age"])
    smoker = ["ja" if s == "yes" else "nee" for s in table["smoker"]]
    doubled = {**table, "months": 12 * age + 1, "rookt": smoker, "near": age + 1e-2 * age**2}
    found = of_table(doubled, "data.target=ill")["duplicate columns"]
    assert found.status == "warning"
    assert found.facts["pairs"] == [("age", "months"), ("smoker", "rookt")]
    assert "data.columns.months=ignored data.columns.rookt=ignored" in found.remedies[0]


def test_constant_columns_and_gaps(table: Any) -> None:
    thin = np.where(np.arange(240) % 4 == 0, np.asarray(table["age"]), np.nan)
    found = of_table({**table, "land": ["NL"] * 240, "thin": thin}, "data.target=ill")
    assert "column `land` has only one value and is left out" in found["constant columns"].evidence
    assert found["missing values"].status == "warning"
    assert found["missing values"].facts["shares"]["thin"] == 0.75
    assert "data.columns.thin=ignored" in found["missing values"].remedies[0]


@pytest.mark.parametrize(("copies", "status"), [(1, "ok"), (40, "warning"), (240, "failed")])
def test_rows_in_two_parts(table: Any, copies: int, status: str) -> None:
    longer = {name: [*list(values), *list(values)[:copies]] for name, values in table.items()}
    found = of_table(longer, "data.target=ill")["duplicate rows"]
    assert found.status == status
    if status == "ok":
        assert found.facts["shared"] <= 1
    else:
        assert "SELECT DISTINCT" in found.remedies[0]


def test_the_remedy_for_copies_keeps_the_query(table: Any) -> None:
    longer = {name: [*list(values), *list(values)[:40]] for name, values in table.items()}
    words = ("data.target=ill", "data.query=SELECT age, income, ill FROM data WHERE age > 30")
    [remedy] = of_table(longer, *words)["duplicate rows"].remedies
    [word] = shlex.split(remedy.removeprefix("leave copies out: "))
    assert word == f"data.query=SELECT DISTINCT * FROM ({words[1].partition('=')[2]})"
    again = of_table(longer, words[0], word)["duplicate rows"]
    assert (again.status, again.facts["shared"]) == ("ok", 0)


def test_copies_that_only_the_model_cannot_tell_apart(table: Any) -> None:
    longer = {name: [*list(values)] * 2 for name, values in table.items()}
    longer["ward"] = [f"{i % 97} b" for i in range(len(longer["ill"]))]
    ignored = of_table(longer, "data.target=ill", "data.columns.ward=ignored")["duplicate rows"]
    assert ignored.status == "failed"
    assert ignored.remedies == (
        "they differ only in what the model does not see: keep one of each",
    )


def test_rare_classes_and_far_numbers(rng: np.random.Generator) -> None:
    x = rng.normal(size=500)
    x[5] = 1e6
    found = of_table(
        {"x": x, "z": rng.normal(size=500), "y": ["odd"] * 8 + ["usual"] * 492}, "data.target=y"
    )
    assert found["target"].status == "warning"
    assert found["target"].facts["counts"] == {"odd": 8, "usual": 492}
    assert found["feature ranges"].status == "warning"
    assert found["feature ranges"].facts["ranges"]["x"][1] > 15
    price = of_table({"x": rng.normal(size=500), "y": x}, "data.target=y")["target"]
    assert price.status == "warning"
    assert price.facts["far"] == 1


def test_few_rows_judge_by_chance(rng: np.random.Generator) -> None:
    found = of_table({"x": rng.normal(size=80), "y": rng.normal(size=80)}, "data.target=y")["split"]
    assert found.status == "warning"
    assert found.facts == {"train": 56, "validation": 12, "test": 12}


def test_labels_without_a_reason_cannot_be_learned_by_heart() -> None:
    """Equal rows with unequal targets."""
    same = {"a": [0.0, 1.0] * 60, "b": [1.0] * 60 + [2.0] * 60, "y": [0, 0, 1, 1] * 30}
    found = of_model(same, "data.target=y", only="one_batch")["one batch"]
    assert found.status == "failed"
    assert 0.5 < found.facts["after"] <= math.log(2)  # the entropy of the labels in each cell
    linear = of_model(same, "data.target=y", "model.layers=[]", only="one_batch")["one batch"]
    assert linear.status == "warning"


def test_weights_that_are_too_large(table: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def enlarged(self: Any) -> Any:
        trainer = trained(self)
        with_large = {n: 40 * v for n, v in trainer.model.state_dict().items()}
        trainer.model.load_state_dict(with_large)
        return trainer

    trained = PreparedRun.trainer
    monkeypatch.setattr(PreparedRun, "trainer", enlarged)
    found = of_model(table, "data.target=ill", only="first_loss")["first loss"]
    assert found.status == "failed"
    assert found.facts["loss"] > 10 * math.log(2)


def test_parameters_that_cannot_learn(table: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def dead(self: Any) -> Any:
        trainer = trained(self)
        state = dict(trainer.model.state_dict())
        state["body.0.bias"] = np.full_like(np.asarray(state["body.0.bias"]), -1e3)
        trainer.model.load_state_dict(state)
        return trainer

    trained = PreparedRun.trainer
    monkeypatch.setattr(PreparedRun, "trainer", dead)
    found = of_model(table, "data.target=ill", only="gradient_check")["gradients"]
    assert found.status == "failed"
    assert "body.0.weight" in found.facts["zero"]
    assert "body.6.bias" not in found.facts["zero"]


def test_a_regression_begins_at_its_variance(rng: np.random.Generator) -> None:
    x = rng.normal(size=(300, 2))
    found = of_model({"a": x[:, 0], "b": x[:, 1], "y": 50 + 7 * x[:, 0]}, "data.target=y",
                     "train.optimizer=lbfgs")  # fmt: skip
    assert found["first loss"].facts["expected"] == pytest.approx(1.0, rel=1e-5)
    assert found["one batch"].status == "ok"
    assert "keeps more on the host" in found["memory"].evidence[0]


def test_what_cannot_be_learned_from_is_an_error(table: Any) -> None:
    with pytest.raises(DataError, match="no column named `il`"):
        list(run_checks(TABLES, settings("data.target=il"), table))
