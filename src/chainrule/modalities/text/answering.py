"""What each family of tasks makes of a source: inputs, truth, predictions, explanations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ...data import Finding, read_table
from ...data.tables.encode import CategoryEncoder
from ...data.tables.fields import Field, field_of, fields_of
from ...data.text import CLASS, PADDING, START, padded
from ...errors import ConfigError, DataError
from ...nn import Module
from ...runs.example import (
    Example,
    Form,
    Name,
    class_number,
    is_file,
    notes_of,
    numbers_of,
    spelled_classes,
)
from ...tasks import Task
from ...tasks.translation import Translated
from ...train import Padded, Scores
from .classifier import Classifier
from .generating import generate, reading
from .labelled import PreparedLabels, labelled_truth, table_of_texts
from .language import LanguagePreprocessor, PreparedLanguage, texts_of
from .pairs import PairPreprocessor, PreparedPairs, table_of_pairs
from .preprocessor import LabelPreprocessor, read_texts
from .settings import TextSettings
from .speaking import explanation
from .stretches import Stretches
from .translating import Translator
from .writing import Writer

__all__ = ["Answering", "LabelAnswering", "LanguageAnswering", "PairAnswering", "Read"]

#: samples in a report: how many, and how long
SAMPLES, SAMPLE = 3, 240
#: translations in a report; of those whose attention is shown, the longest in tokens
SHOWN, LOOKED_AT, LONGEST = 24, 2, 12


def tokens_as(meaning: Callable[[int], str]) -> Name:
    """Tokens by their place and what they stand for: ``3:good``."""

    def name(index: tuple[int, ...], value: float) -> str:
        if value == PADDING:
            return ""
        said = meaning(int(value)).strip() or repr(meaning(int(value)))
        return f"{index[-1]}:{said}"

    return name


@dataclass(frozen=True)
class Read:
    """A source as the network takes it; ``truth`` where it was asked for."""

    texts: Sequence[str]
    inputs: Any
    truth: npt.NDArray[Any]
    findings: tuple[Finding, ...]


class Answering(ABC):
    """What the predictor of a family does."""

    @abstractmethod
    def read(self, source: object, query: str | None, labelled: bool) -> Read:
        """A source, with its answers if it is ``labelled``."""

    @abstractmethod
    def example(self, given: object, target: str | None, goal: Task) -> Example:
        """One text, as somebody typed it, or a source of one; and its target."""

    @abstractmethod
    def form(self, goal: Task) -> Form:
        """What it takes to give a new text."""

    @abstractmethod
    def input_names(self) -> tuple[Name, ...]:
        """What the numbers of the network's inputs are called: tokens by what they stand for."""

    def scored(self, model: Module, scores: Scores, inputs: Any) -> Scores:
        """The outputs of the network, with what else it takes to judge them."""
        return scores

    @abstractmethod
    def predictions(self, goal: Task, scores: Scores, read: Read) -> npt.NDArray[Any]:
        """One for each text."""

    def require_language(self) -> LanguagePreprocessor:
        """What a language model reads with; ConfigError if this is none."""
        raise ConfigError(
            "this run is no language model, so it cannot generate text",
            help="train one with --task language",
        )

    def explained(
        self, model: Module, prepared: Any, truth: npt.NDArray[Any], scores: Scores
    ) -> dict[str, Any]:
        """For the section ``test`` of ``evaluation.json``."""
        return {}


class LabelAnswering(Answering):
    """Texts with a label."""

    def __init__(self, preprocessor: LabelPreprocessor) -> None:
        self.preprocessor = preprocessor

    def read(self, source: object, query: str | None, labelled: bool) -> Read:
        target = self.preprocessor.table.schema.target
        names = self.preprocessor.texts[0], target.name if target else CLASS
        table, findings = table_of_texts(source, query, labelled, names)
        rows, truth = None, np.zeros(0)
        if labelled:
            rows, truth = labelled_truth(table, self.preprocessor.table)
        inputs, unusual = self.preprocessor.inputs(table, rows)
        texts = read_texts(table, self.preprocessor.texts, rows)
        return Read(texts, inputs, truth, (*table.findings, *findings, *unusual))

    def example(self, given: object, target: str | None, goal: Task) -> Example:
        pre = self.preprocessor
        own = pre.table.schema.target
        assert own is not None
        if isinstance(given, str) and not is_file(given):
            if pre.has_others or given.lstrip().startswith("{"):
                columns = [*pre.texts, *(e.column for e in pre.table.encoders)]
                fields = fields_of(given, columns, own.name)
                target = target if target is not None else fields.get(own.name)
                given = read_table({c: [v] for c, v in fields.items()}, name="the row")
            else:
                given = [given]
        read = self.read(given, None, False)
        notes = notes_of(read.findings)
        if target is None:
            return Example(read.inputs, None, notes)
        if goal.labels:
            return Example(read.inputs, np.array([class_number(str(target), goal.labels)]), notes)
        number = np.array(numbers_of(str(target), 1))
        return Example(read.inputs, pre.table.encode_target(number), notes)

    def form(self, goal: Task) -> Form:
        pre, classes = self.preprocessor, spelled_classes(goal.labels)
        if not pre.has_others:
            return Form(whole="a text", classes=classes)
        texts = tuple(Field(column) for column in pre.texts)
        return Form((*texts, *map(field_of, pre.table.encoders)), classes=classes)

    def input_names(self) -> tuple[Name, ...]:
        pre = self.preprocessor
        coded = [e for e in pre.table.encoders if isinstance(e, CategoryEncoder) and not e.one_hot]

        def odds(index: tuple[int, ...], value: float) -> str:
            return "log-odds by naive Bayes"

        def number(index: tuple[int, ...], value: float) -> str:
            return pre.table.names[index[-1]]

        def category(index: tuple[int, ...], value: float) -> str:
            return coded[index[-1]].meaning(int(value))

        return (
            tokens_as(pre.reader.meaning), *([odds] if pre.odds is not None else []),
            *([number] if pre.table.names else []), *([category] if coded else []),
        )  # fmt: skip

    def predictions(self, goal: Task, scores: Scores, read: Read) -> npt.NDArray[Any]:
        return goal.decode(scores)

    def explained(
        self, model: Module, prepared: Any, truth: npt.NDArray[Any], scores: Scores
    ) -> dict[str, Any]:
        assert isinstance(model, Classifier)
        assert isinstance(prepared, PreparedLabels)
        inputs = prepared.inputs("test")
        tables = explanation(
            model, self.preprocessor, prepared.texts["test"], inputs, truth, scores,
            prepared.goal.labels,
        )  # fmt: skip
        return {"tables": tables}


class LanguageAnswering(Answering):
    """Texts to continue. Evaluated, a text is one long stretch; predicted, each line is one."""

    def __init__(self, preprocessor: LanguagePreprocessor) -> None:
        self.preprocessor = preprocessor

    def require_language(self) -> LanguagePreprocessor:
        return self.preprocessor

    def read(self, source: object, query: str | None, labelled: bool) -> Read:
        if query:
            raise ConfigError("a text file takes no query", help="leave --query out")
        pre = self.preprocessor
        texts = ["".join(pieces) for pieces in texts_of(source)[1]]
        if labelled:
            codes = pre.encode(texts)
            stretches = Stretches(codes, pre.length, pre.tokenizer.size)
            if not stretches.rows:
                raise DataError(
                    f"the text has {len(codes)} tokens, and a stretch {pre.length + 1}",
                    help="pass a longer text",
                )
            places = np.arange(stretches.rows)[:, None] * pre.length + np.arange(pre.length + 1)
            return Read(texts, stretches, codes[places], ())
        lines = [line for text in texts for line in text.splitlines() if line.strip()]
        rows = [pre.encode(["\n" + line]) for line in lines]
        if not rows:
            raise DataError("there are no lines in the text", help="pass a text file with text")
        whole = padded(rows, pre.length + 1)
        return Read(lines, whole, whole, ())

    def example(self, given: object, target: str | None, goal: Task) -> Example:
        if target is not None:
            raise ConfigError(
                "a language model has no target beside the text: each token is one",
                where="--target", help="give the whole text as the row",
            )  # fmt: skip
        pre = self.preprocessor
        texts = [given] if isinstance(given, str) and not is_file(given) else [
            "".join(pieces) for pieces in texts_of(given)[1]]  # fmt: skip
        if len(texts) != 1:
            raise DataError(f"expected one text, got {len(texts)}", where="--row")
        codes = np.asarray(pre.tokenizer.encode(texts)[0], np.int32)
        if len(codes) < 2:
            raise DataError(
                "the text has no second token that could be predicted", where="--row",
                help="give a longer text",
            )  # fmt: skip
        notes = (f"only the first {pre.length + 1} of {len(codes)} tokens are read",)
        row = codes[None, : pre.length + 1]
        return Example((row,), row, notes if len(codes) > pre.length + 1 else ())

    def form(self, goal: Task) -> Form:
        return Form(whole="a text", aim="")

    def input_names(self) -> tuple[Name, ...]:
        return (tokens_as(self.preprocessor.tokenizer.shown),)

    def predictions(self, goal: Task, scores: Scores, read: Read) -> npt.NDArray[Any]:
        """The mean surprise of the tokens of each line, in nats."""
        there = read.truth[:, 1:] > 0
        total = (scores.values * there).sum(axis=1)
        return np.asarray(total / np.maximum(there.sum(axis=1), 1))

    def explained(
        self, model: Module, prepared: Any, truth: npt.NDArray[Any], scores: Scores
    ) -> dict[str, Any]:
        """Samples: the beginnings of some test stretches, and how the network goes on."""
        assert isinstance(prepared, PreparedLanguage)
        tokenizer, loop = self.preprocessor.tokenizer, reading(model)
        rows = []
        for i in np.linspace(0, len(truth) - 1, min(SAMPLES, len(truth))).round().astype(int):
            prompt = tokenizer.decode(truth[i])
            options = {"temperature": 0.8, "top_p": 0.95, "seed": int(i)}
            made = generate(loop, model, tokenizer, prompt, SAMPLE, options)
            rows.append([prompt, "".join(made)])
        surprise = scores.values.mean(axis=1)
        worst = np.argsort(-surprise, kind="stable")[:SAMPLES].tolist()
        hardest = {
            "title": "Worst stretches",
            "words": "Those of the test part whose tokens surprised the network most, in nats for "
            "each token on average.",
            "heads": ["the text", "surprise"],
            "rows": [[tokenizer.decode(truth[i]), float(surprise[i])] for i in worst],
            "examples": worst,
        }
        samples = {
            "title": "Samples",
            "words": f"The beginnings of stretches of the test part, and {SAMPLE} tokens drawn "
            "after each, at a temperature of 0.8 and a top-p of 0.95.",
            "heads": ["the text", "goes on"],
            "rows": rows,
        }
        return {"tables": [samples, hardest]}


class PairAnswering(Answering):
    """Texts to translate: a table, text files, or a list of texts."""

    def __init__(self, preprocessor: PairPreprocessor, settings: TextSettings) -> None:
        self.preprocessor, self.settings = preprocessor, settings

    def read(self, source: object, query: str | None, labelled: bool) -> Read:
        pre = self.preprocessor
        if labelled:
            data = replace(self.settings.data, parallel="")
            table, _, findings = table_of_pairs(source, data, query)
            texts, wanted = (read_texts(table, (column,)) for column in (pre.source, pre.target))
            targets = pre.targets(wanted)
            truth = np.array(wanted, object)
            return Read(texts, (pre.sources(texts), targets), truth, findings)
        table, findings = table_of_texts(source, query, names=(pre.source, pre.target))
        texts = read_texts(table, (pre.source,))
        return Read(texts, pre.sources(texts), np.zeros(0), findings)

    def example(self, given: object, target: str | None, goal: Task) -> Example:
        if target is None:
            raise ConfigError(
                "the network reads the translation, too: word by word, as it learned it",
                where="--target", help=f"give a text in {self.preprocessor.target} as the target",
            )  # fmt: skip
        text = [given] if isinstance(given, str) and not is_file(given) else given
        read = self.read(text, None, False)
        wanted = np.repeat(self.preprocessor.targets([target]), len(read.texts), axis=0)
        sources = np.zeros_like(wanted)
        sources[:, : read.inputs.shape[1]] = read.inputs
        notes = notes_of(read.findings)
        return Example((sources, wanted), wanted, notes)

    def form(self, goal: Task) -> Form:
        pre = self.preprocessor
        return Form(whole=f"a text ({pre.source})", aim=f"its translation ({pre.target})")

    def input_names(self) -> tuple[Name, ...]:
        shown = tokens_as(self.preprocessor.tokenizer.shown)
        return (shown, shown)

    def scored(self, model: Module, scores: Scores, inputs: Any) -> Scores:
        sources = inputs.arrays[0] if isinstance(inputs, Padded) else inputs[0]
        return Translated(scores.outputs, scores.link, tuple(self.translate(model, sources)))

    def translate(self, model: Module, sources: npt.NDArray[np.int32], beam: int = 1) -> list[str]:
        """The translations of rows of tokens."""
        assert isinstance(model, Translator)
        writer = Writer(model, self.preprocessor.reader.length, beam)
        decode = self.preprocessor.tokenizer.decode
        return [decode(tokens) for tokens in writer.translate(sources)]

    def predictions(self, goal: Task, scores: Scores, read: Read) -> npt.NDArray[Any]:
        return goal.decode(scores)

    def explained(
        self, model: Module, prepared: Any, truth: npt.NDArray[Any], scores: Scores
    ) -> dict[str, Any]:
        """Translations beside their references, and what some of them looked at."""
        assert isinstance(prepared, PreparedPairs)
        assert isinstance(scores, Translated)
        sources = prepared.parts["test"][0]
        picked = np.linspace(0, len(truth) - 1, min(SHOWN, len(truth))).round().astype(int)
        samples = {
            "title": "Translations",
            "words": "Of the test part, evenly spaced.",
            "heads": [self.preprocessor.source, "translated", self.preprocessor.target],
            "rows": [[sources[i], scores.texts[i], str(truth[i])] for i in picked.tolist()],
        }
        return {"tables": [samples, *self._looks(model, sources)]}

    def _looks(self, model: Module, sources: Sequence[str]) -> list[dict[str, Any]]:
        assert isinstance(model, Translator)
        tokenizer, rows = self.preprocessor.tokenizer, self.preprocessor.sources(sources)
        lengths = (rows != PADDING).sum(axis=1)
        short = np.flatnonzero((lengths > 2) & (lengths <= LONGEST))[:LOOKED_AT]
        writer, tables = Writer(model, self.preprocessor.reader.length), []
        for i, tokens in zip(short, writer.translate(rows[short]), strict=True):
            written = np.array([[START, *tokens]], np.int32)
            looked = writer.looks(rows[i : i + 1], written)[0]
            read = [f"{n}: {tokenizer.shown(int(t)).strip()}" for n, t in
                    enumerate(rows[i][: lengths[i]], 1)]  # fmt: skip
            tables.append({
                "title": f"Attention: {sources[i]}",
                "words": "How much each token that was written looked at those of the source.",
                "heads": ["written", *read],
                "rows": [
                    [tokenizer.shown(token).strip(), *(round(float(w), 2) for w in weights)]
                    for token, weights in zip(tokens, looked[:-1, : lengths[i]], strict=True)
                ],
            })  # fmt: skip
        return [table for table in tables if table["rows"]]
