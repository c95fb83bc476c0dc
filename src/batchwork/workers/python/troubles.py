"""What is said when Python workers cannot be started or prepared, and how one ended."""

from __future__ import annotations

import errno
import signal
from collections.abc import Mapping
from typing import Any

from batchwork.errors import WorkerError
from batchwork.ports import Staffing


def how_it_ended(status: int) -> str:
    """An exit code, or minus a signal's number, in words."""
    if status >= 0:
        return f"ended with exit code {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"killed by {name}" + (" (out of memory?)" if -status == signal.SIGKILL else "")


def cannot_start(interpreter: str, error: OSError) -> WorkerError:
    what = f" ({error.filename})" if error.filename and error.filename != interpreter else ""
    hint = "`interpreter:` must name a Python of 3.8 or newer" if error.errno in {errno.ENOENT, errno.EACCES} else ""
    return WorkerError(f"cannot start a Python worker with `{interpreter}`: {error.strerror}{what}", hint)


def cannot_prepare(told: dict[str, Any], prepare: Mapping[str, Any], staffing: Staffing) -> WorkerError:
    kind = f"{told['type']}: " if told.get("type") else ""
    text = f"the Python worker cannot be prepared: {kind}{told.get('message', '')}"
    if staffing.clean is not None:
        text = staffing.clean(text)
    hint = f"its interpreter is `{prepare['interpreter']}`" if told.get("type") == "ModuleNotFoundError" else ""
    return WorkerError(text, hint)
