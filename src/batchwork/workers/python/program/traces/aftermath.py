"""What units leave behind: output, processes that still run, changes of what all units share."""

from __future__ import annotations

import contextlib
import os
import sys

from .surroundings import LOOK_FROM_US, Surroundings

_TYPING = False  # importing typing costs more than all else here
if _TYPING:
    from ..output import Output
    from .stragglers import Stragglers


class Aftermath:
    """Sees to it that each unit finds things as the one before did, and that what it printed is known."""

    def __init__(
        self, output: Output, stragglers: Stragglers, surroundings: Surroundings, *, silent: bool = False
    ) -> None:
        self.output = output
        self.silent = silent
        """Units cannot print, as far as is known: whether they did is looked at once a call."""
        self.heard = 0
        """Of the units of a call, those before this one have printed nothing that is not known."""
        self._stragglers, self.surroundings = stragglers, surroundings
        self._pid = os.getpid()

    def of_unit(self, start: int, us: int, failed: bool) -> tuple[int, str]:
        """After a unit that took long, printed, or changed something: where the output ends that began at `start`, and its text."""
        if os.getpid() != self._pid:
            os._exit(0)  # the task forked, and its child came back here
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        slow = us > LOOK_FROM_US
        if slow:
            self._look_for_processes(us, failed)
        if slow or self.surroundings.changes:
            self.surroundings.restore()
        end = self.output.end()
        if end <= start:
            return start, ""
        return end, self.output.cut(start, end)

    def of_call(self) -> None:
        """At the end of a call: what its short units may have left behind."""
        self.surroundings.restore()

    def _look_for_processes(self, us: int, failed: bool) -> None:
        if not failed:
            self._stragglers.keep()
            return
        ended = self._stragglers.end(us)
        if ended:
            shown = ", ".join(sorted(set(ended))[:5])
            count = "1 process" if len(ended) == 1 else f"{len(ended)} processes"
            self.output.write(f"batchwork: the item failed, and {count} that it had started ended with it: {shown}\n")
