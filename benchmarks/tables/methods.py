"""What learns from a table: Chainrule with its presets or any settings, and peers as they come.

Every method gets all the known rows; those that hold some out do so themselves. Peers that take no
text or gaps get what their documentation advises: numbers with medians for gaps, scaled; categories
as columns of 0 and 1.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

#: of the known rows; what is held out decides when to stop, and one row in fifty is lost
OUR_SPLIT = (0.83, 0.15, 0.02)


@dataclass(frozen=True)
class Task:
    """What to learn: the known rows, and the rows to predict."""

    known: Any
    target: Any
    new: Any
    classes: int
    seed: int
    threads: int

    @property
    def text(self) -> list[str]:
        """The columns that hold no numbers."""
        return [c for c in self.known.columns if self.known[c].dtype.kind not in "biuf"]


Method = Callable[[Task], Any]


def ours(settings: Sequence[str]) -> Method:
    """Chainrule with these settings."""

    def method(task: Task) -> Any:
        cr = importlib.import_module("chainrule")
        frame = task.known.assign(__target__=task.target)
        kind = "regression" if not task.classes else "binary" if task.classes == 2 else "multiclass"
        predictor = cr.fit(
            frame, "__target__", task=kind, split=OUR_SPLIT, seed=task.seed, runs_dir=None,
            verbose=False, settings=list(settings),
        )  # fmt: skip
        if not task.classes:
            return predictor.predict(task.new)
        chances = np.zeros((len(task.new), task.classes))
        chances[:, [int(c) for c in predictor.classes]] = predictor.predict_proba(task.new)
        return chances

    return method


def scikit(classifier: str, regressor: str, module: str, **settings: Any) -> Method:
    """An estimator of scikit-learn behind the usual preparation of columns."""

    def method(task: Task) -> Any:
        name = classifier if task.classes else regressor
        cls = getattr(importlib.import_module(f"sklearn.{module}"), name)
        seeded = {"random_state": task.seed} if "random_state" in cls().get_params() else {}
        pipeline = importlib.import_module("sklearn.pipeline")
        model = pipeline.make_pipeline(prepared_columns(task), cls(**settings, **seeded))
        return fitted(model, task, task.known, task.new)

    return method


def prepared_columns(task: Task) -> Any:
    """Gaps filled, numbers scaled, categories as columns of 0 and 1."""
    make = importlib.import_module("sklearn.pipeline").make_pipeline
    impute = importlib.import_module("sklearn.impute").SimpleImputer
    processing = importlib.import_module("sklearn.preprocessing")
    encode = processing.OneHotEncoder(handle_unknown="ignore", min_frequency=2)
    numbers = [c for c in task.known.columns if c not in task.text]
    return importlib.import_module("sklearn.compose").ColumnTransformer(
        [
            ("numbers", make(impute(strategy="median"), processing.StandardScaler()), numbers),
            ("text", make(impute(strategy="constant", fill_value="?"), encode), task.text),
        ]
    )


def fitted(model: Any, task: Task, known: Any, new: Any, **arguments: Any) -> Any:
    """Probabilities or numbers for ``new`` rows, after learning from ``known`` ones."""
    model.fit(known, task.target, **arguments)
    return model.predict_proba(new) if task.classes else model.predict(new)


def as_categories(task: Task) -> tuple[Any, Any]:
    """Both frames with columns of pandas categories, those of the known rows."""
    pandas = importlib.import_module("pandas")
    known, new = task.known.copy(), task.new.copy()
    for column in task.text:
        known[column] = known[column].astype("category")
        new[column] = pandas.Categorical(new[column], known[column].cat.categories)
    return known, new


def histogram_boosting(task: Task) -> Any:
    ensemble = importlib.import_module("sklearn.ensemble")
    kind = "Classifier" if task.classes else "Regressor"
    model = getattr(ensemble, f"HistGradientBoosting{kind}")
    many = any(task.known[c].nunique() > 255 for c in task.text)
    if many:  # it takes at most 255 categories
        return scikit(
            "HistGradientBoostingClassifier", "HistGradientBoostingRegressor", "ensemble"
        )(dense(task))
    learner = model(random_state=task.seed, categorical_features="from_dtype")
    return fitted(learner, task, *as_categories(task))


def dense(task: Task) -> Task:
    """Without the columns of more than 255 categories."""
    few = [c for c in task.known.columns if c not in task.text or task.known[c].nunique() <= 255]
    return Task(task.known[few], task.target, task.new[few], task.classes, task.seed, task.threads)


def lightgbm(task: Task) -> Any:
    package = importlib.import_module("lightgbm")
    model = package.LGBMClassifier if task.classes else package.LGBMRegressor
    learner = model(random_state=task.seed, n_jobs=task.threads, verbose=-1)
    known, new = as_categories(task)
    plain = {c: f"c{i}" for i, c in enumerate(known.columns)}  # it refuses some characters
    return fitted(learner, task, known.rename(columns=plain), new.rename(columns=plain))


def xgboost(task: Task) -> Any:
    package = importlib.import_module("xgboost")
    model = package.XGBClassifier if task.classes else package.XGBRegressor
    learner = model(random_state=task.seed, n_jobs=task.threads, enable_categorical=True)
    return fitted(learner, task, *as_categories(task))


def catboost(task: Task) -> Any:
    package = importlib.import_module("catboost")
    model = package.CatBoostClassifier if task.classes else package.CatBoostRegressor
    known, new = task.known.copy(), task.new.copy()
    for column in task.text:
        for frame in (known, new):
            frame[column] = frame[column].where(frame[column].notna(), "?").astype(str)
    learner = model(
        random_seed=task.seed, thread_count=task.threads, verbose=False, allow_writing_files=False,
        cat_features=task.text,
    )  # fmt: skip
    return fitted(learner, task, known, new)


def pytabkit(name: str) -> Method:
    """A network of pytabkit."""

    def method(task: Task) -> Any:
        package = importlib.import_module("pytabkit")
        model = getattr(package, f"{name}_{'Classifier' if task.classes else 'Regressor'}")
        learner = model(random_state=task.seed, device="cpu", n_threads=task.threads, verbosity=0)
        return fitted(learner, task, *as_categories(task))

    return method


CHEAP: dict[str, Method] = {
    "linear": scikit("LogisticRegression", "Ridge", "linear_model"),
    "MLP": scikit("MLPClassifier", "MLPRegressor", "neural_network"),
    "random forest": scikit("RandomForestClassifier", "RandomForestRegressor", "ensemble"),
    "HistGradientBoosting": histogram_boosting,
    "LightGBM": lightgbm,
    "XGBoost": xgboost,
    "CatBoost": catboost,
}
COSTLY: dict[str, Method] = {
    "RealMLP-TD": pytabkit("RealMLP_TD"),
    "TabM-D": pytabkit("TabM_D"),
}
OURS: dict[str, Method] = {
    f"chainrule {preset}": ours([f"preset={preset}"]) for preset in ("fast", "good", "best")
}
METHODS = {**OURS, **CHEAP, **COSTLY}
