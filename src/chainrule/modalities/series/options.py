"""The options that series add to the commands."""

from __future__ import annotations

from ...runs.option import Option, Options

__all__ = ["OPTIONS", "SOURCES"]

SOURCES = (
    "series: a table with a row for each time stamp and series, and --horizon N",
    "  or --task forecasting; bundled: macrodata, stocks",
)

TARGET = Option("target", "Column to predict.", "COLUMN")
QUERY = Option("query", "SELECT that picks rows and columns; the table is called data.", "SQL")
TASK = Option("task", "Override the task inferred from the target.", choices=("forecasting",))
TIME = Option("time", "Column of the time stamps.", "COLUMN")
GROUP = Option(
    "group", "Column that tells several series apart. Can be repeated.", "COLUMN", several=True
)
HORIZON = Option("horizon", "Number of steps to forecast.", "N", read=int)
WINDOW = Option("window", "Number of steps to look back.", "N", read=int)
NETWORK = Option("network", "Network: nhits, dlinear, tsmixer, tcn, lstm.", "NAME")
KNOWN = Option(
    "known", "Column that is known for the future, too. Can be repeated.", "COLUMN", several=True
)
PAST = Option("past", "Column that is known for the past alone. Can be repeated.", "COLUMN",
              several=True)  # fmt: skip
STATIC = Option("static", "Column with one value for each series. Can be repeated.", "COLUMN",
                several=True)  # fmt: skip

COLUMNS = (TARGET, QUERY, TASK, TIME, GROUP, HORIZON, WINDOW, KNOWN, PAST, STATIC)

OPTIONS: Options = {
    "train": (*COLUMNS, NETWORK),
    "init": COLUMNS,
    "check": COLUMNS,
    "find-lr": COLUMNS,
    "predict": (HORIZON, QUERY),
    "eval": (QUERY,),
}
