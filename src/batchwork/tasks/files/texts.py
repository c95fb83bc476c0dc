"""The task types `read_file`, `write_file` and `append_file`: files of text, or of any bytes as base64."""

from __future__ import annotations

import fcntl
import os
from typing import Annotated, Any, ClassVar

import msgspec

from batchwork.tasks.fields import about
from batchwork.tasks.files.encodings import encoding_of, to_bytes, to_text, unmarked
from batchwork.tasks.files.task import CREATE_DIRS, OVERWRITE, PATH, FileTask
from batchwork.tasks.files.trouble import telling
from batchwork.tasks.files.whole import Target, name, prepared_folder, read_all, refuse_folder_or_device, written

ENCODING = about("utf-8, latin-1, utf-16 …; base64 for bytes that are no text.")


class ReadFileFields(msgspec.Struct):
    """What may be written in a `read_file` task."""

    path: Annotated[str, PATH]
    encoding: Annotated[str, ENCODING] = "utf-8"


class ReadFile(FileTask):
    """Read a file. The result is its text, exactly: line ends are as they are."""

    name: ClassVar[str] = "read_file"
    Fields: ClassVar[type] = ReadFileFields
    read_paths = ("path",)

    def run(self, fields: ReadFileFields, unit: Any) -> str:
        return to_text(read_all(fields.path), encoding_of(fields.encoding), fields.path)


class WriteFileFields(msgspec.Struct):
    """What may be written in a `write_file` task."""

    path: Annotated[str, PATH]
    content: Annotated[Any, about("The text, exactly; what is no text is written as JSON.")]
    encoding: Annotated[str, ENCODING] = "utf-8"
    create_dirs: Annotated[bool, CREATE_DIRS] = True
    overwrite: Annotated[bool, OVERWRITE] = True


class WriteFile(FileTask):
    """Write a file, whole or not at all. The result is {path, bytes}."""

    name: ClassVar[str] = "write_file"
    Fields: ClassVar[type] = WriteFileFields
    written_paths = ("path",)
    texts = ("content",)
    replaces = True

    def run(self, fields: WriteFileFields, unit: Any) -> dict[str, Any]:
        data = to_bytes(fields.content, encoding_of(fields.encoding), fields.path)
        return written(Target(fields.path, fields.create_dirs, fields.overwrite), data)


class AppendFileFields(msgspec.Struct):
    """What may be written in an `append_file` task."""

    path: Annotated[str, PATH]
    content: Annotated[Any, about("The text, exactly, with its own line end; what is no text is written as JSON.")]
    encoding: Annotated[str, ENCODING] = "utf-8"
    create_dirs: Annotated[bool, CREATE_DIRS] = True


class AppendFile(FileTask):
    """Append to a file, which is made if it is not there. The result is {path, bytes}: what was appended.

    What was appended before a kill is appended once more when the item is run again. Items that append to one file wait for
    each other, and come in any order.
    """

    name: ClassVar[str] = "append_file"
    Fields: ClassVar[type] = AppendFileFields
    written_paths = ("path",)
    texts = ("content",)
    remarks = (("again", "an item that was killed while it appended may append twice when it is run again"),)

    def run(self, fields: AppendFileFields, unit: Any) -> dict[str, Any]:
        data = to_bytes(fields.content, unmarked(encoding_of(fields.encoding), fields.path), fields.path)
        with telling("append to", fields.path):
            _append(Target(fields.path, fields.create_dirs), data)
        return {"path": fields.path, "bytes": len(data)}


def _append(target: Target, data: bytes) -> None:
    """All of it or nothing, and never in the middle of what another appends. Raises OSError."""
    path = name(target.path)
    prepared_folder(path, target)
    refuse_folder_or_device(target.path)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        before = os.fstat(descriptor).st_size
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
        except BaseException:
            os.ftruncate(descriptor, before)
            raise
    finally:
        os.close(descriptor)
