"""Folders that only their owner may look into."""

from __future__ import annotations

import os


def private_folder(path: str) -> str:
    """Make the folder and those above it that are missing, for their owner only; gives `path` back. Raises OSError."""
    if not os.path.isdir(path):
        above = os.path.dirname(path)
        if above and not os.path.isdir(above):
            private_folder(above)
        os.makedirs(path, mode=0o700, exist_ok=True)
    return path
