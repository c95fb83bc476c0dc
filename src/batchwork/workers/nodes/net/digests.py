"""By what two machines see that a file holds the same on both."""

from __future__ import annotations

import hashlib


def digest(path: str) -> str:
    """The SHA-256 of what a file holds, in hexadecimal digits; empty where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
