"""How an agent ends, as its exit code, and what it tells its supervisor before: both sides of that pipe."""

from __future__ import annotations

import contextlib
import os
from typing import Final

from msgspec import Struct

LEFT: Final = 0
"""There is nothing more to do."""
REFUSED: Final = 3
"""The hub does not want it."""
NO_WAY: Final = 4
"""There is no way to the hub."""
LOST: Final = 5
"""The lease is over, or the connection is gone: a new agent may go on as a new node."""
ORPHANED: Final = 6
"""The supervisor is gone, and whoever started it with it."""
OVER: Final = 7
"""The hub has ended, and with it the run: it was killed."""


class Membership(Struct):
    """What a supervisor knows of its agent: the node that it is, and until when (`clock.since_boot`) its lease lasts.

    `hub` is the address at which it found the hub.
    """

    node: int = 0
    token: str = ""
    hub: str = ""
    until: float = float("inf")

    def hear(self, line: bytes) -> None:
        """A line from the agent."""
        word, *rest = line.decode("ascii", "replace").split()
        if word == "node":
            self.node, self.token = int(rest[0]), rest[1]
        elif word == "hub":
            self.hub = rest[0]
        elif word == "until":
            self.until = float(rest[0])


def told(descriptor: int, word: str, *rest: object) -> None:
    """Tell the supervisor. Where it is gone, that is learnt elsewhere."""
    with contextlib.suppress(OSError):
        os.write(descriptor, " ".join([word, *map(str, rest)]).encode("ascii") + b"\n")
