"""Forms of numbers and dates that a user gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.data.tables.number_form import NumberForm
from chainrule.errors import ConfigError
from chainrule.lazily import Lazy

if TYPE_CHECKING:
    import duckdb
else:
    duckdb = Lazy("duckdb")

__all__ = ["check_format"]


def check_format(form: str, column: str) -> None:
    """ConfigError unless ``form`` is an example of a number, such as ``1.234,56``, ``iso``, or a
    format of dates such as ``%d/%m/%Y``; several of dates are joined by ``|``."""
    if form == "iso" or NumberForm.parse(form) is not None:
        return
    parts = [part for part in form.split("|") if part != "iso"]
    if all("%" in part and _is_date_format(part) for part in parts):
        return
    raise ConfigError(
        f"the format of column `{column}` is {form!r}",
        help="write 1234.56 as the column does, such as 1.234,56 or $1,234.56, or a date as "
        "%d/%m/%Y",
    )


def _is_date_format(form: str) -> bool:
    try:
        duckdb.execute("SELECT try_strptime('', ?)", [form])
    except duckdb.Error:
        return False
    return True
