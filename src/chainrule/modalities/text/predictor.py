"""A trained network and its preprocessing: predicts, evaluates, continues and translates texts."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ...nn import Module, TokenLoop
from ...runs.example import Example, Form, Name
from ...runs.predictor import Column, Predictor
from ...tasks.translation import Translated
from ...train import Scores
from .answering import Answering, LabelAnswering, LanguageAnswering, PairAnswering, Read
from .generating import generate, reading
from .labelled import PreparedLabels
from .language import LanguagePreprocessor, PreparedLanguage
from .pairs import PairPreprocessor, PreparedPairs
from .preprocessor import LabelPreprocessor
from .settings import TextSettings

__all__ = ["TextPredictor"]

AnyPreprocessor = LabelPreprocessor | LanguagePreprocessor | PairPreprocessor


class TextPredictor(Predictor[Module, AnyPreprocessor, TextSettings]):
    """What ``fit_text`` and ``load_run`` return. For texts with a label::

        model.predict(["great", "dull"])     # labels of their own type, or numbers
        model.predict_proba("new.tsv")       # (texts, classes), in the order of model.classes
        model.evaluate("labelled.tsv")       # {"accuracy": 0.81, ...}

    For a language model::

        print(model.generate("It is a truth", tokens=200, seed=1))
        model.evaluate("other.txt")          # {"bits_per_character": 2.1, ...}
        model.predict(["one line", "more"])  # how surprising each is, in nats per token

    For translation::

        model.predict(["Guten Tag!"])        # ["Good day!"]
        model.evaluate("pairs.tsv")          # {"bleu": 21.3, "chrf": 44.0}

    A source is a table with the columns of texts, a folder of text files, a text file with a text
    in each line, or a list of texts.
    """

    @cached_property
    def _answering(self) -> Answering:
        if isinstance(self.preprocessor, LanguagePreprocessor):
            return LanguageAnswering(self.preprocessor)
        if isinstance(self.preprocessor, PairPreprocessor):
            return PairAnswering(self.preprocessor, self.settings)
        return LabelAnswering(self.preprocessor)

    @cached_property
    def _reading(self) -> TokenLoop:
        """Its programs, which serve one text after another."""
        return reading(self.model)

    def _read(self, source: Any, query: str | None, labelled: bool = False) -> Read:
        read = self._answering.read(source, query, labelled)
        self.last_findings = read.findings
        return read

    def scores_of(self, inputs: Any) -> Scores:
        """The outputs of the network, and its translations, if it translates."""
        return self._answering.scored(self.model, super().scores_of(inputs), inputs)

    def inputs(self, source: Any) -> Any:
        return self._read(source, None).inputs

    def example(self, given: Any, target: str | None = None) -> Example:
        """One text, with its label; of a language model the text is its own target; with its
        translation."""
        return self._answering.example(given, target, self.goal)

    def form(self) -> Form:
        return self._answering.form(self.goal)

    def input_names(self) -> tuple[Name, ...]:
        return self._answering.input_names()

    def _answers(self, read: Read, beam: int = 1) -> Scores:
        """The same for texts whose translations are not known."""
        answering = self._answering
        if isinstance(answering, PairAnswering):
            texts = answering.translate(self.model, read.inputs, beam)
            return Translated(np.zeros((len(texts), 0)), "identity", tuple(texts))
        return self.scores_of(read.inputs)

    def scores(self, source: Any, *, query: str | None = None) -> Scores:
        """The network's outputs for each text of a source."""
        return self.joint(lambda one: one._answers(one._read(source, query)))

    def evaluate(self, source: Any, *, query: str | None = None) -> dict[str, float]:
        """Metrics on the texts of which the answer is known (see `Task.metrics`)."""
        read = self._read(source, query, labelled=True)

        def outputs(one: TextPredictor) -> Scores:
            return one.scores_of((read if one is self else one._read(source, query, True)).inputs)

        return self.goal.compute_metrics(read.truth, self.joint(outputs))

    def columns(
        self, source: Any, proba: bool = False, *, query: str | None = None, beam: int = 1
    ) -> list[Column]:
        """A line for each text: the text, the prediction, and how probable each class is."""
        read = self._read(source, query)
        scores = self._joint_answers(read, source, query, beam)
        columns: list[Column] = [("text", np.array(read.texts, object))]
        columns.append(("prediction", self._answering.predictions(self.goal, scores, read)))
        return columns + (self.probability_columns(scores) if proba else [])

    def predict(self, source: Any, *, query: str | None = None, beam: int = 1) -> npt.NDArray[Any]:
        """The prediction for each text of a source, in order; see the class. A translation is the
        best of ``beam`` beginnings that are kept side by side."""
        read = self._read(source, query)
        scores = self._joint_answers(read, source, query, beam)
        return self._answering.predictions(self.goal, scores, read)

    def _joint_answers(self, read: Read, source: Any, query: str | None, beam: int) -> Scores:
        return self.joint(
            lambda one: one._answers(read if one is self else one._read(source, query), beam)
        )

    def stream(
        self,
        prompt: str = "",
        tokens: int = 200,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        repetition_penalty: float = 1.0,
        seed: int = 0,
    ) -> Iterator[str]:
        """Pieces of text that go on from ``prompt``, each as soon as it is made; the options are
        those of `nn.generate`. ConfigError if this is no language model."""
        preprocessor = self._answering.require_language()
        options = {"temperature": temperature, "top_k": top_k, "top_p": top_p,
                   "repetition_penalty": repetition_penalty, "seed": seed}  # fmt: skip
        return generate(self._reading, self.model, preprocessor.tokenizer, prompt, tokens, options)

    def generate(self, prompt: str = "", tokens: int = 200, **options: Any) -> str:
        """`stream` as one text, without the prompt."""
        return "".join(self.stream(prompt, tokens, **options))

    def explained(self, prepared: Any, truth: npt.NDArray[Any], scores: Scores) -> dict[str, Any]:
        """Why it predicts the test part as it does, or what it makes of it."""
        assert isinstance(prepared, PreparedLabels | PreparedLanguage | PreparedPairs)
        return self._answering.explained(self.model, prepared, truth, scores)
