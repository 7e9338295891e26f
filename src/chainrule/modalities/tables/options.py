"""The options that tables add to the commands."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import ConfigError
from ...runs.option import Option, Options

__all__ = ["OPTIONS", "SOURCES", "column_kinds", "missing_values"]

SOURCES = (
    "a table: a csv, tsv, parquet or jsonl file, plain or gzipped;",
    "  bundled: heart, breast_cancer, diabetes",
)
COLUMN_KINDS = ("number", "boolean", "category", "datetime", "text", "ignored")
TASKS = ("binary", "multiclass", "regression")


def missing_values(pairs: Sequence[str]) -> dict[str, list[str | int | float]] | None:
    """``("chol=0", "sex=?,unknown")`` as ``{"chol": [0], "sex": ["?", "unknown"]}``."""
    columns: dict[str, list[str | int | float]] = {}
    for pair in pairs:
        column, mark, values = pair.partition("=")
        if not mark or not column or not values:
            raise ConfigError(f"{pair!r} is not COLUMN=VALUE", where="--missing")
        columns.setdefault(column, []).extend(_number_or_text(v) for v in values.split(","))
    return columns or None


def _number_or_text(text: str) -> str | int | float:
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def column_kinds(pairs: Sequence[str]) -> dict[str, str] | None:
    """``("zip=category",)`` as ``{"zip": "category"}``."""
    kinds = {}
    for pair in pairs:
        column, mark, kind = pair.rpartition("=")
        if not mark or not column:
            raise ConfigError(f"{pair!r} is not COLUMN=KIND", where="--column")
        kinds[column] = kind
    return kinds or None


def layer_sizes(text: str) -> tuple[int, ...]:
    """``64,64`` or ``64-64`` as a tuple; an empty text is no layer."""
    if not text.strip():
        return ()
    try:
        return tuple(int(part) for part in text.replace("-", ",").split(","))
    except ValueError:
        raise ConfigError(
            f"{text!r} is not a list of whole numbers such as 64,64", where="--layers"
        ) from None


def class_weights(text: str) -> str | dict[str, float]:
    """``balanced``, or ``yes=2,no=1`` as ``{"yes": 2.0, "no": 1.0}``."""
    if text in ("balanced", "none"):
        return text
    try:
        pairs = [part.rpartition("=") for part in text.split(",")]
        return {name: float(weight) for name, _, weight in pairs}
    except ValueError:
        raise ConfigError(
            f"{text!r} is neither `balanced` nor weights such as yes=2,no=1",
            where="--class-weights",
        ) from None


def levels(text: str) -> tuple[float, ...]:
    """``0.1,0.5,0.9`` as a tuple."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(
            f"{text!r} is not a list of numbers such as 0.1,0.5,0.9", where="--quantiles"
        ) from None


def share(text: str) -> float:
    """``0.9``, or ``90%``, as a number."""
    try:
        return float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        raise ConfigError(f"{text!r} is not a share such as 0.9", where="--interval") from None


PRESETS = ("fast", "good", "best", "tabm", "realmlp")
PRESET = Option("preset", "Named set of settings to start from.", choices=PRESETS)
TARGET = Option(
    "target",
    "Column to predict.",
    "COLUMN",
    once="chainrule train takes the others as --also COLUMN: each gets a network, and "
    "none is an input.",
)
ALSO = Option("also", "Another column to predict. Can be repeated.", "COLUMN", several=True)
QUERY = Option("query", "SELECT that picks rows and columns; the table is called data.", "SQL")
TASK = Option("task", "Override the task inferred from the target.", choices=TASKS)
MISSING = Option(
    "missing",
    "Value that stands for missing data, such as chol=0. Can be repeated.",
    "COLUMN=VALUE",
    several=True,
    read=missing_values,
)
COLUMN = Option(
    "columns",
    f"Override the kind of a column: {', '.join(COLUMN_KINDS)}. Can be repeated.",
    "COLUMN=KIND",
    flag="--column",
    several=True,
    read=column_kinds,
)
LAYERS = Option(
    "layers", "Sizes of the hidden layers; '' for a linear model.", "N,N", read=layer_sizes
)
DROPOUT = Option("dropout", "Dropout probability.", "FLOAT", read=float)
WEIGHT_DECAY = Option("weight_decay", "Weight decay.", "FLOAT", read=float)
TEST = Option("test", "File with rows to test on, instead of a part of DATA.", "FILE")
VALID = Option("valid", "File with rows for validation, instead of a part of DATA.", "FILE")
SPLIT_GROUP = Option("split_group", "Keep the rows of each group of COLUMN in one part.", "COLUMN")
SPLIT_TIME = Option("split_time", "Train on the earliest rows by COLUMN, test on the latest.",
                    "COLUMN")  # fmt: skip
SPLITS = (TEST, VALID, SPLIT_GROUP, SPLIT_TIME)
ENSEMBLE = Option("ensemble", "Networks trained as one, which answer together.", "K", read=int)
QUANTILES = Option("quantiles", "Quantiles to predict, such as 0.1,0.5,0.9.", "Q,Q", read=levels)
TRANSFORM = Option("transform", "What a skewed target is learned as.",
                   choices=("auto", "log", "sqrt", "asinh", "none"))  # fmt: skip
CLASS_WEIGHTS = Option("class_weights", "How much classes count: balanced, or CLASS=NUMBER,...",
                       "WEIGHTS", read=class_weights)  # fmt: skip
LEARNED = (QUANTILES, TRANSFORM, CLASS_WEIGHTS)
NETWORK = (ENSEMBLE, LAYERS, DROPOUT, WEIGHT_DECAY)
KEEP = Option("keep", "Copy this column to the output. Can be repeated.", "COLUMN", several=True)
INTERVAL = Option("interval", "Also write from where to where this share of true values is "
                  "expected: 0.5, 0.8, 0.9 or 0.95.", "SHARE", read=share)  # fmt: skip

OPTIONS: Options = {
    "train": (PRESET, TARGET, ALSO, QUERY, TASK, MISSING, COLUMN, *SPLITS, *LEARNED, *NETWORK),
    "init": (PRESET, TARGET, QUERY, TASK, MISSING, *SPLITS),
    "check": (PRESET, TARGET, QUERY, *SPLITS),
    "find-lr": (PRESET, TARGET, QUERY),
    "predict": (KEEP, QUERY, INTERVAL),
    "eval": (QUERY,),
}
