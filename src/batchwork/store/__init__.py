"""Stores: runs, steps, units, attempts, claims and logs, in memory or SQLite, with one behaviour."""
