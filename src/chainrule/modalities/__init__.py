"""Kinds of data: tables and images. Each has a folder; none imports another."""
