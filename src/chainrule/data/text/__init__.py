"""Texts: read, made into numbers, and counted. Independent of the engine.

The names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chainrule.lazily import loaded

if TYPE_CHECKING:
    from chainrule.data.text.bundles import BUNDLED_TEXTS as BUNDLED_TEXTS
    from chainrule.data.text.bundles import BundledText as BundledText
    from chainrule.data.text.bundles import bundled_text as bundled_text
    from chainrule.data.text.columns import CLASS as CLASS
    from chainrule.data.text.columns import TEXT as TEXT
    from chainrule.data.text.columns import folder_columns as folder_columns
    from chainrule.data.text.columns import is_texts as is_texts
    from chainrule.data.text.columns import line_columns as line_columns
    from chainrule.data.text.columns import parallel_columns as parallel_columns
    from chainrule.data.text.columns import text_columns as text_columns
    from chainrule.data.text.counts import NaiveBayes as NaiveBayes
    from chainrule.data.text.counts import Successors as Successors
    from chainrule.data.text.learning import LEAST_BYTE_PAIRS as LEAST_BYTE_PAIRS
    from chainrule.data.text.learning import learn_tokenizer as learn_tokenizer
    from chainrule.data.text.memory import TranslationMemory as TranslationMemory
    from chainrule.data.text.ngrams import NGrams as NGrams
    from chainrule.data.text.ngrams import learn_ngrams as learn_ngrams
    from chainrule.data.text.ngrams import padded as padded
    from chainrule.data.text.reading import ENDINGS as ENDINGS
    from chainrule.data.text.reading import MOST_BYTES as MOST_BYTES
    from chainrule.data.text.reading import list_texts as list_texts
    from chainrule.data.text.reading import read_lines as read_lines
    from chainrule.data.text.reading import read_text as read_text
    from chainrule.data.text.reading import text_pieces as text_pieces
    from chainrule.data.text.subwords import Subwords as Subwords
    from chainrule.data.text.subwords import learn_subwords as learn_subwords
    from chainrule.data.text.tokenizer import END as END
    from chainrule.data.text.tokenizer import KINDS as KINDS
    from chainrule.data.text.tokenizer import PADDING as PADDING
    from chainrule.data.text.tokenizer import START as START
    from chainrule.data.text.tokenizer import UNKNOWN as UNKNOWN
    from chainrule.data.text.tokenizer import Codes as Codes
    from chainrule.data.text.tokenizer import Tokenizer as Tokenizer
    from chainrule.data.text.tokenizer import TokenizerKind as TokenizerKind

#: where each public name is defined
_HOMES = {
    "BUNDLED_TEXTS": "bundles",
    "BundledText": "bundles",
    "bundled_text": "bundles",
    "CLASS": "columns",
    "TEXT": "columns",
    "folder_columns": "columns",
    "is_texts": "columns",
    "line_columns": "columns",
    "parallel_columns": "columns",
    "text_columns": "columns",
    "NaiveBayes": "counts",
    "Successors": "counts",
    "LEAST_BYTE_PAIRS": "learning",
    "learn_tokenizer": "learning",
    "TranslationMemory": "memory",
    "NGrams": "ngrams",
    "learn_ngrams": "ngrams",
    "padded": "ngrams",
    "ENDINGS": "reading",
    "MOST_BYTES": "reading",
    "list_texts": "reading",
    "read_lines": "reading",
    "read_text": "reading",
    "text_pieces": "reading",
    "Subwords": "subwords",
    "learn_subwords": "subwords",
    "END": "tokenizer",
    "KINDS": "tokenizer",
    "PADDING": "tokenizer",
    "START": "tokenizer",
    "UNKNOWN": "tokenizer",
    "Codes": "tokenizer",
    "Tokenizer": "tokenizer",
    "TokenizerKind": "tokenizer",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    return loaded(name, _HOMES, __name__)
