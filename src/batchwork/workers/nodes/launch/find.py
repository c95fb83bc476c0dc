"""The launcher that `--executor` names: `command:…`, or a URL whose scheme is a cluster's."""

from __future__ import annotations

from batchwork.errors import UsageError
from batchwork.plugins import LAUNCHERS, find_launcher
from batchwork.workers.nodes.launch.address import shown
from batchwork.workers.nodes.muster import Launcher

_WAYS = "local, command:COMMAND, or a URL such as dask://HOST:PORT or ray://HOST:PORT"


def launcher_of(text: str) -> Launcher:
    """The launcher, which has started nothing yet. Raises UsageError."""
    kind, separator, _ = text.partition(":")
    if not separator or kind not in LAUNCHERS.names():
        raise UsageError(f"there is no executor `{shown(text)}`", f"it may be {_WAYS}")
    launcher: Launcher = find_launcher(kind)(text)
    return launcher
