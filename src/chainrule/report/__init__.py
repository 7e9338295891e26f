"""The report of a run: an HTML page, a JSON document, or TensorBoard events."""

from .facts import report_facts
from .group import group_facts, write_group_report
from .page import report_html, write_report
from .results import result_fragments
from .tensorboard import TensorBoard, export_tensorboard

__all__ = [
    "TensorBoard",
    "export_tensorboard",
    "group_facts",
    "report_facts",
    "report_html",
    "result_fragments",
    "write_group_report",
    "write_report",
]
