"""The command line: the only place that chooses concrete parts."""

from batchwork.late import late_imports

with late_imports():
    import dataclasses  # noqa: F401

    import click  # noqa: F401
