"""The task types `copy_file`, `move_file` and `delete_file`. Done again, each leaves what it left before: a run may be killed anywhere."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Mapping
from typing import Annotated, Any, ClassVar

import msgspec

from batchwork.ports import Setting
from batchwork.tasks.base import TaskFailed
from batchwork.tasks.fields import about
from batchwork.tasks.files.begun import begun, wanted_of_unit
from batchwork.tasks.files.task import CREATE_DIRS, FileTask
from batchwork.tasks.files.trouble import FileTrouble, shown, telling
from batchwork.tasks.files.whole import (
    Target,
    exists,
    holds,
    name,
    opened,
    pieces,
    prepared_folder,
    refuse_folder_or_device,
    take_name,
    write_whole,
)
from batchwork.text.jsontext import Json

REPLACE = about("Whether another file of that name is replaced; without it, that is a failure.")


class CopyFileFields(msgspec.Struct):
    """What may be written in a `copy_file` task."""

    source: Annotated[str, about("The file; a symbolic link stands for what it leads to.")]
    destination: Annotated[str, about("The file that is to be its copy.")]
    create_dirs: Annotated[bool, CREATE_DIRS] = True
    overwrite: Annotated[bool, REPLACE] = False


class CopyFile(FileTask):
    """Copy a file, with its permissions, whole or not at all. The result is {path, bytes} of the copy."""

    name: ClassVar[str] = "copy_file"
    Fields: ClassVar[type] = CopyFileFields
    read_paths = ("source",)
    written_paths = ("destination",)
    replaces = True

    def run(self, fields: CopyFileFields, unit: Any) -> dict[str, Any]:
        target = Target(fields.destination, fields.create_dirs, fields.overwrite)
        with telling("read", fields.source), opened(fields.source) as descriptor:
            found = os.fstat(descriptor)
        if _is_there(fields.source, target):
            return {"path": target.path, "bytes": found.st_size}
        return {"path": target.path, "bytes": _copied(fields.source, target, stat.S_IMODE(found.st_mode))}


class MoveFileFields(msgspec.Struct):
    """What may be written in a `move_file` task."""

    source: Annotated[str, about("The file; a symbolic link is moved itself.")]
    destination: Annotated[str, about("The name that it is to have.")]
    create_dirs: Annotated[bool, CREATE_DIRS] = True
    overwrite: Annotated[bool, REPLACE] = False


class MoveFile(FileTask):
    """Move a file, also to another file system, whole or not at all. The result is {path, bytes}.

    Where the source is gone, the destination is there, and the item had begun to move it before in this run, the move has taken
    place: that is not a failure.
    """

    name: ClassVar[str] = "move_file"
    Fields: ClassVar[type] = MoveFileFields
    read_paths = ("source",)
    written_paths = ("destination",)
    replaces = True

    def run(self, fields: MoveFileFields, unit: Any) -> dict[str, Any]:
        source, target = fields.source, Target(fields.destination, fields.create_dirs, fields.overwrite)
        before = begun(unit, "move", source, target.path)
        if exists(source) or not exists(target.path):
            with telling("move", source):
                _refuse_folder(source)
            done = _is_there(source, target)
            with telling("note the move of", source):
                before.note()
            if done:
                _drop_source(source, target.path)
            else:
                _moved(source, target)
        elif not before.is_noted():
            message = f"cannot move {shown(source)}: there is no such file, and {shown(target.path)} was there before"
            raise TaskFailed(f"{message} (name the file as it is)", kind="FileNotFoundError")
        with telling("read", target.path):
            return {"path": target.path, "bytes": os.lstat(name(target.path)).st_size}

    def _of_unit(self, setting: Setting) -> tuple[Collection[str], Mapping[str, Json]]:
        return wanted_of_unit(setting)


class DeleteFileFields(msgspec.Struct):
    """What may be written in a `delete_file` task."""

    path: Annotated[str, about("The file; of a symbolic link the link itself.")]


class DeleteFile(FileTask):
    """Delete a file. The result is {path, bytes}, 0 bytes where there was none: that is not a failure."""

    name: ClassVar[str] = "delete_file"
    Fields: ClassVar[type] = DeleteFileFields
    written_paths = ("path",)

    def run(self, fields: DeleteFileFields, unit: Any) -> dict[str, Any]:
        path = name(fields.path)
        with telling("delete", fields.path):
            try:
                found = os.lstat(path)
                if stat.S_ISDIR(found.st_mode):
                    message = f"cannot delete {shown(fields.path)}: it is a folder"
                    raise FileTrouble(message, "`rm -r -- {{ item }}` in a shell task deletes folders")
                os.unlink(path)
            except FileNotFoundError:
                return {"path": fields.path, "bytes": 0}
        return {"path": fields.path, "bytes": found.st_size}


# ---------------------------------------------------------------- parts of it


def _is_there(source: str, target: Target) -> bool:
    """Whether the target is what it is to be already. Raises TaskFailed where something else is there and must stay."""
    with telling("write", target.path):
        refuse_folder_or_device(target.path)
        if not exists(target.path):
            return False
        if _same_file(source, target.path):
            return True
        if target.overwrite:
            return False
        if _alike(source, target.path):
            return True
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def _same_file(one: str, other: str) -> bool:
    """Whether both are names of one file, links not followed."""
    return os.path.samestat(os.lstat(name(one)), os.lstat(name(other)))


def _alike(source: str, path: str) -> bool:
    """Whether two files hold the same."""
    try:
        if os.stat(name(source)).st_size != os.stat(name(path)).st_size:
            return False
        return holds(path, pieces(source))
    except (OSError, FileTrouble):  # a link to nothing, of which no content can be compared
        return False


def _copied(source: str, target: Target, mode: int) -> int:
    with telling("write", target.path):
        return write_whole(target, pieces(source), mode)


def _moved(source: str, target: Target) -> None:
    """Give a file its new name; to another file system it is copied first, and is there before it is gone here."""
    old, new = name(source), name(target.path)
    with telling("move", source):
        mode = os.lstat(old).st_mode
    with telling("write", target.path):
        prepared_folder(new, target)
    try:
        take_name(old, new, target.overwrite)
    except OSError as error:
        if error.errno != errno.EXDEV or not stat.S_ISREG(mode):
            with telling("move", source):
                raise
        _copied(source, target, stat.S_IMODE(mode))
        _drop_source(source, target.path)


def _drop_source(source: str, path: str) -> None:
    """Take the old name away, unless it is the new one."""
    old, new = (
        os.path.join(os.path.realpath(os.path.dirname(each) or b"."), os.path.basename(each))
        for each in (name(source), name(path))
    )
    if old != new:
        with telling("delete", source):
            os.unlink(old)


def _refuse_folder(source: str) -> None:
    """Raises OSError, FileTrouble."""
    if stat.S_ISDIR(os.lstat(name(source)).st_mode):
        message = f"cannot move {shown(source)}: it is a folder"
        raise FileTrouble(message, "`mv -- {{ item }} …` in a shell task moves folders")
