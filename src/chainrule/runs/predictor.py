"""What every training gives: a model with its preprocessor and its results."""

from __future__ import annotations

import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

import numpy as np
import numpy.typing as npt

from ..arguments import user_path
from ..data import Finding
from ..errors import StateError
from ..lazily import Lazy
from ..nn import Module
from ..nn.init import spared
from ..optim import SGD
from ..records import parsed
from ..train import History, Scores, save
from ..unverified import table
from .example import Example, Form, Name, class_number, notes_of, spelled_classes
from .fixes import finding_document, read_finding
from .folder import WEIGHTS_FILE, RunFolder, json_text, now, write_group_facts
from .hidden_folder import new_hidden_folder, slug, unwritable
from .mixture import AS_IT_IS, Mixture
from .registry import lookup
from .settings.document import RunSettings
from .settings.sources import from_text, gather
from .task import Task

if TYPE_CHECKING:
    from ..train import trainer as training
else:  # who writes texts with a model, or shows its results, trains and evaluates nothing
    training = Lazy("chainrule.train.trainer")

__all__ = ["Column", "Predictor", "restored"]

#: of what is pickled; another one is refused
PICKLED = 1

Model = TypeVar("Model", bound=Module)
Pre = TypeVar("Pre")
S = TypeVar("S", bound=RunSettings)

Array = npt.NDArray[Any]
Column = tuple[str, Array]


class Predictor(ABC, Generic[Model, Pre, S]):
    """A model with its preprocessor and settings, and the results of its training.

    A kind of data whose predictions ``goes_on`` from the end of the data that it was trained on
    can predict without any other; its `columns` take None for that.

    ``goal`` is what was learned. ``findings`` are those of the training data, ``last_findings``
    those of the data that was predicted last. ``metrics`` are those of the test part, ``baseline``
    the same ones for a guess that looks at no input, ``baselines`` for further guesses by name.
    ``run`` is the run folder, if there is one; ``facts`` are those of its ``run.json``, which there
    are without it, too.
    """

    goes_on: ClassVar[bool] = False

    def __init__(
        self,
        model: Model,
        preprocessor: Pre,
        settings: S,
        goal: Task,
        *,
        history: History | None = None,
        metrics: Mapping[str, float] | None = None,
        baseline: Mapping[str, float] | None = None,
        baselines: Mapping[str, Mapping[str, float]] | None = None,
        findings: Sequence[Finding] = (),
        run: Path | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self.model, self.preprocessor, self.settings = model, preprocessor, settings
        self.goal = goal
        self.history = history or History()
        self.metrics, self.baseline = dict(metrics or {}), dict(baseline or {})
        self.baselines = {name: dict(guess) for name, guess in (baselines or {}).items()}
        self.findings: tuple[Finding, ...] = tuple(findings)
        self.last_findings: tuple[Finding, ...] = ()
        self.run = run
        #: those of a group, which answer together; see `joint`
        self.members: tuple[Self, ...] = ()
        self.mixture = AS_IT_IS
        #: those of ``group.json``
        self.group_facts: Mapping[str, Any] = {}
        self.facts: Mapping[str, Any] = dict(facts or {})

    @cached_property
    def trainer(self) -> training.Trainer:
        """What evaluates the model. Settings that only training needs are left out."""
        optimizer = SGD(self.model.parameters(), lr=0.0)
        loss = self.settings.train.objective
        return training.Trainer(self.model, loss, optimizer, [self.goal.monitored_metric])

    @property
    def task(self) -> str:
        """The name of the task: ``binary``, ``multiclass``, ``regression``."""
        return self.goal.name

    @property
    def classes(self) -> tuple[Any, ...]:
        """The labels in the order of the columns of `predict_proba`; empty for numbers."""
        return self.goal.labels

    @property
    def target(self) -> str:
        """What is predicted, by name."""
        return self.settings.data.target

    def scores_of(self, inputs: Any) -> Scores:
        """The outputs of the network for preprocessed examples: inputs, or a `BatchSource`."""
        return self.trainer.scores(inputs)

    def joint(self, ask: Callable[[Self], Scores]) -> Scores:
        """The outputs that ``ask`` gets from this predictor; of a group, those of all members
        together, of which this is the first (see `Task.together`)."""
        return self.together([ask(each) for each in self.members or (self,)])

    def together(self, scores: Sequence[Scores]) -> Scores:
        """The outputs of all members for the same examples as those of the group; of a predictor
        alone, its own."""
        if not self.members:
            return scores[0]
        goals = (each.goal for each in self.members)
        return self.mixture.of(self.goal, list(zip(goals, scores, strict=True)))

    def answer_for(
        self, members: Sequence[Self], facts: Mapping[str, Any], mixture: Mixture = AS_IT_IS
    ) -> Self:
        """From now on, what ``members`` say together, of which this is the first; ``facts`` are
        those of their group."""
        self.members, self.mixture, self.group_facts = tuple(members), mixture, facts
        decided = table(facts.get("ensemble")).get("decisions")
        self.goal = (
            self.goal.shared([member.goal for member in members])
            if decided is None
            else self.goal.with_decisions(decided)
        )
        self.metrics = _metrics(facts.get("together", {}))
        self.baseline, self.baselines = _metrics(facts.get("baseline", {})), {}
        return self

    def decode(self, scores: Scores) -> Array:
        """Outputs as labels or numbers; see `Task.decode`."""
        return self.goal.decode(scores)

    def probabilities(self, scores: Scores) -> npt.NDArray[np.float64]:
        """Outputs as probabilities of the classes. ConfigError if there are none."""
        return self.goal.probabilities(scores)

    def explained(self, prepared: Any, truth: Array, scores: Scores) -> dict[str, Any]:
        """What to add to the section ``test`` of ``evaluation.json``, where it takes the model
        itself to say why it predicts the test part of ``prepared`` as it does."""
        return {}

    @abstractmethod
    def inputs(self, source: Any) -> Any:
        """A source as the network takes it: arrays, or a `BatchSource`, as `scores_of` takes
        them."""

    def typed(self, text: str) -> Any:
        """The source that somebody typed or named as one new example; by default it is a file.
        DataError for what cannot be read so."""
        return text

    def aim(self, text: str) -> Array:
        """What somebody wrote as the target of an example, as the network learns it. ConfigError
        for what it cannot be."""
        return np.array([class_number(text, self.goal.labels)])

    def example(self, given: Any, target: str | None = None) -> Example:
        """One new example: text as `typed` takes it, or a source; and its ``target``, if it has
        one."""
        inputs = self.inputs(self.typed(given) if isinstance(given, str) else given)
        notes = notes_of(self.last_findings)
        return Example(inputs, None if target is None else self.aim(target), notes)

    def form(self) -> Form:
        """What it takes to give a new example."""
        return Form(whole="the path of a file", classes=spelled_classes(self.classes))

    def input_names(self) -> tuple[Name, ...]:
        """For each input of the network, what its numbers are called; empty if they have no
        names."""
        return ()

    def scores(self, source: Any) -> Scores:
        """The network's outputs for a source."""
        return self.joint(lambda one: one.scores_of(one.inputs(source)))

    def predict(self, source: Any) -> Array:
        """The prediction for each example of a source, in order: labels of the type that they had
        in training, or numbers in the unit of the target."""
        return self.decode(self.scores(source))

    def predict_proba(self, source: Any) -> npt.NDArray[np.float64]:
        """The probability of each class, (examples, classes). ConfigError if there are none."""
        return self.probabilities(self.scores(source))

    @abstractmethod
    def evaluate(self, source: Any) -> dict[str, float]:
        """The metrics on data whose target is known."""

    @abstractmethod
    def columns(self, source: Any, proba: bool = False) -> list[Column]:
        """The predictions for a source as the columns of a file; ``proba`` adds probabilities."""

    def probability_names(self) -> list[str]:
        """``probability_<class>`` for each class."""
        return [f"probability_{label}" for label in spelled_classes(self.classes)]

    def probability_columns(self, scores: Scores) -> list[Column]:
        """The probability of each class, by `probability_names`."""
        return list(zip(self.probability_names(), self.probabilities(scores).T, strict=True))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes a run folder to ``path``, which `chainrule.load_run` reads; gives the path.

        With a run folder it is a copy of that one, without checkpoints. StateError if there is
        something at ``path`` already, or it cannot be written.
        """
        target = user_path(path, "the folder to save to").absolute()
        if target.exists():
            raise StateError(
                f"there is something at {target} already", help="give a path of a new folder"
            )
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            hidden = new_hidden_folder(target.parent, f"{now():%Y%m%d-%H%M%S}-{slug(target.name)}")
            if self.run is not None and self.run.is_dir():
                ignored = shutil.ignore_patterns("checkpoints", ".*")
                shutil.copytree(self.run, hidden.path, ignore=ignored, dirs_exist_ok=True)
            else:
                self._write_all(hidden.path)
            hidden.keep_as(target)
        except OSError as error:
            raise unwritable(target, error) from None
        return target

    def _write_all(self, path: Path) -> None:
        """The run folder, or the folder of a group with one for each member."""
        if not self.members:
            self._write(path)
            return
        names = [f"{i}-{slug(each.settings.name)}" for i, each in enumerate(self.members, 1)]
        known = self.group_facts
        facts = {key: value for key, value in known.items() if key != "files"}
        metrics = table(known.get("members"))
        if ensemble := table(known.get("ensemble")):
            shares = zip(self.members, self.mixture.weights or (), strict=True)
            weights = {each.settings.name: share for each, share in shares}
            facts["ensemble"] = {**ensemble, "weights": weights}
        facts["members"] = {}
        for name, member in zip(names, self.members, strict=True):
            (path / name).mkdir()
            member._write(path / name)
            own = table(metrics.get(member.settings.name)).get("metrics", {})
            facts["members"][member.settings.name] = {"run": name, "metrics": own}
        write_group_facts(path, facts)

    def _write(self, path: Path) -> None:
        """A run folder without the events of a training."""
        folder = RunFolder(path, now())
        folder.write("run.toml", self.settings.to_toml())
        folder.write("pipeline.json", self._preprocessing())
        lines = [json_text({"epoch": i, **row}) for i, row in enumerate(self.history.rows(), 1)]
        folder.write("metrics.jsonl", "".join(f"{line}\n" for line in lines))
        folder.write("events.jsonl", "")
        folder.write("log.txt", "")
        save(self.model, path / WEIGHTS_FILE)
        folder.update(**self._known_facts())

    def _preprocessing(self) -> str:
        preprocessor: Any = self.preprocessor
        return str(preprocessor.to_json())

    def _known_facts(self) -> Mapping[str, Any]:
        if not self.facts:
            raise StateError(
                "this predictor was not trained or loaded here, so it is no run",
                help="save what `chainrule.fit` or `chainrule.load_run` gives",
            )
        return {name: value for name, value in self.facts.items() if name != "files"}

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Text and arrays: no code but `restored` is named in what is pickled, or, of a group,
        `restored_group`."""
        if not self.members:
            return restored, self._plain()
        each = tuple(member._plain() for member in self.members)
        mixture = (self.mixture.weights, self.mixture.temperature)
        facts = json_text(self.group_facts)
        return restored_group, (each, self.metrics, str(self.run or ""), mixture, facts)

    def _plain(self) -> tuple[Any, ...]:
        """What `restored` makes a predictor of; one alone, also of a member of a group."""
        state = {name: np.asarray(array) for name, array in self.model.state_dict().items()}
        results = {
            "history": self.history.rows(), "metrics": self.metrics, "baseline": self.baseline,
            "baselines": self.baselines, "run": str(self.run or ""),
            "findings": [finding_document(finding) for finding in self.findings],
        }  # fmt: skip
        texts = (json_text(self._known_facts()), self.settings.to_toml(), self._preprocessing())
        return PICKLED, *texts, state, results

    def __repr__(self) -> str:
        metrics = ", ".join(f"{name} {value:.4g}" for name, value in self.metrics.items())
        goal = f"{self.target}: {self.task}"
        goal += f", {len(self.classes)} classes" if self.classes else ""
        tested = f"; test {metrics}" if metrics else ""
        return f"{type(self).__name__}({goal}{tested})"


def restored_group(
    members: Sequence[tuple[Any, ...]],
    metrics: Mapping[str, float],
    run: str,
    mixture: tuple[tuple[float, ...] | None, float] = (None, 1.0),
    facts: str = "{}",
) -> Predictor[Any, Any, Any]:
    """The predictor of a group that was pickled: its members answer together."""
    predictors = [restored(*member) for member in members]
    known = parsed(facts, "the facts of the group", "a pickled predictor")
    whole = predictors[0].answer_for(predictors, known, Mixture(*mixture))
    whole.metrics, whole.run = dict(metrics), Path(run) if run else None
    return whole


def _metrics(facts: Mapping[str, Any]) -> dict[str, float]:
    return {k: float("nan") if v is None else float(v) for k, v in facts.items()}


def restored(
    version: int, facts: str, settings: str, preprocessing: str,
    state: Mapping[str, Array], results: Mapping[str, Any],
) -> Predictor[Any, Any, Any]:  # fmt: skip
    """The predictor that was pickled. StateError for one of another release."""
    if version != PICKLED:
        raise StateError(
            f"the predictor was pickled in format {version}, and this release reads {PICKLED}",
            help="load it with the release that wrote it, and save it with `save`",
        )
    where = "a pickled predictor"
    known = parsed(facts, "the facts", where)
    kind = lookup(known["data"].get("kind"))
    decided = gather([from_text(settings, where)], kind.settings).settings
    preprocessor = kind.read_preprocessor(preprocessing, where)
    with spared():
        model = kind.build(preprocessor, decided)
    model.load_state_dict(dict(state))
    history = History()
    for epoch, row in enumerate(results["history"]):
        history.append(epoch, row)
    predictor: Predictor[Any, Any, Any] = kind.predictor(
        model,
        preprocessor,
        decided,
        kind.goal(preprocessor).with_decisions(known.get("decisions", {})),
        history=history,
        metrics=results["metrics"],
        baseline=results["baseline"],
        baselines=results["baselines"],
        findings=[read_finding(finding, where) for finding in results["findings"]],
        run=Path(results["run"]) if results["run"] else None,
        facts=known,
    )
    return predictor
