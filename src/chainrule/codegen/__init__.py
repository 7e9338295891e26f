"""Level 7: from nests to LLVM text. Sees nests only, never graph nodes."""
