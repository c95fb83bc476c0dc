"""`python -m batchwork` is the command `batchwork`."""

from __future__ import annotations

from batchwork.cli.main import program

if __name__ == "__main__":
    program()
