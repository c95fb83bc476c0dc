"""`python -m batchwork` is the command `batchwork`."""

from __future__ import annotations

import sys

from batchwork.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
