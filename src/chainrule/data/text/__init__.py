"""Texts: read, made into numbers, and counted. Independent of the engine."""

from chainrule.data.text.bundles import BUNDLED_TEXTS, BundledText, bundled_text
from chainrule.data.text.columns import (
    CLASS,
    TEXT,
    folder_columns,
    is_texts,
    line_columns,
    parallel_columns,
    text_columns,
)
from chainrule.data.text.counts import NaiveBayes, Successors
from chainrule.data.text.learning import LEAST_BYTE_PAIRS, learn_tokenizer
from chainrule.data.text.memory import TranslationMemory
from chainrule.data.text.ngrams import NGrams, learn_ngrams, padded
from chainrule.data.text.reading import (
    ENDINGS,
    MOST_BYTES,
    list_texts,
    read_lines,
    read_text,
    text_pieces,
)
from chainrule.data.text.subwords import Subwords, learn_subwords
from chainrule.data.text.tokenizer import (
    END,
    KINDS,
    PADDING,
    START,
    UNKNOWN,
    Codes,
    Tokenizer,
    TokenizerKind,
)

__all__ = [
    "BUNDLED_TEXTS",
    "CLASS",
    "END",
    "ENDINGS",
    "KINDS",
    "LEAST_BYTE_PAIRS",
    "MOST_BYTES",
    "PADDING",
    "START",
    "TEXT",
    "UNKNOWN",
    "BundledText",
    "Codes",
    "NGrams",
    "NaiveBayes",
    "Subwords",
    "Successors",
    "Tokenizer",
    "TokenizerKind",
    "TranslationMemory",
    "bundled_text",
    "folder_columns",
    "is_texts",
    "learn_ngrams",
    "learn_subwords",
    "learn_tokenizer",
    "line_columns",
    "list_texts",
    "padded",
    "parallel_columns",
    "read_lines",
    "read_text",
    "text_columns",
    "text_pieces",
]
