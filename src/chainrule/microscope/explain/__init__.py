"""What a unit of each kind of layer computes, in terms that add up to the engine's numbers."""

from .unit import explain_input, explain_unit, explain_weight

__all__ = ["explain_input", "explain_unit", "explain_weight"]
