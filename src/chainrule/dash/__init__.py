"""The dashboard: a server in a process of its own, which only reads run folders."""
