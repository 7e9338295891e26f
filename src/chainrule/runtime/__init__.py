"""Level 8: memory, linking, threads and the cache of compiled objects."""
