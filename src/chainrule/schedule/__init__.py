"""Level 6: from the graph to nests, phases and memory."""
