"""The microscope: one step of a training, forward, loss, backward and update, in numbers.

`scope` looks at a model of one's own, `scope_of_run` at a run. What is shown is a `View`, which
renders itself as text, JSON or HTML. Every number is one that the compiled step computed; what is
computed here only splits it into terms, and is dropped where it does not add up.
"""

from .entry import scope
from .of_run import scope_of_run
from .scope import Scope, WhatIf
from .view import View

__all__ = ["Scope", "View", "WhatIf", "scope", "scope_of_run"]
