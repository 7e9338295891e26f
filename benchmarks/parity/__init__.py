"""PyTorch's own samples of operators, modules and optimizers, given to Chainrule as well.

``python -m benchmarks.parity``; needs ``torch``, and what its test module imports.
"""
