"""Damaged run folders: none may crash anything, and none may change a result silently.

``python -m runs.mutations 2000`` (with ``tests`` on the path; ``make mutate``) damages that many
copies of runs of several kinds, some of an earlier release, each in one way. Each is listed, shown,
loaded, evaluated, reported and resumed. The result of every step must be that of the intact run, to
the bit, or an error of `chainrule.errors` or a note must say what is wrong.
``1 --first 123`` repeats one.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.report import report_facts, report_html
from chainrule.report.group import group_facts, group_html
from chainrule.runs.listeners import Listener
from chainrule.runs.listing import compare_runs, details, details_text, summarize_runs
from chainrule.train import Callback
from reference.make_runs import pictures
from runs.mutating import Damage, mutate

__all__ = ["Outcome", "mutated", "prepared"]

REFERENCE = Path(__file__).parent.parent / "reference" / "runs"
SMALL = ("model.layers=[3]", "train.batch_size=32", "output.report=false",
         "output.checkpoints.every=epoch", "output.checkpoints.keep=2")  # fmt: skip
SMALL_IMAGES = ("model.name=cnn", "model.widths=[4]", *SMALL[1:])
SMALL_SERIES = ("model.name=dlinear", "model.kernel=3", *SMALL[1:])
SMALL_SOUND = ("model.width=4", "model.depth=1", "features.bands=8", *SMALL[1:])
SMALL_WRITER = ("model.name=gru", "model.hidden=4", "model.layers=1", "features.bands=8",
                "train.batch_size=8", *SMALL[2:])  # fmt: skip
RATE = 4000  # samples of a sound in a second
LONGEST = 1500  # of what is said of a crash
SECONDS = 120  # after which a step hangs


class Notes(Listener):
    """Collects notes; Ctrl-C after epoch ``stop``."""

    def __init__(self, stop: int | None = None) -> None:
        self.notes: list[str] = []
        self.stop = stop

    def note(self, text: str) -> None:
        self.notes.append(text)

    def callbacks(self, epochs: int) -> list[Callback]:
        return [] if self.stop is None else [Stop(self.stop)]


class Stop(Callback):
    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Any) -> None:
        if epoch == self.epoch:
            os.kill(os.getpid(), signal.SIGINT)


@dataclass
class Subject:
    """A kind of run: an intact folder, its data, and the expected result of each step.

    A run that is not ``hashed`` is of an earlier release, with hashes for predictions alone.
    """

    run: Path
    source: Any
    epochs: int | None
    hashed: bool = True
    expected: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.run.name


@dataclass
class Outcome:
    """What happened to one damaged run: ``crashes`` and ``silent`` changes, which must not be, and
    how many steps reported the damage."""

    number: int
    subject: str
    damage: str
    crashes: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    reports: int = 0


def people() -> dict[str, Any]:
    """Forty rows that can be learned."""
    rng = np.random.default_rng(3)
    age, town = rng.integers(20, 80, 64), rng.integers(0, 4, 64)
    return {
        "age": age.astype(float),
        "town": [f"town {t}" for t in town],
        "ill": np.where(age + 5 * town > 55, "ill", "well"),
        "cost": age * 1.5 + town,
    }


def sales() -> dict[str, Any]:
    """Five years of two shops, by month."""
    months = (np.datetime64("2001-01") + np.arange(60)).astype(str).tolist()
    level = 20 + np.arange(60) % 12
    return {
        "shop": ["north"] * 60 + ["south"] * 60,
        "month": months * 2,
        "sold": [*level.astype(float), *(level * 1.5)],
    }


def hum(pitch: float, seconds: float) -> Any:
    """A tone, int16."""
    time = np.arange(int(RATE * seconds)) / RATE
    return np.rint(9000 * np.sin(2 * np.pi * pitch * time)).astype(np.int16)


def hums() -> tuple[list[Any], list[str]]:
    """High and low tones of different length."""
    clips = [hum(400 + 9 * i + 900 * (i % 2), 0.1 + 0.01 * (i % 5)) for i in range(40)]
    return clips, [("low", "high")[i % 2] for i in range(40)]


def dictated(folder: Path) -> Path:
    """A table of recordings of one to three tones, and what they stand for."""
    folder.mkdir(parents=True)
    lines = ["file,text"]
    for i in range(40):
        text = "".join("ab"[(i >> k) % 2] for k in range(1 + i % 3))
        tones = [hum({"a": 500, "b": 1300}[letter], 0.15) for letter in text]
        soundfile.write(folder / f"{i}.wav", np.concatenate(tones), RATE)
        lines.append(f"{i}.wav,{text}")
    (folder / "said.csv").write_text("\n".join(lines) + "\n")
    return folder / "said.csv"


def prepared(folder: Path) -> list[Subject]:
    """Intact runs in ``folder``, with the expected results of all steps."""
    table, runs = people(), folder / "new"
    quietly: dict[str, Any] = {"epochs": 2, "runs_dir": runs, "verbose": False}

    def named(name: str, run: Path | None) -> Path:
        assert run is not None
        return run.rename(folder / name)

    def fitted(target: str, name: str, stop: int | None = None) -> Path:
        with contextlib.suppress(KeyboardInterrupt):
            cr.fit(
                table, target, epochs=3, settings=SMALL, runs_dir=runs, verbose=False,
                listener=Notes(stop),
            )  # fmt: skip
        [run] = runs.iterdir()
        return named(name, run)

    said = dictated(folder / "data")
    images = cr.fit_images(pictures(), settings=SMALL_IMAGES, **quietly)
    subjects = [
        Subject(named("images", images.run), pictures(), 3),
        Subject(
            named("series", cr.fit_series(sales(), settings=SMALL_SERIES, **quietly).run),
            sales(),
            3,
        ),
        Subject(
            named("sound", cr.fit_audio(*hums(), rate=RATE, settings=SMALL_SOUND, **quietly).run),
            hums(),
            3,
        ),
        Subject(
            named(
                "transcripts",
                cr.fit_audio(said, task="transcription", settings=SMALL_WRITER, **quietly).run,
            ),
            said,
            3,
        ),
        Subject(fitted("ill", "table"), table, 4),
        Subject(fitted("cost", "regression"), table, 4),
        Subject(fitted("ill", "interrupted", stop=1), table, None),
    ]
    group = cr.cross_validate(
        table, "ill", folds=None, seeds=2, epochs=2, settings=SMALL, runs_dir=runs, verbose=False
    )
    subjects.append(Subject(named("group", group.run), table, None))
    for name, epochs in (("interrupted", None), ("table", 7)):
        run = Path(shutil.copytree(REFERENCE / name, folder / f"old-{name}"))
        subjects.append(Subject(run, "heart", epochs, hashed=False))
    runs.rmdir()
    for subject in subjects:
        copy = Path(shutil.copytree(subject.run, runs / subject.name))
        subject.expected = {name: result for name, result, _ in steps(subject, copy)}
        shutil.rmtree(runs)
    return subjects


# ------------------------------------------------------------------------------------ steps


def steps(subject: Subject, run: Path) -> Iterator[tuple[str, Any, bool]]:
    """(step, its result, whether it reported something); a step that fails gives its error."""
    is_group = subject.name == "group"
    members = sorted(p for p in run.iterdir() if p.is_dir()) if is_group else [run]
    for i, member in enumerate(members):
        for step in (listed, shown, predicted, reported):
            yield (f"{step.__name__} {i}" if is_group else step.__name__,
                   *attempt(lambda step=step, member=member: step(subject, member)))  # fmt: skip
    if is_group:
        yield ("listed", *attempt(lambda: listed(subject, run)))
        yield ("shown", *attempt(lambda: shown(subject, run)))
        yield ("predicted", *attempt(lambda: predicted(subject, run)))
        yield ("reported", *attempt(lambda: group_reported(run)))
    yield ("resumed", *attempt(lambda: resumed(subject, run)))
    if subject.hashed and not is_group:
        yield ("listed again", *attempt(lambda: listed(subject, run)))
        yield ("predicted again", *attempt(lambda: predicted(subject, run)))


def attempt(step: Callable[[], tuple[Any, bool]]) -> tuple[Any, bool]:
    """The result of a step. Our errors are words; any other one ends up in the outcome."""
    signal.alarm(SECONDS)
    try:
        return step()
    except ChainruleError as error:
        plain = "\x1b" not in str(error)
        return ("an error in words", True) if plain else (Crash("an escape"), False)
    except Exception:
        return Crash(traceback.format_exc()[-LONGEST:]), False
    finally:
        signal.alarm(0)


@dataclass
class Crash:
    text: str


def listed(subject: Subject, run: Path) -> tuple[Any, bool]:
    lines = {line.path.name: line for line in summarize_runs(run.parent)}
    line = lines.get(run.name)
    if line is None:
        return None, True  # nothing says any more that it was a run
    line.cells()
    summary = (line.status, line.data, line.epochs, dict(line.best), dict(line.metrics), line.runs)
    return repr(summary) if subject.hashed else None, bool(line.trouble)


def shown(subject: Subject, run: Path) -> tuple[Any, bool]:
    facts = details(run)
    details_text(facts, run)
    if "members" not in facts:
        compare_runs(run, run)
    return None, False


def predicted(subject: Subject, run: Path) -> tuple[Any, bool]:
    predictor: Any = cr.load_run(run)
    labelled = isinstance(subject.source, tuple)
    predict = predictor.predict_proba if predictor.classes else predictor.predict
    predictions = repr(predict(subject.source[0] if labelled else subject.source).tolist())
    metrics = repr(predictor.evaluate(subject.source))
    if not subject.hashed:
        return (predictions, metrics), False
    results = (predictor.history.to_dict(), predictor.metrics, predictor.baseline)
    return (predictions, metrics, repr(results)), False


def reported(subject: Subject, run: Path) -> tuple[Any, bool]:
    facts = report_facts(run)
    report_html(run)
    told = bool(facts.pop("troubles"))
    for name in ("path", "commands", "config"):  # which hold the folder of the run
        del facts[name]
    return repr(facts) if subject.hashed else None, told


def group_reported(run: Path) -> tuple[Any, bool]:
    facts = group_facts(run)
    group_html(run)
    del facts["path"]
    return repr(facts), False


def resumed(subject: Subject, run: Path) -> tuple[Any, bool]:
    listener = Notes()
    result: Any = cr.resume(run, subject.source, epochs=subject.epochs, listener=listener)
    states = [p.model.state_dict() for p in getattr(result, "predictors", (result,))]
    weights = [{name: np.asarray(a).tobytes() for name, a in s.items()} for s in states]
    return (weights, repr(result.summary) if len(weights) > 1 else ""), bool(listener.notes)


# ---------------------------------------------------------------------------------- running


def mutated(subjects: list[Subject], number: int, folder: Path) -> Outcome:
    """The outcome of mutation ``number``, which depends on its number alone."""
    rng = np.random.default_rng([2, number])
    subject = subjects[int(rng.integers(len(subjects)))]
    runs = folder / "runs"
    run = Path(shutil.copytree(subject.run, runs / subject.name))
    try:
        others = [s.run for s in subjects if s is not subject and s.hashed]
        inside = [p for p in run.iterdir() if p.is_dir()] if subject.name == "group" else []
        target = [run, *sorted(inside)][int(rng.integers(len(inside) + 1))]
        damage = mutate(target, others, rng)
        outcome = Outcome(number, subject.name, damage.words)
        _judge(subject, run, damage, outcome)
    finally:
        shutil.rmtree(runs)
    return outcome


def _judge(subject: Subject, run: Path, damage: Damage, outcome: Outcome) -> None:
    known = False  # what one step has reported, later ones need not report
    for name, result, told in steps(subject, run):
        known = known or told
        outcome.reports += told
        if isinstance(result, Crash):
            outcome.crashes.append(f"{name}: {result.text}")
        elif told or damage.resealed or (known and name.endswith("again")):
            continue
        elif result != subject.expected.get(name):
            outcome.silent.append(name)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    numbers = range(arguments.first, arguments.first + arguments.count)
    begun, outcomes = time.monotonic(), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subjects = prepared(folder / "intact")
        for number in numbers:
            outcome = mutated(subjects, number, folder)
            outcomes.append(outcome)
            if len(outcomes) % 100 == 0:
                print(f"{len(outcomes)} of {len(numbers)}", file=sys.stderr, flush=True)
            if outcome.crashes or outcome.silent or len(numbers) == 1:
                print(outcome.number, outcome.subject, outcome.damage, flush=True)
                print("  silent:", ", ".join(outcome.silent) or "nothing")
                print("\n".join(outcome.crashes), flush=True)
    crashes = sum(bool(o.crashes) for o in outcomes)
    silent = sum(bool(o.silent) for o in outcomes)
    told = sum(bool(o.reports) for o in outcomes)
    kinds = Counter(o.subject for o in outcomes)
    print(
        f"{len(outcomes)} damaged runs ({', '.join(f'{n} {k}' for k, n in kinds.items())}) in "
        f"{time.monotonic() - begun:.0f} s: {told} told of, {len(outcomes) - told} without effect; "
        f"{crashes} internal errors, {silent} silent changes"
    )
    return 1 if crashes or silent else 0


if __name__ == "__main__":
    sys.exit(main())
