"""One new row, as somebody types it: which columns are asked for, and how it is read."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.data.tables.encode import CategoryEncoder, Encoder, NumberEncoder
from chainrule.errors import DataError, meant

__all__ = ["Field", "field_of", "fields_of"]

#: categories that are listed
MOST = 100


@dataclass(frozen=True)
class Field:
    """One column of a new example: its name, what it may be (empty: anything), and a usual
    value."""

    name: str
    choices: tuple[str, ...] = ()
    usual: str = ""


def field_of(encoder: Encoder) -> Field:
    """The column of ``encoder``, with its categories, and a value that is usual in it."""
    if isinstance(encoder, NumberEncoder) and encoder.read_as == "truth":
        return Field(encoder.column, ("false", "true"), "true" if encoder.fill > 0.5 else "false")
    if isinstance(encoder, NumberEncoder):
        return Field(encoder.column, (), f"{encoder.fill:.4g}")
    if not isinstance(encoder, CategoryEncoder):
        return Field(encoder.column)
    known = tuple(category for category in encoder.categories if category is not None)
    return Field(encoder.column, known[:MOST], known[0] if known else "")


def fields_of(
    text: str | Mapping[str, Any], known: Sequence[str], target: str, where: str = "--row"
) -> dict[str, Any]:
    """``age=45,chest pain=typical``, or a JSON object, by column: all of ``known``, and perhaps the
    ``target``. An empty value is a missing one; a value with a comma stands in quotes:
    ``"note=a, b"``.

    DataError for what is neither, for columns that nobody knows, and for those that are not there.
    """
    if isinstance(text, str):
        fields = _object(text, where) if text.lstrip().startswith("{") else _pairs(text, where)
    else:
        fields = {name: "" if value is None else value for name, value in text.items()}
    names = (*known, target)
    for name in fields:
        if name not in names:
            raise DataError(
                f"the model knows no column `{name}`", where=where,
                help=f"{meant(name, names)}columns: {', '.join(known)}",
            )  # fmt: skip
    if lacking := [name for name in known if name not in fields]:
        raise DataError(
            f"the row lacks {', '.join(f'`{name}`' for name in lacking[:12])}"
            + (f" and {len(lacking) - 12} more" if len(lacking) > 12 else ""),
            where=where,
            help=f"give every column; what is not known stays empty: {lacking[0]}=",
        )
    return fields


def _object(text: str, where: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise DataError(f"this is not JSON: {error}", where=where) from None
    for name, value in document.items():
        if isinstance(value, dict | list):
            raise DataError(
                f"`{name}` is not one value", where=where, help="a row has one value for a column"
            )
    return {name: "" if value is None else value for name, value in document.items()}


def _pairs(text: str, where: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for part in next(csv.reader([text.strip()], skipinitialspace=True), []):
        name, equals, value = part.partition("=")
        if not equals:
            raise DataError(
                f"expected column=value, got {part!r}", where=where,
                help='such as age=45,sex=f; a value with a comma in quotes: "note=a, b"; or a JSON '
                "object, or a file with one row",
            )  # fmt: skip
        if name.strip() in fields:
            raise DataError(f"`{name.strip()}` is given twice", where=where)
        fields[name.strip()] = value.strip()
    return fields
