"""Which units have begun to change files, noted in the folder of their run, so that whoever does a unit again after a kill knows.

A line is 32 hexadecimal digits: of the unit, whatever its attempt, and of what it does to which files. A line that is torn is
none.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Mapping
from typing import Any

from msgspec import Struct

from batchwork.ports import Setting
from batchwork.tasks.files.whole import CHUNK
from batchwork.text.jsontext import Json

_DIGITS = 32


class Begun(Struct, frozen=True):
    """One unit that moves files. `path` is where it is noted; nothing is noted where there is none."""

    path: str
    mark: bytes

    def note(self) -> None:
        """It begins. Whoever is killed, the system has the note; only a power cut may lose it. Raises OSError."""
        if not self.path:
            return
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self.path, flags, 0o600)
        try:
            os.write(descriptor, self.mark)  # in one piece, so that no other's line is in it
        finally:
            os.close(descriptor)

    def is_noted(self) -> bool:
        """Whether it has begun before, in this run. Raises OSError."""
        if not self.path or not os.path.exists(self.path):
            return False
        with open(self.path, "rb") as file:
            while lines := file.readlines(CHUNK):
                if self.mark in lines:
                    return True
        return False


def begun(unit: Any, *paths: str) -> Begun:
    """`unit` has `idempotency_key` and `begun`, the file of its run; paths are what is done to which files."""
    told = "\0".join([getattr(unit, "idempotency_key", ""), *paths])
    digits = hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]
    return Begun(getattr(unit, "begun", ""), f"{digits}\n".encode())


def wanted_of_unit(setting: Setting) -> tuple[Collection[str], Mapping[str, Json]]:
    """What `begun` needs of a unit: names, and values that are the same for all."""
    run = setting.constants.get("run")
    folder = run.get("dir") if isinstance(run, Mapping) else None
    return ("idempotency_key",), {"begun": os.path.join(folder, "begun")} if folder else {}
