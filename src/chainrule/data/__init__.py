"""Data: what every kind of it needs, and tables. Independent of the engine.

table = read_table("heart.csv")
data = prepare(table, "disease", TablePlan(missing={"chol": [0]}))
data.train.features.numeric, data.train.target, data.pipeline.to_json()

The names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chainrule.lazily import loaded

if TYPE_CHECKING:
    from chainrule.data.findings import CODES as CODES
    from chainrule.data.findings import Finding as Finding
    from chainrule.data.findings import Setting as Setting
    from chainrule.data.split import Split as Split
    from chainrule.data.split import shuffled as shuffled
    from chainrule.data.split import split_rows as split_rows
    from chainrule.data.tables.bundles import BUNDLED as BUNDLED
    from chainrule.data.tables.bundles import Bundled as Bundled
    from chainrule.data.tables.bundles import bundled as bundled
    from chainrule.data.tables.bundles import resolve_source as resolve_source
    from chainrule.data.tables.features import Features as Features
    from chainrule.data.tables.fit import FitOptions as FitOptions
    from chainrule.data.tables.plan import TablePlan as TablePlan
    from chainrule.data.tables.prepare import Prepared as Prepared
    from chainrule.data.tables.prepare import PreparedRows as PreparedRows
    from chainrule.data.tables.prepare import divide as divide
    from chainrule.data.tables.prepare import prepare as prepare
    from chainrule.data.tables.preprocessor import Preprocessor as Preprocessor
    from chainrule.data.tables.preprocessor import read_target as read_target
    from chainrule.data.tables.schema import Column as Column
    from chainrule.data.tables.schema import Kind as Kind
    from chainrule.data.tables.schema import Schema as Schema
    from chainrule.data.tables.schema import infer_schema as infer_schema
    from chainrule.data.tables.source import read_table as read_table
    from chainrule.data.tables.table import Table as Table
    from chainrule.data.tables.target import Target as Target
    from chainrule.data.tables.target import Task as Task

#: where each public name is defined
_HOMES = {
    "CODES": "findings",
    "Finding": "findings",
    "Setting": "findings",
    "Split": "split",
    "shuffled": "split",
    "split_rows": "split",
    "BUNDLED": "tables.bundles",
    "Bundled": "tables.bundles",
    "bundled": "tables.bundles",
    "resolve_source": "tables.bundles",
    "FitOptions": "tables.fit",
    "TablePlan": "tables.plan",
    "Prepared": "tables.prepare",
    "PreparedRows": "tables.prepare",
    "divide": "tables.prepare",
    "prepare": "tables.prepare",
    "Features": "tables.features",
    "Preprocessor": "tables.preprocessor",
    "read_target": "tables.preprocessor",
    "Column": "tables.schema",
    "Kind": "tables.schema",
    "Schema": "tables.schema",
    "infer_schema": "tables.schema",
    "read_table": "tables.source",
    "Table": "tables.table",
    "Target": "tables.target",
    "Task": "tables.target",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    return loaded(name, _HOMES, __name__)
