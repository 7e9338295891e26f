"""Chainrule trains neural networks by compiled backpropagation."""
