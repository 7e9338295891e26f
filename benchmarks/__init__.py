"""Training steps timed side by side: Chainrule and its peers, each in its best form.

``python -m benchmarks`` runs everything; ``python -m benchmarks --help`` lists the options.
"""
