"""Text to continue: opened, divided in its order, and made into stretches of tokens."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...arguments import user_path
from ...data import Finding
from ...data.gathering import ALONE, Gathering
from ...data.text import (
    END,
    UNKNOWN,
    Codes,
    Successors,
    Tokenizer,
    bundled_text,
    is_texts,
    learn_tokenizer,
    list_texts,
    text_pieces,
)
from ...data.text.pieces import own_pieces
from ...data.text.tokenizer import clean
from ...elementary import log
from ...errors import ConfigError, DataError
from ...records import check_shape, parsed
from ...runs.modality import PARTS, PartName
from ...runs.parts import PreparedParts
from ...runs.readers import readers
from ...tasks import Language
from ...train import Scores
from .preprocessor import FORMAT, LONGEST, SHAPE, VERSION, wrong
from .settings import BATCH, TextSettings
from .stretches import Stretches

__all__ = ["LanguagePreprocessor", "OpenedLanguage", "PreparedLanguage", "open_language",
           "texts_of"]  # fmt: skip

#: stretches that decide after each epoch when to stop, evenly spaced
JUDGES = 512
#: tokens before the next one that counting looks at: those of letters, and of longer tokens
LETTERS_BACK, TOKENS_BACK = 5, 3


@dataclass(frozen=True)
class LanguagePreprocessor:
    """The tokenizer, and how many tokens the network looks at."""

    tokenizer: Tokenizer
    length: int

    def encode(self, texts: Sequence[str], gathering: Gathering = ALONE) -> Codes:
        """All tokens of some texts, an end after each; each process encodes a share of them."""
        end = np.array([END], np.int32)
        found = [np.zeros(0, np.int32)]
        for piece, last in own_pieces(texts, gathering):
            found += [*self.tokenizer.encode([piece]), end][: 1 + last]
        return gathering.joined(np.concatenate(found))

    def to_json(self) -> str:
        """The text of ``pipeline.json``."""
        document = {
            "format": FORMAT, "version": VERSION, "family": "language", "length": self.length,
            "tokenizer": self.tokenizer.to_document(),
        }  # fmt: skip
        return json.dumps(document, ensure_ascii=False, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str) -> LanguagePreprocessor:
        """StateError, naming ``where``, for what `to_json` did not write."""
        document = parsed(text, "pipeline.json", where)
        check_shape(document, SHAPE, where)
        if (document["format"], document["version"]) != (FORMAT, VERSION):
            raise wrong(where, f"it is {document['format']!r} {document['version']!r}")
        if not 1 <= document["length"] <= LONGEST:
            raise wrong(where, f"its length is {document['length']}")
        return cls(Tokenizer.from_document(document["tokenizer"], where), document["length"])


def texts_of(source: object) -> tuple[str, Iterator[Iterator[str]]]:
    """The name of a source, and its texts, each in pieces: a text file, a folder of text files, or
    texts in memory."""
    bundle = bundled_text(source)
    if bundle:
        return bundle.name, iter([text_pieces(bundle.path)])
    if is_texts(source):
        assert isinstance(source, Sequence | np.ndarray)
        return "texts", (iter([str(text)]) for text in source)
    if not isinstance(source, str | os.PathLike):
        raise DataError(
            f"a {type(source).__name__} is no text to continue",
            help="pass the path of a text file, a folder of text files, or a list of texts",
        )
    if not str(source):
        raise ConfigError("there is no text to learn from", help="pass the path of a text file")
    path = user_path(source, "the text")
    if path.is_dir():
        files = list_texts(path, labelled=False).files
        return path.name, (text_pieces(file) for file in files)
    return path.name, iter([text_pieces(path)])


def open_language(settings: TextSettings, source: object) -> OpenedLanguage:
    """All texts of ``source``. DataError for what is no text, and for too little of it."""
    data = settings.data
    if data.text or data.source or data.parallel:
        raise ConfigError(
            "a language model reads text files, not columns",
            help="leave --text, --source and --parallel out",
        )
    name, found = texts_of(source)
    texts = ["".join(pieces) for pieces in found]
    bundle = bundled_text(source)
    if bundle:
        data = replace(data, path=bundle.name)
    elif isinstance(source, str | os.PathLike):
        data = replace(data, path=str(user_path(source, "the text").absolute()))
    data = replace(data, task="language", target=data.target or "text")
    named = replace(settings, data=data).named(Path(name).name.split(".")[0] or "text")
    return OpenedLanguage(tuple(map(clean, texts)), named)


@dataclass(frozen=True)
class OpenedLanguage:
    """Texts, one after the other."""

    texts: tuple[str, ...]
    settings: TextSettings

    @cached_property
    def fingerprint(self) -> str:
        digest = hashlib.sha256()
        for text in self.texts:
            data = text.encode("utf-8")
            digest.update(b"%d:" % len(data))
            digest.update(data)
        return f"sha256:{digest.hexdigest()}"

    def training_rows(self) -> int:
        data = self.settings.data
        if not isinstance(data.windows, str):
            return data.windows
        characters = sum(map(len, self.texts)) * data.split[0]
        return max(1, min(self.settings.language_steps * BATCH["language"], int(characters)))

    def divide(self, settings: TextSettings) -> tuple[list[str], list[str], list[str]]:
        """The texts of each part: the first share of all characters, the next one, the last."""
        total = sum(map(len, self.texts))
        first, second, _ = settings.data.split
        cuts = [0, round(total * first), round(total * (first + second)), total]
        parts: tuple[list[str], list[str], list[str]] = ([], [], [])
        begin = 0
        for text in self.texts:
            for part, low, high in zip(parts, cuts, cuts[1:], strict=False):
                own = text[max(low - begin, 0) : max(high - begin, 0)]
                if own:
                    part.append(own)
            begin += len(text)
        if not all(parts):
            raise DataError(
                f"{total} characters cannot be divided into three parts",
                help="pass a longer text; a useful model needs a hundred thousand characters",
            )
        return parts

    def prepare(self, settings: TextSettings, folder: Path | None) -> PreparedLanguage:
        """Learns the tokenizer from the training part, and encodes all parts."""
        parts = self.divide(settings)
        kind, size, lowercase = settings.tokens
        # Every process has all texts; each counts and encodes a share of them.
        gathering = Gathering(readers(settings))
        tokenizer = learn_tokenizer(parts[0], kind, size, lowercase=lowercase, gathering=gathering)
        length = settings.length_for(0)
        preprocessor = LanguagePreprocessor(tokenizer, length)
        codes = [preprocessor.encode(part, gathering) for part in parts]
        for name, own in zip(PARTS, codes, strict=True):
            if len(own) <= length:
                raise DataError(
                    f"the {name} part has {len(own)} tokens, and a stretch {length + 1}",
                    help="pass a longer text, or a shorter context (tokenizer.length)",
                )
        batch = settings.train.batch_size
        batch = batch if isinstance(batch, int) and batch else BATCH["language"]
        windows = settings.data.windows
        fitting = min(settings.language_steps * batch, len(codes[0]) - length)
        rows = fitting if isinstance(windows, str) else windows
        settings = settings.resolved(rows, Language, length)
        findings = _unknown(tokenizer, codes[1:])
        return PreparedLanguage(
            settings, self.settings.name, self.fingerprint, preprocessor,
            (codes[0], codes[1], codes[2]), sum(map(len, self.texts)), findings,
        )  # fmt: skip


def _unknown(tokenizer: Tokenizer, codes: Sequence[Codes]) -> tuple[Finding, ...]:
    count = sum(int(np.sum(own == UNKNOWN)) for own in codes)
    if not count:
        return ()
    every = sum(map(len, codes))
    message = "characters or words that the training text lacks cannot be predicted"
    evidence = f"{count} of {every} validation and test tokens"
    advice = 'tokenizer.kind = "byte-pair" has a token for everything'
    severe = count > every / 100
    return (Finding("D609", "warning" if severe else "info", message, evidence, advice),)


@dataclass(frozen=True)
class PreparedLanguage(PreparedParts[TextSettings]):
    """``codes``: the tokens of the training, validation and test part."""

    settings: TextSettings
    name: str
    fingerprint: str
    preprocessor: LanguagePreprocessor
    codes: tuple[Codes, Codes, Codes]
    characters: int
    findings: tuple[Finding, ...]

    def _stretches(self, part: PartName, count: int = 0, drawn: bool = False) -> Stretches:
        codes, pre = self.codes[PARTS.index(part)], self.preprocessor
        return Stretches(codes, pre.length, pre.tokenizer.size, count, drawn)

    def source(self, part: PartName) -> Stretches:
        if part == "validation":
            return self._judging(part)
        windows = self.settings.data.windows
        assert not isinstance(windows, str)
        drawn = part == "train"
        return self._stretches(part, windows if drawn else 0, drawn)

    def _judging(self, part: PartName) -> Stretches:
        """At most `JUDGES` stretches of a part, evenly spaced."""
        every = self._stretches(part)
        if every.rows <= JUDGES:
            return every
        step, length = every.rows // JUDGES, self.preprocessor.length
        codes = self.codes[PARTS.index(part)]
        picked = [codes[i * step * length :][: length + 1] for i in range(JUDGES)]
        return Fixed(np.stack(picked), self.preprocessor.tokenizer.size)

    def target(self, part: PartName) -> npt.NDArray[Any]:
        source = self._judging(part) if part == "validation" else self._stretches(part)
        if isinstance(source, Fixed):
            return source.arrays[0].reshape(-1, source.length + 1)
        codes, length = self.codes[PARTS.index(part)], self.preprocessor.length
        places = np.arange(source.rows)[:, None] * length + np.arange(length + 1)
        return np.asarray(codes[places])

    def tokens(self, part: PartName) -> list[Codes]:
        """The stretches of a part."""
        return list(self.target(part))

    @property
    def truth(self) -> npt.NDArray[Any]:
        return self.target("test")

    def rivals(self) -> dict[str, Scores]:
        """What counting says of the test part: with one token before the next, and with more."""
        tokenizer = self.preprocessor.tokenizer
        most = LETTERS_BACK if tokenizer.kind == "character" else TOKENS_BACK
        said = {}
        for back in (1, most):
            counted = Successors(self.codes[0], tokenizer.size, back + 1)
            nats = -log(counted.probabilities(self.truth))
            said[f"{back + 1}-grams"] = Scores(nats, "identity")
        return said

    @property
    def sizes(self) -> dict[str, int]:
        return {part: self.source(part).rows for part in PARTS}

    def data_facts(self) -> dict[str, Any]:
        return {**super().data_facts(), "task": "language", "characters": self.characters}

    def model_facts(self) -> dict[str, Any]:
        tokenizer = self.preprocessor.tokenizer
        return {
            "name": self.model_name,
            "tokens": f"{tokenizer.size:,} {tokenizer.kind} tokens",
            "length": self.preprocessor.length,
        }


class Fixed(Stretches):
    """Stretches that do not lie end to end: each is kept whole."""

    def __init__(self, stretches: npt.NDArray[np.int32], size: int) -> None:
        rows, width = stretches.shape
        super().__init__(stretches.reshape(-1), width - 1, size, rows)
        self.stride = width
