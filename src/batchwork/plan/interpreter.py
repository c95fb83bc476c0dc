"""Which Python runs the author's code. Nothing is started here."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping


def python_interpreter(given: str | None, environ: Mapping[str, str], cwd: str) -> str:
    """The one written, an active virtual environment's, or batchwork's own."""
    if given is not None:
        path = os.path.expanduser(given)
        return os.path.join(cwd, path) if os.sep in path else path
    active = environ.get("VIRTUAL_ENV")
    if active:
        python = os.path.join(active, "bin", "python")
        if os.access(python, os.X_OK):
            return python
    return sys.executable
