"""A file without a name, shared with a worker by its descriptor, and gone with the last process that holds it."""

from __future__ import annotations

import os


def nameless_file(label: str) -> int:
    """The descriptor of an empty file. It is not inherited unless it is passed on; `label` is for who looks at /proc."""
    try:
        return os.memfd_create(label)
    except (AttributeError, OSError):  # not Linux
        import tempfile  # it brings fifteen modules with it

        descriptor, path = tempfile.mkstemp(prefix=label)
        os.unlink(path)
        return descriptor
