"""Text as a kind of data: all that runs, reports and commands know about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from ...data.text import bundled_text
from ...nn import Module
from ...records import parsed
from ...runs.modality import Draft, Modality, Words
from ...runs.settings.arguments import COMMON_ARGUMENTS
from ...runs.settings.sources import Key
from ...runs.space import Space
from ...runs.task import Task
from ...tasks import Binary, Language, Multiclass, Regression, Translation
from ...tasks.labels import goal_of
from ...train import Scores
from .checks import CHECKS
from .classifier import Classifier
from .labelled import OpenedLabels, PreparedLabels, open_labels
from .language import LanguagePreprocessor, OpenedLanguage, PreparedLanguage, open_language
from .language_net import LanguageLoss
from .networks import NETWORKS
from .options import COMMANDS, OPTIONS, SOURCES
from .pairs import OpenedPairs, PairPreprocessor, PreparedPairs, open_pairs
from .predictor import TextPredictor
from .preprocessor import LabelPreprocessor
from .recognising import recognises
from .settings import TextSettings
from .space import space_for
from .translating import TranslationLoss
from .words import words_for

__all__ = ["KIND", "TEXT", "TextKind"]

Opened = OpenedLabels | OpenedLanguage | OpenedPairs
AnyPrepared = PreparedLabels | PreparedLanguage | PreparedPairs
AnyPreprocessor = LabelPreprocessor | LanguagePreprocessor | PairPreprocessor


class TextKind(Modality[TextSettings, TextPredictor]):
    """Tables with columns of text, folders of text files, and texts in memory."""

    name = "text"
    settings = TextSettings
    sources, options = SOURCES, OPTIONS
    prepared_by: ClassVar[tuple[str, ...]] = ("data", "tokenizer", "model.name")
    arguments: Mapping[str, Key] = {
        **COMMON_ARGUMENTS,
        **{name: ("data", name) for name in (
            "target", "text", "query", "task", "columns", "parallel",
        )},
        "translate": ("data", "source"),
        "network": ("model", "name"),
    }  # fmt: skip
    tasks: Mapping[str, type[Task]] = {
        t.name: t for t in (Binary, Multiclass, Regression, Language, Translation)
    }
    commands = COMMANDS
    facts: ClassVar[Mapping[str, Any]] = {
        "data": {"task": str}, "model": {"name": str, "tokens": str}
    }  # fmt: skip
    predictor = TextPredictor
    checks: Sequence[Any] = CHECKS

    def recognises(self, source: object) -> float:
        return recognises(source)

    def open(self, settings: TextSettings, source: object, folder: Path | None) -> Opened:
        origin = settings.data.path if source is None else source
        bundle = bundled_text(origin)
        if bundle and settings.data.task == "auto":
            settings = replace(settings, data=replace(settings.data, task=bundle.task))
        if settings.data.family == "language":
            return open_language(settings, origin)
        if settings.data.family == "translation":
            return open_pairs(settings, origin)
        return open_labels(settings, origin)

    def build(self, preprocessor: AnyPreprocessor, settings: TextSettings) -> Module:
        own, network = dict(settings.model.settings), NETWORKS[settings.model.name]
        if isinstance(preprocessor, LanguagePreprocessor):
            assert network.language is not None
            return network.language(preprocessor.tokenizer.size, preprocessor.length, **own)
        if isinstance(preprocessor, PairPreprocessor):
            assert network.translator is not None
            reader = preprocessor.reader
            return network.translator(reader.tokenizer.size, reader.length, **own)
        assert network.body is not None
        table, odds, ratios = preprocessor.table, preprocessor.odds, preprocessor.ratios
        if network.weighs:
            assert ratios is not None
            own["width"] = ratios.columns
        return Classifier(
            preprocessor.reader.size, own["width"], network.body(**own), goal_of(table).outputs,
            odds=odds.columns if odds else 0,
            numeric=len(table.names), cardinalities=table.cardinalities,
            ratios=ratios.shared() if network.weighs and ratios else None,
        )  # fmt: skip

    def read_preprocessor(self, text: str, where: str) -> AnyPreprocessor:
        document = parsed(text, "pipeline.json", where)
        family = document.get("family") if isinstance(document, Mapping) else None
        if family == "language":
            return LanguagePreprocessor.from_json(text, where)
        if family == "translation":
            return PairPreprocessor.from_json(text, where)
        return LabelPreprocessor.from_json(text, where)

    def space(self, settings: TextSettings) -> Space:
        return space_for(settings)

    def goal(self, preprocessor: AnyPreprocessor) -> Task:
        if isinstance(preprocessor, LanguagePreprocessor):
            return Language(tuple(preprocessor.tokenizer.characters.tolist()))
        if isinstance(preprocessor, PairPreprocessor):
            return Translation(preprocessor.tokenizer.size, preprocessor.tokenizer.decode)
        return goal_of(preprocessor.table)

    def loss(self, prepared: AnyPrepared) -> Any:
        if isinstance(prepared, PreparedLanguage):
            return LanguageLoss()
        if isinstance(prepared, PreparedPairs):
            return TranslationLoss()
        return super().loss(prepared)

    def rivals(self, prepared: AnyPrepared) -> Mapping[str, Scores]:
        return prepared.rivals()

    def describe(self, facts: Mapping[str, Any]) -> Words:
        return words_for(facts)

    def draft(self, settings: TextSettings, output: Path) -> Draft[TextSettings]:
        """With the columns that were recognised."""
        opened = self.open(settings, None, None)
        findings = opened.findings if isinstance(opened, OpenedLabels | OpenedPairs) else ()
        return Draft(opened.settings.relative_to(output), settings.descriptions(), findings)


KIND = TEXT = TextKind()
