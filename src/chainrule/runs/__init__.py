"""Runs, whatever they learn from: folders, training, loading, resuming, groups, settings."""
