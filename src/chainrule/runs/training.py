"""One training in its run folder: checkpoints, interruption, evaluation."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from ..errors import ChainruleError, ConfigError
from ..phrasing import plain_number
from ..train import Checkpoints, History, OwnRows, Scores, Trainer, save
from ..train.observation import Observe
from ..train.parts import checked_parts
from ..train.together import check_alike, check_parts, flat
from ..train.workers import present
from .choosing import Choice, choose
from .control import Controlled
from .ending import clock_of, epoch_metrics, stopped_early, timed_out, use_average, with_more
from .fixes import as_override, finding_document
from .folder import RUN_KIND, WEIGHTS_FILE, RunFolder, json_text
from .listeners import Listener, Recorder
from .modality import Modality, Prepared, judged_part, part_inputs
from .predictor import Predictor
from .preparation import (
    new_trainer,
    open_data,
    prepare_data,
    run_facts,
    runs_folder,
    seeded_generator,
    source_name,
)
from .provenance import git_commit, machine, versions
from .registry import attendants
from .settings.document import RunSettings
from .task import Task
from .trainer import make_callbacks
from .wording import headline, result_lines

__all__ = ["TrainingRun", "decide", "train"]

S = TypeVar("S", bound=RunSettings)
P = TypeVar("P", bound=Predictor[Any, Any, Any])
MANY = 20_000  #: examples of which it matters that every worker reads all of them


def train(kind: Modality[S, P], settings: S, source: object, listener: Listener) -> P:
    """Trains with ``settings``, which are complete but for what the data decides.

    ``source``, unless it is None, replaces the data of ``settings.data.path``. Raises what
    `chainrule.fit` raises.
    """
    runs_dir = runs_folder(settings)
    # The opened data has no name when it is prepared: it would stay in memory beside its parts.
    with listener.staged(f"reading {source_name(settings)}"):
        opened = [open_data(kind, settings, source, runs_dir)]
    with listener.staged(f"preparing {source_name(settings)}"):
        prepared = prepare_data(opened.pop(), None, runs_dir)
    listener.findings(prepared.findings)
    return TrainingRun(kind, prepared, runs_dir, listener, named=bool(settings.name)).run()


def decide(
    kind: Modality[S, Any], prepared: Prepared[S], listener: Listener
) -> tuple[Prepared[S], Choice[S] | None]:
    """What `TrainingRun.run` trains with: tries what the data can decide only so, and takes the
    best; None if all is decided."""
    if (candidates := kind.candidates(prepared)) is None:
        return prepared, None

    def trial(own: S) -> History:
        data = prepared.with_settings(own)
        return TrainingRun(kind, data, None, Listener(), named=False).measure()[0]

    with listener.staged(f"choosing {candidates.key}"):
        choice = choose(candidates, trial)
    return prepared.with_settings(choice.settings), choice


class TrainingRun(Generic[S, P]):
    """One training in a run folder inside ``runs_dir`` (None: nothing is written).

    ``listener`` hears of every stage. ``named``: whether the user named the run.
    """

    def __init__(
        self,
        kind: Modality[S, P],
        prepared: Prepared[S],
        runs_dir: Path | None,
        listener: Listener,
        *,
        named: bool,
    ) -> None:
        self.kind, self.prepared, self.settings = kind, prepared, prepared.settings
        self.workers = present()
        leads = self.workers is None or self.workers.rank == 0  # and writes and speaks
        self.runs_dir, self.listener = (runs_dir, listener) if leads else (None, Listener())
        self.named = named
        self.goal = kind.goal(prepared.preprocessor)
        self.attendants = attendants(self.settings)
        if self.settings.train.refit and not kind.refits:
            raise ConfigError(
                f"{kind.name} cannot be trained once more on all examples",
                help="set train.refit to false",
            )

    def run(self) -> P:
        """Trains in a new run folder."""
        self.prepared, choice = decide(self.kind, self.prepared, self.listener)
        self.settings = self.prepared.settings
        trainer = new_trainer(self.kind, self.prepared)
        self._compare()
        folder = self._new_folder(trainer)
        if choice:
            folder.update(chosen=choice.facts())
            self._note(folder, choice.words())
        return self._run_in(folder, trainer)

    def _compare(self) -> None:
        """ConfigError if workers have other settings or data, before anything is written."""
        if self.workers is not None:
            own = self.settings.to_document()
            check_alike(self.workers, flat({"the data": self.prepared.fingerprint} | own))
            train, rows = self.settings.train, self.prepared.sizes["train"]
            batch = min(train.batch or rows, rows)
            check_parts(self.workers, checked_parts(train.parts), rows, batch)
            if rows >= MANY and not isinstance(self.prepared.train, OwnRows):
                self.listener.note(f"every worker reads all {rows} examples (docs/distributed.md)")

    def measure(self) -> tuple[History, int]:
        """Trains without a folder, and looks at no test part: the history, and its best epoch,
        from 0. The weights are those that `run` would give."""
        trainer = new_trainer(self.kind, self.prepared)
        with seeded_generator(2 * self.settings.seed + 1):
            self._train(trainer, RunFolder.create(None, "", ""), resume=False)
        return trainer.history, self._best_epoch(trainer.history)

    def resume(self, folder: RunFolder) -> P:
        """Resumes from the newest checkpoint in ``folder``; without one, from the start."""
        trainer = new_trainer(self.kind, self.prepared)
        self._compare()
        checkpoints = self._checkpoints(folder)
        newest = checkpoints.newest() if checkpoints else None
        epoch, step = (newest.epoch, newest.step) if newest else (0, 0)
        ended = folder.facts["status"] in ("done", "interrupted")
        behind = ended and epoch < folder.facts.get("epochs", 0)
        lost_checkpoint = behind and not (checkpoints and checkpoints.damaged)
        rewritten = folder.cut_metrics(epoch_metrics(newest) if newest else [])
        folder.cut_observations(step)
        folder.write("run.toml", self.settings.to_toml())
        settings = self.settings.to_document()
        folder.update(status="running", settings=settings, **self._facts(trainer))
        planned = self.settings.train.epochs
        folder.event("resume", epoch=epoch, step=step, epochs=planned, status="running")
        if checkpoints and lost_checkpoint:
            text = f"the newest checkpoint is gone: training resumes after epoch {epoch}"
            self._note(folder, text)
        if rewritten:
            text = "metrics.jsonl was damaged: what it says of epoch{} {} is now the checkpoint's"
            epochs = ", ".join(map(str, rewritten))
            self._note(folder, text.format("s" * (len(rewritten) > 1), epochs))
        return self._run_in(folder, trainer, resume=True)

    def _note(self, folder: RunFolder, text: str) -> None:
        folder.event("note", message=text)
        folder.log(text)
        self.listener.note(text)

    def _run_in(self, folder: RunFolder, trainer: Trainer, resume: bool = False) -> P:
        folder.log(headline(folder.facts))
        self.listener.begin(folder.facts)
        try:
            # Not the seed of the weights: dropout must not repeat the draws that made them.
            with seeded_generator(2 * self.settings.seed + 1):
                self._train(trainer, folder, resume)
            return self._finish(trainer, folder)
        except KeyboardInterrupt:
            self._save(trainer, folder, status="interrupted")
            self.listener.interrupted(folder.facts, folder.path)
            raise
        except ChainruleError as error:
            with contextlib.suppress(ChainruleError):  # a full disk is reported once
                folder.event("failed", message=str(error))
                folder.update(status="failed", error=str(error), seconds=folder.seconds())
            raise
        finally:
            folder.close()

    def _new_folder(self, trainer: Trainer) -> RunFolder:
        folder = RunFolder.create(
            self.runs_dir,
            self.prepared.name,
            self.prepared.model_name,
            name=self.settings.name if self.named else "",
        )
        try:
            self._write_start(folder, trainer)
        except BaseException:
            folder.close()
            raise
        return folder

    def _write_start(self, folder: RunFolder, trainer: Trainer) -> None:
        settings = self.settings
        # First what it takes to resume, then the file that makes the folder a run.
        folder.write("run.toml", settings.to_toml())
        folder.write("pipeline.json", self.prepared.preprocessor.to_json())
        folder.update(
            format=RUN_KIND.format,
            version=RUN_KIND.version,
            name=folder.name or settings.name,
            status="running",
            started=folder.started.isoformat(timespec="microseconds"),
            seed=settings.seed,
            settings=settings.to_document(),
            **self._facts(trainer),
            findings=[finding_document(f) for f in self.prepared.findings],
            versions=versions(),
            machine=machine(),
            git=git_commit(Path.cwd()),
        )
        folder.event("start", status="running", epochs=settings.train.epochs)
        for finding in self.prepared.findings:
            folder.event("finding", **finding_document(finding))
            folder.log(finding.text(as_override))

    def _facts(self, trainer: Trainer) -> dict[str, Any]:
        """`run_facts` with the number of parameters, and how the run speaks of it all."""
        facts = run_facts(self.kind, self.prepared)
        sizes = (int(np.prod(p.shape)) for p in trainer.model.parameters())
        facts["model"]["parameters"] = sum(sizes)
        return facts | {"words": self.kind.describe(facts).to_dict()}

    def _checkpoints(self, folder: RunFolder) -> Checkpoints | None:
        settings = self.settings.output.checkpoints
        if folder.path is None or settings.every == "none":
            return None
        owner = str(folder.facts["name"])
        path = folder.path / "checkpoints"
        return Checkpoints(path, settings.every, settings.keep, monitor=None, owner=owner)

    def _train(self, trainer: Trainer, folder: RunFolder, resume: bool) -> None:
        settings, observe = self.settings.train, self.settings.observe
        checkpoints = self._checkpoints(folder)
        try:
            trainer.fit(
                self.prepared.train,
                validation=self.prepared.validation,
                epochs=settings.epochs,
                batch_size=settings.batch,
                callbacks=[
                    Recorder(folder, self.listener),
                    Controlled(folder, self.listener),
                    *make_callbacks(settings),
                    *self.attendants,
                    *self.listener.callbacks(settings.epochs),
                ],
                seed=self.settings.seed,
                verbose=False,
                checkpoints=checkpoints,
                resume=resume and checkpoints is not None,
                observe=Observe(observe.name, **observe.settings),  # type: ignore[arg-type]
                workers=self.workers,
            )
        finally:
            use_average(trainer)

    def _save(self, trainer: Trainer, folder: RunFolder, **facts: Any) -> None:
        """Writes the weights first, and last the ``run.json`` with the hashes of all files."""
        history = trainer.history
        best: dict[str, Any] = {"epoch": 0, "val_loss": None}
        if history.epoch:
            i = self._best_epoch(history)
            best = {"epoch": history.epoch[i] + 1, "val_loss": history["val_loss"][i]}
        if folder.path is not None:
            save(trainer.model, folder.path / WEIGHTS_FILE)
        folder.event(str(facts["status"]), best=best)
        folder.update(
            **facts,
            best=best,
            epochs=len(history.epoch),
            stopped=stopped_early(trainer),
            seconds=folder.seconds(),
            clock=clock_of(trainer),
        )

    def _finish(self, trainer: Trainer, folder: RunFolder) -> P:
        if timed_out(trainer):
            self._say_limit(len(trainer.history.epoch), folder)
        predictor = self._evaluate(trainer, folder)
        if self.settings.train.refit:
            self._refit(trainer, folder)
        self._save(
            trainer, folder, status="done", metrics=predictor.metrics, baseline=predictor.baseline,
            **({"baselines": predictor.baselines} if predictor.baselines else {}),
            **({"decisions": self.goal.decisions} if self.goal.decisions else {}),
        )  # fmt: skip
        predictor.facts = dict(folder.facts)
        folder.log("\n".join(result_lines(folder.facts)))
        self.listener.done(predictor, folder.facts)
        return predictor

    def _say_limit(self, epochs: int, folder: RunFolder) -> None:
        """Where the clock has decided how many epochs there were, says what gives the same bits
        without it. A rate may depend on how many were planned, so that number then stays."""
        planned = self.settings.train.schedule.name != "constant"
        key = "train.stop_after" if planned else "train.epochs"
        again = {key: epochs, "train.time_limit": 0.0, **self.kind.untried(self.prepared)}
        folder.update(limited=again)
        keys = " ".join(f"{key}={plain_number(value)}" for key, value in again.items())
        self._note(folder, f"the time limit ended training: {keys} gives the same bits again")

    def _refit(self, trainer: Trainer, folder: RunFolder) -> None:
        """Replaces the weights by those of a training on all rows, for as many epochs as were best:
        no row is wasted on a decision that has been made."""
        everything = self.kind.everything(self.prepared)
        rows, epochs = sum(self.prepared.sizes.values()), self._best_epoch(trainer.history) + 1
        again = new_trainer(self.kind, self.prepared, rows)
        with seeded_generator(2 * self.settings.seed + 1):
            again.fit(
                everything, epochs=epochs, batch_size=self.settings.train.batch,
                seed=self.settings.seed, verbose=False, workers=self.workers,
            )  # fmt: skip
        use_average(again)
        trainer.model.load_state_dict(again.model.state_dict())
        folder.update(refit={"rows": rows, "epochs": epochs})
        self._note(
            folder,
            f"trained once more on all {rows} {self.kind.describe(folder.facts).units}, for "
            f"{epochs} epoch{'s' * (epochs > 1)}; the metrics are those before",
        )

    def _best_epoch(self, history: History) -> int:
        """The epoch, from 0, whose weights are the model's."""
        stopping = self.settings.train.early_stopping
        if not stopping.restore_best:
            return len(history.epoch) - 1
        rises = self.goal.higher_is_better(stopping.monitor.removeprefix("val_"))
        return history.best(stopping.monitor, "max" if rises else "min")

    def _evaluate(self, trainer: Trainer, folder: RunFolder) -> P:
        """The predictor, with its metrics on the test part; writes ``evaluation.json``."""
        prepared = self.prepared
        self.goal = goal = self._tuned(trainer)
        predictor = self.kind.predictor(
            trainer.model,
            prepared.preprocessor,
            self.settings,
            goal,
            history=trainer.history,
            findings=prepared.findings,
            run=folder.path,
        )
        if judged_part(prepared.sizes) == "test":
            judged, truth = prepared.test, prepared.truth
        else:
            judged, truth = prepared.validation, goal.truth(prepared.target("validation"))
        scores = predictor.scores_of(part_inputs(judged))
        predictor.metrics = goal.compute_metrics(truth, scores)
        trained = prepared.target("train")
        predictor.baseline = goal.baseline(trained, truth)
        rivals = self.kind.rivals(prepared)
        predictor.baselines = goal.baselines(trained, truth) | {
            name: goal.compute_metrics(truth, own) for name, own in rivals.items()
        }
        # Of rows that are divided, all workers ask one another; worker 0 alone writes.
        if folder.path is not None or isinstance(prepared.train, OwnRows):
            self._write_evaluation(folder, predictor, truth, scores)
        return predictor

    def _tuned(self, trainer: Trainer) -> Task:
        """The task with what validation data decides, for the metric asked for, and its errors."""
        metric, goal, prepared = self.settings.train.metric, self.goal, self.prepared
        if metric == "auto" and not goal.calibrates:
            return goal
        scores = trainer.scores(part_inputs(prepared.validation))
        truth = goal.truth(prepared.target("validation"))
        tuned = goal if metric == "auto" else goal.tuned(metric, truth, scores)
        return tuned.calibrated(truth, scores)

    def _write_evaluation(
        self, folder: RunFolder, predictor: P, truth: npt.NDArray[Any], scores: Scores
    ) -> None:
        prepared, goal = self.prepared, self.goal
        inputs, target = part_inputs(prepared.validation), prepared.target("validation")
        document = {
            "format": "chainrule.evaluation",
            "version": 1,
            "missing": {},
            "validation": goal.compute_metrics(goal.truth(target), predictor.scores_of(inputs)),
            "test": with_more(
                goal.evaluation(truth, scores), predictor.explained(prepared, truth, scores)
            ),
            **self.kind.evaluation(prepared, scores),
        }
        folder.write("evaluation.json", json_text(document) + "\n")
