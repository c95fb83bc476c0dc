"""The body of a request as libcurl takes it: a text, a file that is streamed, or parts of a form with files in it."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from typing import Any, BinaryIO

import pycurl

from batchwork.workers.reactor.program.outbox import NotStarted


def set_body(handle: Any, body: str | Mapping[str, Any] | None) -> None:
    """Set the handle up to send the body. Raises NotStarted."""
    if body is None or isinstance(body, str):
        handle.setopt(pycurl.POSTFIELDS, (body or "").encode())
    elif "file" in body:
        _set_file(handle, str(body["file"]))
    else:
        handle.setopt(pycurl.HTTPPOST, [_part(part) for part in body["multipart"]])


def _set_file(handle: Any, path: str) -> None:
    file = _opened(path)
    handle.setopt(pycurl.POST, 1)
    handle.setopt(pycurl.POSTFIELDSIZE_LARGE, os.fstat(file.fileno()).st_size)
    handle.setopt(pycurl.READFUNCTION, file.read)  # libcurl holds the file as long as it may read from it
    handle.setopt(pycurl.SEEKFUNCTION, lambda offset, whence: file.seek(offset, whence) and None)


def _part(part: Mapping[str, Any]) -> tuple[bytes, tuple[Any, ...]]:
    """`{name, text}` or `{name, file, filename}`, with a `type` if one is given."""
    name = str(part["name"]).encode()
    given: list[Any] = []
    if "file" in part:
        path = str(part["file"])
        _opened(path).close()
        filename = part.get("filename") or os.path.basename(path)
        given += [pycurl.FORM_FILE, path.encode("utf-8", "surrogateescape"), pycurl.FORM_FILENAME, filename.encode()]
    else:
        given += [pycurl.FORM_CONTENTS, str(part["text"]).encode()]
    if part.get("type"):
        given += [pycurl.FORM_CONTENTTYPE, str(part["type"]).encode()]
    return name, tuple(given)


def _opened(path: str) -> BinaryIO:
    """The file, which is one that has an end. Raises NotStarted."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # opening a pipe would wait for its other end
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise NotStarted(f"{path} is not a regular file, and cannot be sent")
        return os.fdopen(fd, "rb", buffering=0)
    except OSError as error:
        raise NotStarted(f"{path} cannot be read: {error.strerror}") from None
