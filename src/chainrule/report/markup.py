"""HTML and SVG from Python; see `chainrule.markup`, which notebooks use, too."""

from ..markup import EMPTY, Markup, element, joined

__all__ = ["EMPTY", "Markup", "element", "joined"]
