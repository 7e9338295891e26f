"""A lesson from its file: the network in its state, the pages, the question and its answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ... import nn, optim
from ...errors import ConfigError, meant
from ...nn import Module
from ...records import check_shape, file_text, parsed_toml
from ...train.trainer import Trainer
from ..scope import Scope
from ..shown import Text, number
from ..text import text_of
from ..view import View
from ..walk import Walker
from .quantities import QUANTITY, quantity_of

__all__ = ["Lesson", "Verdict", "lesson_names", "open_lesson"]

FOLDER = Path(__file__).parent
#: layers that a lesson may be made of
LAYERS = ("Linear", "Sigmoid", "Tanh", "ReLU", "Identity", "LeakyReLU")
OPTIMIZERS = ("SGD", "Adam")
SHOW = {"view": str, "layer?": str, "unit?": int, "at?": [int], "weight?": str, "index?": [int]}
SHAPE = {
    "title": str,
    "minutes": int,
    "network": {"layers": [[(str, int, bool)]], "loss": str, "recurrent?": {"units": int},
                "weights": {...: list}},
    "data": {"x": list, "y": list},
    "optimizer": {"name": str, "lr": float, "momentum?": float},
    "steps": int,
    "page": [{"text": str, "show": [SHOW]}],
    "question": {"text": str, "quantity": QUANTITY, "tolerance?": float, "hint": str,
                 "explanation": str, "choices?": [str]},
}  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """Whether an answer was ``right``, and why, in words."""

    right: bool
    words: str


class RecurrentNet(Module):
    """A recurrent layer without gates, and a sum of its last state."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.rnn = nn.RNN(1, units, nonlinearity="relu", batch_first=True)
        self.head = nn.Linear(units, 1)

    def forward(self, x: Any) -> Any:
        """One number for each row."""
        y, _ = self.rnn(x)
        return self.head(y[:, -1])


@dataclass(frozen=True)
class Lesson:
    """One lesson; ``source`` is what its file says."""

    name: str
    source: Mapping[str, Any]

    @property
    def title(self) -> str:
        return str(self.source["title"])

    @cached_property
    def trainer(self) -> Trainer:
        """The network with its loss and optimizer, in the state of the lesson."""
        network, options = self.source["network"], dict(self.source["optimizer"])
        model = self._model()
        model.load_state_dict({k: np.asarray(v, np.float32) for k, v in network["weights"].items()})
        name = options.pop("name")
        _one_of(name, OPTIMIZERS, "optimizer")
        trainer = Trainer(
            model, network["loss"], getattr(optim, name)(model.parameters(), **options)
        )
        if self.source["steps"]:
            trainer.fit((self._x, self._y), epochs=self.source["steps"], batch_size=None,
                        shuffle=False, verbose=False)  # fmt: skip
        return trainer

    def _model(self) -> Module:
        network = self.source["network"]
        if "recurrent" in network:
            return RecurrentNet(network["recurrent"]["units"])
        layers = []
        for kind, *sizes in network["layers"]:
            _one_of(kind, LAYERS, "layer")
            layers.append(getattr(nn, kind)(*sizes))
        return nn.Sequential(*layers)

    @property
    def _x(self) -> Any:
        return np.asarray(self.source["data"]["x"], np.float32)

    @property
    def _y(self) -> Any:
        return np.asarray(self.source["data"]["y"], np.float32)

    @cached_property
    def scope(self) -> Scope:
        """The microscope at the state of the lesson."""
        return Scope(Walker(self.trainer, False), (self._x, self._y), self.title)

    def pages(self) -> list[tuple[str, list[View]]]:
        """Each text, with what is shown beside it."""
        return [(page["text"].strip(), [self._view(show) for show in page["show"]])
                for page in self.source["page"]]  # fmt: skip

    def _view(self, show: Mapping[str, Any]) -> View:
        scope, at = self.scope, tuple(show["at"]) if "at" in show else None
        index = tuple(show["index"]) if "index" in show else None
        views = {
            "network": lambda: scope.network(),
            "layer": lambda: scope.layer(show["layer"]),
            "unit": lambda: scope.unit(show["layer"], show.get("unit"), at),
            "weight": lambda: scope.weight(show["weight"], index),
            "input": lambda: scope.input(index),
            "loss": lambda: scope.loss(),
        }
        _one_of(show["view"], tuple(views), "view")
        return views[show["view"]]()

    @property
    def answer(self) -> float:
        """The right answer, as the engine computes it."""
        return quantity_of(self.scope, self.source["question"]["quantity"])

    def judge(self, given: str) -> Verdict:
        """Compares an answer with what the engine computes. ConfigError if it is no number."""
        question, right = self.source["question"], self.answer
        try:
            value = float(given.strip().replace(",", "."))
        except ValueError:
            raise ConfigError(
                f"{given!r} is not a number", help="answer with a number, such as 0.25 or 3e-4"
            ) from None
        tolerance = float(question.get("tolerance", 0.02))
        if abs(value - right) <= tolerance * max(abs(right), 1e-300):
            return Verdict(True, f"Right: {number(right)}. {question['explanation'].strip()}")
        return Verdict(False, f"Not quite. {question['hint'].strip()}")

    def text(self) -> str:
        """The whole lesson, for a terminal."""
        blocks = [f"{self.title}  (about {self.source['minutes']} minutes)"]
        for words, views in self.pages():
            blocks += [text_of("", [Text(p) for p in words.split("\n\n")]).strip("=\n "),
                       *map(str, views)]  # fmt: skip
        question = self.source["question"]
        ask = f"chainrule scope --lesson {self.name} --answer NUMBER"
        blocks += [text_of("Question", [Text(question["text"].strip()), Text(ask)])]
        return "\n\n".join(blocks)

    def to_dict(self) -> dict[str, Any]:
        """For JSON: pages and question, without the answer."""
        return {
            "name": self.name, "title": self.title, "minutes": self.source["minutes"],
            "pages": [{"text": text, "views": [v.to_dict() for v in views]}
                      for text, views in self.pages()],
            "question": self.source["question"]["text"].strip(),
        }  # fmt: skip


def lesson_names() -> list[str]:
    """All lessons, in the order in which they are best read."""
    paths = {path.stem: path for path in FOLDER.glob("*.toml")}
    return sorted(paths, key=lambda name: (_read(paths[name])["order"], name))


def open_lesson(name: str) -> Lesson:
    """A lesson by its name. ConfigError if there is none."""
    known = [path.stem for path in FOLDER.glob("*.toml")]
    _one_of(name, sorted(known), "lesson")
    path = FOLDER / f"{name}.toml"
    source = _read(path)
    check_shape(source, SHAPE, str(path))
    return Lesson(name, source)


def _read(path: Path) -> dict[str, Any]:
    return parsed_toml(file_text(path))


def _one_of(name: str, known: Sequence[str], what: str) -> None:
    if name not in known:
        raise ConfigError(
            f"there is no {what} {name!r}", help=f"{meant(name, known)}known: {', '.join(known)}"
        )
