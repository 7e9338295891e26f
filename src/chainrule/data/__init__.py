"""Data: what every kind of it needs, and tables. Independent of the engine.

table = read_table("heart.csv")
data = prepare(table, "disease", missing={"chol": [0]})
data.train.features.numeric, data.train.target, data.pipeline.to_json()
"""

from chainrule.data.findings import CODES, Finding, Setting
from chainrule.data.split import Split, shuffled, split_rows
from chainrule.data.tables.bundles import BUNDLED, Bundled, bundled, resolve_source
from chainrule.data.tables.fit import FitOptions
from chainrule.data.tables.prepare import Prepared, PreparedRows, divide, prepare
from chainrule.data.tables.preprocessor import Features, Preprocessor, read_target
from chainrule.data.tables.schema import Column, Kind, Schema, infer_schema
from chainrule.data.tables.source import read_table
from chainrule.data.tables.table import Table
from chainrule.data.tables.target import Target, Task

__all__ = [
    "BUNDLED",
    "CODES",
    "Bundled",
    "Column",
    "Features",
    "Finding",
    "FitOptions",
    "Kind",
    "Prepared",
    "PreparedRows",
    "Preprocessor",
    "Schema",
    "Setting",
    "Split",
    "Table",
    "Target",
    "Task",
    "bundled",
    "divide",
    "infer_schema",
    "prepare",
    "read_table",
    "read_target",
    "resolve_source",
    "shuffled",
    "split_rows",
]
