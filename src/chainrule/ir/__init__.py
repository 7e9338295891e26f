"""Level 1: the graph of tensors, its types, verifier, text form and rewriting."""
