"""Results of checks before a training."""
