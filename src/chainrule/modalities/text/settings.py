"""The settings of a run on text: ``run.toml`` with ``[data] kind = "text"``."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, Literal

from ...data import Kind
from ...data.text import BUNDLED_TEXTS, TokenizerKind
from ...errors import ConfigError
from ...runs.settings import methods
from ...runs.settings.document import RunSettings
from ...runs.settings.fields import About, Length, Within
from ...runs.settings.network import Network, NetworkChoice
from ...runs.settings.section import Section
from ...runs.settings.sections import (
    Auto,
    DataSettings,
    Fold,
    ObserveSettings,
    OutputSettings,
    RunName,
    Seed,
    Split,
    SplitSeed,
)
from ...runs.settings.training import (
    ClipSettings,
    EarlyStoppingSettings,
    MostEpochs,
    OptimizerSettings,
    ScheduleSettings,
    TrainSettings,
)
from ...runs.task import Task
from ...tasks import Regression
from .networks import NETWORKS, networks_for
from .networks import Network as TextNetwork

__all__ = ["NetworkSettings", "TextDataSettings", "TextSettings", "TextTrainSettings",
           "TokenizerSettings"]  # fmt: skip

EPOCHS, PATIENCE = 20, 5
#: steps of an epoch of a language model, unless its text is shorter: nanoGPT's 2,000 in 20 epochs.
#: Those with Muon cost more, and fewer of them do better
LANGUAGE_STEPS, MUON_STEPS = 100, 55
#: of each task: the kind of tokens, the most of them, the longest text in tokens
TOKENS: Mapping[str, tuple[TokenizerKind, int]] = {
    "classes": ("word", 30_000), "language": ("character", 1_000),
    "translation": ("byte-pair", 4_000),
}  # fmt: skip
LONGEST = {"classes": 256, "translation": 64}
CONTEXT = 64
#: the largest batch of each task, the smallest, and steps of an epoch of few texts
SMALLEST_BATCH, EPOCH_STEPS = 8, 64
BATCH = {"classes": 64, "language": 12, "translation": 32}

Columns = Annotated[tuple[str, ...], Length(0, 100)]


@dataclass(frozen=True)
class TextDataSettings(DataSettings):
    """The texts, what to learn from them, and how to split them."""

    PATHS: ClassVar[tuple[str, ...]] = ("path", "parallel")
    BUNDLED: ClassVar[Container[str]] = BUNDLED_TEXTS

    kind: Annotated[Literal["text"], About("marks a run on text; tables leave it out")] = "text"
    path: Annotated[
        str,
        About("a table, a text file, or a folder with one subfolder per class; relative to this "
              "file"),
    ] = ""  # fmt: skip
    target: Annotated[
        str, About("column to predict, or of the translations; of a folder, the name of the class")
    ] = ""
    text: Annotated[Columns, About("columns with texts; []: inferred")] = ()
    source: Annotated[str, About("column to translate from; empty: inferred")] = ""
    parallel: Annotated[
        str, About("file whose lines translate those of path; relative to this file")
    ] = ""
    query: Annotated[str, About("SELECT that picks rows and columns; the table is called data")] = (
        ""
    )
    task: Annotated[
        Literal["auto", "binary", "multiclass", "regression", "language", "translation"],
        About("auto: inferred from the target; language: continue a text; translation"),
    ] = "auto"
    columns: Annotated[
        Mapping[str, Kind],
        About("kinds of the other columns of a table; ignored: not used"),
    ] = field(default_factory=dict)
    others: Annotated[bool, About("whether the other columns of a table are inputs, too")] = True
    odds: Annotated[
        bool, About("whether the log-odds of the classes by naive Bayes are an input, too")
    ] = True
    windows: Annotated[
        Annotated[int, Within(1, 1 << 30)] | Auto,
        About("stretches of text in an epoch of a language model; auto: 100 steps, 55 with Muon"),
    ] = "auto"
    split: Split = (0.8, 0.1, 0.1)
    fold: Fold = ()
    split_seed: SplitSeed = "auto"

    @property
    def family(self) -> str:
        """``language``, ``translation``, or ``classes`` for all that predicts a column."""
        return self.task if self.task in ("language", "translation") else "classes"

    def check(self) -> None:
        super().check()
        if self.fold and self.task == "language":
            raise ConfigError(
                "`data.fold` is not for language models, which are tested on the end of the text",
                help="leave the folds out (--seeds repeats a training)",
            )
        roles = [*self.text, self.source, self.target]
        double = next((c for c in roles if c and roles.count(c) > 1), None)
        if double:
            raise ConfigError(
                f"the column `{double}` has two roles",
                help="a column is the target, the source, or a text",
            )


@dataclass(frozen=True)
class TokenizerSettings(Section):
    """How texts become numbers; what it learns, it learns from the training part."""

    TABLE: ClassVar[str] = "tokenizer"

    kind: Annotated[
        TokenizerKind | Auto,
        About("word, character, byte-pair or unigram; auto: word for classes, character for "
              "language models, byte-pair for translation"),
    ] = "auto"  # fmt: skip
    size: Annotated[
        Annotated[int, Within(8, 1_000_000)] | Auto,
        About("most tokens; auto: 30000 words, 1000 characters, 4000 pieces"),
    ] = "auto"
    lowercase: Annotated[
        bool | Auto, About("whether capitals count as small letters; auto: for classes by words")
    ] = "auto"
    length: Annotated[
        Annotated[int, Within(1, 1 << 20)] | Auto,
        About("most tokens of a text, or of the context of a language model; auto: the longest "
              "text, at most 256 for classes and 64 for translation; 64 for language models"),
    ] = "auto"  # fmt: skip
    ngrams: Annotated[
        Annotated[int, Within(1, 5)],
        About("longest runs of tokens that a bag of them counts as one, if they occur twice"),
    ] = 2
    subwords: Annotated[
        bool | Auto,
        About("whether runs of three to five letters in words count, too; auto: in bag and nbsvm"),
    ] = "auto"


@dataclass(frozen=True)
class NetworkSettings(NetworkChoice):
    """The network; see ``docs/text.md``."""

    NETWORKS: ClassVar[Mapping[str, Network]] = NETWORKS
    UNSET: ClassVar[str] = "auto"

    name: str = "auto"

    @classmethod
    def options(cls) -> Mapping[str, Mapping[str, Any]]:
        known = super().options()
        every = dict.fromkeys(key for settings in known.values() for key in settings)
        return {"auto": every, **known}

    def chosen(self, family: str) -> NetworkSettings:
        """The network for a family of tasks, with the settings that were given. ConfigError for one
        that is for others."""
        allowed = networks_for(family)
        if self.name == "auto":
            given = {key: value for key, value in self.settings.items() if value is not None}
            return NetworkSettings(allowed[0], given)
        if self.name not in allowed:
            raise ConfigError(
                f"`model.name` is {self.name!r}, which is not for this task",
                help=f"use {' or '.join(allowed)}",
            )
        return self

    def check(self) -> None:
        if self.name != "auto":
            NETWORKS[self.name].check(self.settings)


@dataclass(frozen=True)
class TextOptimizerSettings(OptimizerSettings):
    """The optimizer; auto: that of the network."""

    UNSET: ClassVar[str] = "auto"

    name: str = "auto"

    @classmethod
    def options(cls) -> Mapping[str, Mapping[str, Any]]:
        known = methods.optimizers()
        known = {**known, "adamw": {**known["adamw"], "betas": (0.9, 0.99)}}
        used = {network.optimizer for network in NETWORKS.values()}
        every = dict.fromkeys(key for name in sorted(used) for key in known[name])
        return {"auto": every, **known}

    def chosen(self, network: str) -> TextOptimizerSettings:
        """That of the network, unless one was named, with the settings that were given."""
        if self.name != "auto":
            return self
        given = {key: value for key, value in self.settings.items() if value is not None}
        return TextOptimizerSettings(NETWORKS[network].optimizer, given)

    def check(self) -> None:
        if self.name != "auto":
            super().check()


@dataclass(frozen=True)
class TextScheduleSettings(ScheduleSettings):
    """The learning rate schedule."""

    name: str = "cosine"

    @classmethod
    def options(cls) -> Mapping[str, Mapping[str, Any]]:
        known = super().options()
        return {**known, "cosine": {**known["cosine"], "warmup": 0.05}}


@dataclass(frozen=True)
class TextClipSettings(ClipSettings):
    """Gradient clipping; 0: off."""

    global_norm: Annotated[
        Annotated[float, Within(0.0)], About("maximum norm of all gradients together")
    ] = 1.0


@dataclass(frozen=True)
class TextEarlyStoppingSettings(EarlyStoppingSettings):
    """Stops training when the monitored metric stops improving."""

    patience: Annotated[
        Annotated[int, Within(1, 1_000_000)],
        About("stop after this many epochs without improvement"),
    ] = PATIENCE


@dataclass(frozen=True)
class TextTrainSettings(TrainSettings):
    """Training."""

    UNITS: ClassVar[str] = "text"
    INSTEAD: ClassVar[Mapping[str, str]] = {"mixup": "set it to 0", "input_noise": "set it to 0"}

    epochs: MostEpochs = EPOCHS
    optimizer: TextOptimizerSettings = field(default_factory=TextOptimizerSettings)
    schedule: TextScheduleSettings = field(default_factory=TextScheduleSettings)
    clip: TextClipSettings = field(default_factory=TextClipSettings)
    early_stopping: TextEarlyStoppingSettings = field(default_factory=TextEarlyStoppingSettings)

    def check(self) -> None:
        super().check()
        if self.label_smoothing:
            raise ConfigError("`train.label_smoothing` is not for text", help="set it to 0")


@dataclass(frozen=True)
class TextSettings(RunSettings):
    """The settings of a run on text. The same settings and data give the same bits."""

    DECIDED_BY_DATA: ClassVar[tuple[str, ...]] = (
        "data.windows", "tokenizer.kind", "tokenizer.size", "tokenizer.lowercase",
        "tokenizer.length", "tokenizer.subwords", "model.name", "train.batch_size", "train.lr",
        "train.loss", "train.optimizer.name",
    )  # fmt: skip

    name: RunName = ""
    seed: Annotated[Seed, About("seed of the split, initial weights, shuffling and dropout")] = 0
    data: TextDataSettings = field(default_factory=TextDataSettings)
    tokenizer: TokenizerSettings = field(default_factory=TokenizerSettings)
    model: NetworkSettings = field(default_factory=NetworkSettings)
    train: TextTrainSettings = field(default_factory=TextTrainSettings)
    observe: ObserveSettings = field(default_factory=ObserveSettings)
    output: OutputSettings = field(default_factory=OutputSettings)

    @property
    def tokens(self) -> tuple[TokenizerKind, int, bool]:
        """Kind, size, and whether capitals are small letters, with what the task decides."""
        usual, most = TOKENS[self.data.family]
        own = self.tokenizer
        kind = usual if own.kind == "auto" else own.kind
        size = (most if kind == usual else 4_000) if own.size == "auto" else own.size
        small = self.data.family == "classes" and kind == "word"
        return kind, size, small if own.lowercase == "auto" else own.lowercase

    @property
    def language_steps(self) -> int:
        """Steps of an epoch of a language model of a long text."""
        network = self.model.chosen("language").name
        muon = self.train.optimizer.chosen(network).name == "muon"
        return MUON_STEPS if muon else LANGUAGE_STEPS

    def length_for(self, longest: int) -> int:
        """Tokens of a text, if the longest has so many."""
        if not isinstance(self.tokenizer.length, str):
            return self.tokenizer.length
        if self.data.family == "language":
            return CONTEXT
        return max(1, min(longest, LONGEST[self.data.family]))

    def resolved(self, rows: int, task: type[Task], length: int) -> TextSettings:
        """The same without `auto`, for so many training examples of texts of this ``length``."""
        kind, size, lowercase = self.tokens
        family = self.data.family
        model = self.model.chosen("numbers" if task is Regression else family)
        network, batch, lr = NETWORKS[model.name], self.train.batch_size, self.train.lr
        optimizer = self.train.optimizer.chosen(model.name)
        if lr == "auto" and optimizer.name in network.rates:
            lr = network.rates[optimizer.name]
        train = replace(
            self.train,
            batch_size=batch_size_for(family, rows) if batch == "auto" else batch,
            lr=lr,
            optimizer=optimizer,
        )
        windows = rows if self.data.windows == "auto" else self.data.windows
        return replace(
            self,
            data=replace(self.data, windows=windows),
            tokenizer=replace(
                self.tokenizer,
                kind=kind,
                size=size,
                lowercase=lowercase,
                length=length,
                subwords=self._subwords(network, kind),
            ),
            model=model,
            train=train.resolved(rows, task),
        )

    def _subwords(self, network: TextNetwork, kind: TokenizerKind) -> bool:
        """Whether runs of letters are features, too. ConfigError where they cannot be."""
        own, possible = self.tokenizer.subwords, network.features and kind == "word"
        if own == "auto":
            return possible
        if own and not possible:
            raise ConfigError(
                "`tokenizer.subwords` is for words, read by nbsvm or bag",
                help="leave it out, or set model.name and tokenizer.kind",
            )
        return own is True


def batch_size_for(family: str, rows: int) -> int:
    """A power of two that makes about 64 steps of an epoch, from 8 up to that of the task; that of
    language models is nanoGPT's."""
    most = BATCH[family]
    if family == "language":
        return most
    return min(max(SMALLEST_BATCH, 1 << (max(rows // EPOCH_STEPS, 1) - 1).bit_length()), most)
