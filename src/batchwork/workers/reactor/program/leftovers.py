"""Processes that outlive the command that started them: found, and assigned to it. When to end them is decided elsewhere.

The reactor is a subreaper, so whatever a command leaves becomes the reactor's own child at the latest when the command
ends. Whose it is says its session, else its environment. Where neither does (`env -i setsid`), it may be of any command
that was running when it appeared, and is over when all of these are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

from batchwork import proctree
from batchwork.workers.reactor.program.spawn import COMMAND_MARK


class Leftovers:
    """Children of the reactor that are no commands.

    `commands` are those that have not been reported yet, by process id; they belong to the caller.
    """

    def __init__(self, commands: Mapping[int, object]) -> None:
        self._commands = commands
        self._marks: dict[int, str] = {}
        self._owners: dict[int, set[int]] = {}
        self._own = os.getpid()
        try:
            self._list = os.open(f"/proc/{self._own}/task/{self._own}/children", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # a kernel without that file, or no Linux
            self._list = -1

    def mark(self, mark: str, command: int) -> None:
        """What stands in the environment of a command that has been started."""
        self._marks[command] = mark

    def look(self) -> None:
        """Notice what has become our child. Costs one read while there is nothing."""
        for pid in self._children():
            if pid not in self._commands and pid not in self._owners:
                process = proctree.look(pid)
                if process is not None and process.parent == self._own:
                    self._owners[pid] = self._find_owners(process)

    def of(self, command: int) -> list[int]:
        """What may be `command`'s alone."""
        if not self._owners:
            return []
        return [pid for pid, owners in self._owners.items() if owners == {command}]

    def strays(self) -> list[int]:
        """What belongs to no command that is not over."""
        return [pid for pid, owners in self._owners.items() if not owners] if self._owners else []

    def disown(self, command: int) -> None:
        """The command is over: what it shared with others is theirs now."""
        self._marks.pop(command, None)
        if self._owners:
            for owners in self._owners.values():
                owners.discard(command)

    def gone(self, pid: int) -> set[int]:
        """`pid` has ended; whose it may have been."""
        return self._owners.pop(pid, set())

    def _find_owners(self, process: proctree.Process) -> set[int]:
        if process.session in self._commands:
            return {process.session}
        mark = proctree.environ_value(process.pid, COMMAND_MARK)
        if mark is None or not mark.startswith(f"{self._own}-"):  # of a batchwork inside a command, perhaps
            return set(self._commands)
        return {command for command, known in self._marks.items() if known == mark}

    def _children(self) -> Iterable[int]:
        if self._list < 0:
            return proctree.children(self._own)
        text = part = os.pread(self._list, 65536, 0)
        while len(part) > 3500:  # the kernel gives a page at a time
            part = os.pread(self._list, 65536, len(text))
            text += part
        return map(int, text.split())

    def close(self) -> None:
        if self._list >= 0:
            os.close(self._list)


def tree(roots: Callable[[], Iterable[int]]) -> Callable[[], list[int]]:
    """A finder (see proctree) of what `roots` finds and all that descends from it."""

    def find() -> list[int]:
        found = list(roots())
        return found + proctree.below(found) if found else []

    return find
