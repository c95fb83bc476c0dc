"""Whether a node has what a session needs: the same folders and files as the machine of the run."""

from __future__ import annotations

import os

from batchwork.errors import WorkerError
from batchwork.workers.nodes.net.digests import digest
from batchwork.workers.nodes.net.wire import Begin

_SAME = "every node needs the same files at the same absolute paths: a shared file system, or the same image"


class Lacking(WorkerError):
    """The machine lacks something that others may have."""


def check(begin: Begin) -> None:
    """Raises Lacking."""
    wanted = {begin.staffing.cwd: "", **dict(begin.needed)}
    missing = [path for path in wanted if not os.path.exists(path)]
    if missing:
        raise Lacking(f"there is no {', '.join(missing)} here", _SAME)
    others = [path for path, content in wanted.items() if content and digest(path) != content]
    if others:
        raise Lacking(f"{', '.join(others)} {'hold' if len(others) > 1 else 'holds'} something else here", _SAME)
