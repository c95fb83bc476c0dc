"""What is said when Python workers cannot be started or prepared, and how one ended."""

from __future__ import annotations

import errno
import signal
from typing import Any

from batchwork.errors import WorkerError


def how_it_ended(status: int) -> str:
    """An exit code, or minus a signal's number, in words."""
    if status >= 0:
        return f"ended with exit code {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    if -status == signal.SIGKILL:
        return f"killed by {name} (out of memory?)"
    return f"killed by {name}"


def cannot_start(interpreter: str, error: OSError) -> WorkerError:
    what = hint = ""
    if error.filename and error.filename != interpreter:
        what = f" ({error.filename})"
    if error.errno in {errno.ENOENT, errno.EACCES}:
        hint = "`interpreter:` must name a Python of 3.8 or newer"
    return WorkerError(f"cannot start a Python worker with `{interpreter}`: {error.strerror}{what}", hint)


def cannot_prepare(told: dict[str, Any], interpreter: str) -> WorkerError:
    why = ": ".join(filter(None, (told["type"], told["message"])))
    text = f"the Python worker cannot be prepared: {why}"
    hint = ""
    if told["type"] == "ModuleNotFoundError":
        hint = f"its interpreter is `{interpreter}`"
    return WorkerError(text, hint)
