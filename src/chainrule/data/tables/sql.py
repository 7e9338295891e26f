"""The SQL that is sent to DuckDB."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.data.tables.number_form import NumberForm

__all__ = ["CHUNK_ROWS"]

# Part of the meaning of fitted statistics: sums run over chunks of this many rows.
CHUNK_ROWS = 16384
# Words that stand for a missing number or date in a text file.
MISSING_WORDS = ("na", "n/a", "#n/a", "nan", "null", "none", "?", "-", "--", ".", "missing")
NUMBER_TYPES = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT",
                "UINTEGER", "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL")  # fmt: skip
WORDS = "(" + ", ".join(f"'{w}'" for w in MISSING_WORDS) + ")"
BLANKS = r"E' \t\n\r'"
ISO_DATE = r"'\d{4}-\d{1,2}-\d{1,2}([ T].*)?'"


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def name_of(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def family(type: str) -> str:
    """number, boolean, datetime, text or nested: what a DuckDB type can be read as."""
    base = type.split("(")[0]
    if type.endswith("]"):
        return "nested"
    if base in NUMBER_TYPES:
        return "number"
    if base == "BOOLEAN":
        return "boolean"
    if base == "DATE" or base.startswith("TIMESTAMP"):
        return "datetime"
    return "text" if base in ("VARCHAR", "ENUM", "UUID", "TIME", "JSON", '"NULL"') else "nested"


def as_text(cell: str, type: str) -> str:
    return f"({cell} ->> '$')" if type == "JSON" else f"CAST({cell} AS VARCHAR)"


def unblanked(text: str) -> str:
    """``text`` without blanks around it. Few cells have any, and looking is quicker."""
    blank = quoted(r"^[ \t\n\r]|[ \t\n\r]$")
    return f"CASE WHEN regexp_matches({text}, {blank}) THEN trim({text}, {BLANKS}) ELSE {text} END"


def trimmed(cell: str, type: str) -> str:
    """The text of a cell without blanks around it; NULL when nothing is left."""
    return f"NULLIF(trim({as_text(cell, type)}, {BLANKS}), '')"


def is_word(text: str) -> str:
    return f"(lower({text}) IN {WORDS})"


def cast_number(text: str) -> str:
    # DuckDB also reads 1_000 as a number; a table that says so means something else.
    return f"TRY_CAST(replace({text}, '_', 'x') AS DOUBLE)"


def cast_time(text: str, date_format: str | None) -> str:
    """A moment in UTC. A plain TIMESTAMP would drop an offset such as +02 without a word.

    Of several formats, joined by ``|``, the first that fits is taken.
    """
    forms = [f.removesuffix("iso") for f in (date_format or "").split("|")]
    moment = f"(TRY_CAST({text} AS TIMESTAMPTZ) AT TIME ZONE 'UTC')"
    iso = f"(CASE WHEN regexp_full_match({text}, {ISO_DATE}) THEN {moment} END)"
    others = ", ".join(quoted(f) for f in forms if f)
    if not others:
        return iso
    written = f"CAST(try_strptime({text}, [{others}]) AS TIMESTAMP)"
    # 01/05/24 would be a day of the year 24.
    written = f"(CASE WHEN {written} >= TIMESTAMP '1000-01-01' THEN {written} END)"
    return f"coalesce({iso}, {written})" if "" in forms else written


def without(
    cell: str, type: str, missing: Sequence[str | float | int | bool], form: str = ""
) -> str:
    """``cell``, or NULL where it is one of ``missing``; text is compared as text and as number,
    which it spells in ``form``."""
    text = trimmed(cell, type)
    tests = []
    for value in missing:
        if isinstance(value, bool | str):
            tests.append(f"lower({text}) = {quoted(str(value).strip().lower())}")
        number = None if isinstance(value, bool) else _as_float(value)
        if number is not None and family(type) in ("number", "text"):
            tests.append(f"{number_of(cell, type, form)} = CAST('{number!r}' AS DOUBLE)")
    if not tests:
        return cell
    return f"(CASE WHEN {' OR '.join(tests)} THEN NULL ELSE {cell} END)"


def _as_float(value: str | float) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def number_of(cell: str, type: str, form: str = "") -> str:
    """The number of a cell, NULL where there is none; ``form`` is how text spells it."""
    if family(type) == "boolean":
        return f"CAST(CAST({cell} AS TINYINT) AS DOUBLE)"
    return f"NULLIF({plain_number_of(cell, type, form)}, CAST('nan' AS DOUBLE))"


def plain_number_of(cell: str, type: str, form: str = "") -> str:
    """As `number_of`, but it may be NaN. It names ``cell`` once: NULLIF and CASE double what is in
    them, and a statement over a thousand columns would be planned for minutes."""
    if family(type) == "boolean":
        return number_of(cell, type)
    if family(type) == "number":
        return f"CAST({cell} AS DOUBLE)"
    written = NumberForm.parse(form) if form else None
    if written is not None:
        return written.value(trimmed(cell, type))
    return cast_number(as_text(cell, type))  # which leaves out blanks by itself


def truth_of(cell: str, type: str) -> str:
    """1.0 for true, 0.0 for false, in any writing of them; NULL for everything else."""
    text = f"lower({trimmed(cell, type)})"
    return (
        f"(CASE WHEN {text} IN ('true', '1', '1.0') THEN 1.0 "
        f"WHEN {text} IN ('false', '0', '0.0') THEN 0.0 END)"
    )


def time_of(cell: str, type: str, date_format: str | None) -> str:
    if family(type) == "number":  # 20240105
        return cast_time(f"CAST(TRY_CAST({cell} AS BIGINT) AS VARCHAR)", date_format)
    if family(type) == "datetime":
        zone = " AT TIME ZONE 'UTC'" if "WITH TIME ZONE" in type else ""
        return f"CAST({cell}{zone} AS TIMESTAMP)"
    return cast_time(trimmed(cell, type), date_format)


def text_of(cell: str, type: str, as_number: bool = False, form: str = "") -> str:
    """The text of a cell; of numbers the shortest form, so that 1 and 1.0 are one category."""
    if as_number or family(type) == "number":
        # Adding zero makes -0.0 and 0.0 one text as well.
        number = number_of(cell, type, form)
        return f"regexp_replace(CAST({number} + 0.0 AS VARCHAR), '\\.0$', '')"
    return trimmed(cell, type)


def unreadable(cell: str, type: str, value: str, families: Sequence[str]) -> str:
    """A condition that finds cells which hold something but not ``value``; empty for ``families``,
    whose cells can always be read."""
    if family(type) in families:
        return ""
    text = trimmed(cell, type)
    return f"{text} IS NOT NULL AND NOT {is_word(text)} AND {value} IS NULL"
