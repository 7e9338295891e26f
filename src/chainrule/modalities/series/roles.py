"""Which column is what: inferred from names and contents, overruled by settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...data import Finding, Setting, Table
from ...data.series.stamps import stamp_pattern
from ...errors import DataError
from .settings import SeriesDataSettings

__all__ = ["Roles", "infer_roles"]

#: as other libraries and people call them, the likeliest first
TIMES = ("ds", "date", "datetime", "timestamp", "time", "period", "day", "week", "month", "quarter",
         "year", "t", "step", "index")  # fmt: skip
GROUPS = ("unique_id", "item_id", "series_id", "series", "group", "id", "name", "ticker", "symbol",
          "indicator", "item", "store", "sensor", "station", "region", "country",
          "product")  # fmt: skip
TARGETS = ("y", "value", "target", "values")
MOST_TRIED = 12


@dataclass(frozen=True)
class Roles:
    """The columns of the time stamps, of the series (none: a single one), and of the target."""

    time: str
    group: tuple[str, ...]
    target: str


def infer_roles(table: Table, data: SeriesDataSettings) -> tuple[Roles, list[Finding]]:
    """The roles of columns. DataError, which says what to name, if they cannot be told."""
    given = (data.time, *data.group, data.target, *data.known, *data.past, *data.static)
    for column in filter(None, given):
        table.index(column)
    time = data.time or _time(table, set(given))
    free = [c for c in table.columns if c != time and c not in given]
    group = data.group or _group(table, time, free)
    target = data.target or _target(table, [c for c in free if c not in group])
    roles = Roles(time, tuple(group), target)
    return roles, _findings(table, roles, data)


def _by_name(columns: Sequence[str], names: Sequence[str]) -> list[str]:
    """The columns that are called like one of ``names``, in their order."""
    lower = {c.lower().strip(): c for c in reversed(columns)}
    return [lower[name] for name in names if name in lower]


def _listed(table: Table) -> str:
    return f"the columns are {', '.join(table.columns[:12])}"


def _time(table: Table, taken: set[str]) -> str:
    free = [c for c in table.columns if c not in taken]
    dated = [c for c in free if _is_time(table, c)]
    named = _by_name(dated, TIMES)
    if named or len(dated) == 1:
        return (named or dated)[0]
    numbered = [c for c in _by_name(free, TIMES) if table.stats(c).whole]
    if not dated and numbered:
        return numbered[0]
    what = f"{len(dated)} columns hold time stamps" if dated else "no column holds time stamps"
    raise DataError(
        what, where=table.name, help=f"name the one to use: --time COLUMN; {_listed(table)}"
    )


def _is_time(table: Table, column: str) -> bool:
    stats = table.stats(column)
    if stats.storage == "datetime":
        return True
    if stats.storage != "text" or not stats.distinct:
        return False
    [first] = [chunk[column][0] for _, chunk in table.read({column: "text"})][:1]
    return first is not None and stamp_pattern(first) in ("quarter", "month")


def _group(table: Table, time: str, free: Sequence[str]) -> tuple[str, ...]:
    if table.stats(time).distinct == table.n_rows:
        return ()
    texts = [c for c in free if table.stats(c).storage in ("text", "boolean")]
    whole = [c for c in _by_name(free, GROUPS) if table.stats(c).whole]
    tried = list(dict.fromkeys([*_by_name(texts, GROUPS), *texts, *whole]))[:MOST_TRIED]
    for column in tried:
        if _tells_apart(table, (column, time)):
            return (column,)
    for i, one in enumerate(tried):
        for other in tried[i + 1 :]:
            if _tells_apart(table, (one, other, time)):
                return (one, other)
    if not tried:
        return ()  # rows that occur twice are an error with their place
    raise DataError(
        f"time stamps in `{time}` repeat, and no column tells the series apart",
        where=table.name,
        help=f"name it: --group COLUMN (may be repeated); {_listed(table)}",
    )


def _tells_apart(table: Table, columns: Sequence[str]) -> bool:
    """Whether no two rows have the same values in all of the columns."""
    seen: set[tuple[object, ...]] = set()
    for _, chunk in table.read(dict.fromkeys(columns, "text")):
        rows = list(zip(*(chunk[c].tolist() for c in columns), strict=True))
        before = len(seen)
        seen.update(rows)
        if len(seen) < before + len(rows):
            return False
    return True


def _target(table: Table, free: Sequence[str]) -> str:
    numeric = [c for c in free if table.stats(c).storage == "number"]
    named = _by_name(numeric, TARGETS)
    if named or len(numeric) == 1:
        return (named or numeric)[0]
    if not numeric:
        raise DataError(
            "no column holds numbers to forecast", where=table.name, help=_listed(table)
        )
    raise DataError(
        f"{len(numeric)} columns hold numbers: {', '.join(numeric[:8])}",
        where=table.name,
        help="name the one to forecast: --target COLUMN",
    )


def _findings(table: Table, roles: Roles, data: SeriesDataSettings) -> list[Finding]:
    findings = []
    by = ", ".join(roles.group) or "no column: it is a single series"
    if not (data.time and data.target and (data.group or not roles.group)):
        evidence = f"time `{roles.time}`, target `{roles.target}`, series by {by}"
        advice = "--time, --target and --group say otherwise"
        findings.append(Finding("D401", "info", "columns were recognised", evidence, advice))
    used = {roles.time, roles.target, *roles.group, *data.known, *data.past, *data.static}
    rest = [c for c in table.columns if c not in used]
    if rest:
        text = "columns that are not used"
        findings.append(
            Finding("D402", "info", text, ", ".join(rest[:12]),
                    "or --known, if it helps and is known when forecasts are made",
                    Setting(("data", "past"), tuple(rest[:1])))
        )  # fmt: skip
    return findings
