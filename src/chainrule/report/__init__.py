"""The report of a run: an HTML page, a JSON document, or TensorBoard events."""

from .facts import report_facts
from .page import report_html, write_report
from .tensorboard import TensorBoard, export_tensorboard

__all__ = ["TensorBoard", "export_tensorboard", "report_facts", "report_html", "write_report"]
