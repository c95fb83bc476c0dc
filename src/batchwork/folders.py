"""Folders of batchwork, which only their owner may look into."""

from __future__ import annotations

import os

STATE_FOLDER = ".batchwork"
"""Where stores, logs and the folders of runs are unless another place is named."""


def private_folder(path: str) -> str:
    """Make the folder and those above it that are missing, 0700 whatever the umask; gives `path` back. Raises OSError."""
    if path and not os.path.isdir(path):
        private_folder(os.path.dirname(path))
        os.makedirs(path, exist_ok=True)
        os.chmod(path, 0o700)
    return path
