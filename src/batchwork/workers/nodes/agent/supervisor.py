"""The supervisor of a node's agent: keeps the lease too, ends all that a dead agent leaves, says so to the hub, starts a new one.

So a stopped agent's workers end in time, and what a killed one did is known to have ended long before its lease is over. It
goes when the agent was sent away, when whoever started it is gone, when the hub has ended, or when there has been no way to the hub for long.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import uuid
from collections.abc import Sequence
from types import FrameType

from msgspec import Struct
from msgspec.structs import replace

from batchwork import proctree
from batchwork.clock import since_boot
from batchwork.workers.nodes.agent.ends import LEFT, LOST, NO_WAY, OVER, REFUSED, Membership
from batchwork.workers.nodes.net.letter import LONGEST, Letter, read_letter, say_ended

_LOOK_S = 0.5
_AGAIN_S = 1.0
"""Between two tries to be a node again."""
PATIENCE_S = 60.0
"""How long it is tried without success."""
_USAGE = "usage: python -m batchwork.workers.nodes.agent [--slots N] < LETTER"


class _Ended(Exception):
    """It is to end: a signal, or its parent is gone."""


class _Child(Struct):
    """An agent, and the pipe on which it tells of itself."""

    process: subprocess.Popen[bytes]
    ear: int
    cookie: str
    known: Membership
    pending: bytes = b""

    def hear(self) -> None:
        """What it has told since."""
        with contextlib.suppress(BlockingIOError):
            self.pending += os.read(self.ear, 65536)
        *lines, self.pending = self.pending.split(b"\n")
        for line in lines:
            self.known.hear(line)


def main(words: Sequence[str]) -> int:
    """The exit code of the whole node."""
    slots = _slots(words)
    if slots is None:
        sys.stderr.write(f"{_USAGE}\n")
        return 2
    try:
        letter = read_letter(sys.stdin.buffer.readline(LONGEST))
    except ValueError as error:
        sys.stderr.write(f"batchwork node: {error}\n")
        return 2
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _end)
    proctree.become_subreaper()
    with contextlib.suppress(_Ended):
        return _supervise(letter, slots)
    return LEFT


def _end(_number: int, _frame: FrameType | None) -> None:
    raise _Ended


def _slots(words: Sequence[str]) -> int | None:
    """Attempts at once on this node: what is asked for, else its processors. None where that is no number."""
    if not words:
        return len(os.sched_getaffinity(0))
    if len(words) == 2 and words[0] == "--slots" and words[1].isdecimal() and int(words[1]) > 0:
        return int(words[1])
    return None


def _supervise(letter: Letter, slots: int) -> int:
    """Agents one after another, as long as there is a use for them. Raises _Ended."""
    parent, last_node = os.getppid(), since_boot()
    while True:
        child = _start(letter, slots)
        try:
            code = _watch(child, parent)
        finally:
            _bury(child)
            if child.known.node:
                say_ended(letter, child.known.node, child.known.token)
        if code in (LEFT, REFUSED, OVER):
            return code
        if child.known.node:
            last_node = since_boot()
            letter = _again(letter, child.known)
        if since_boot() > last_node + PATIENCE_S:
            return NO_WAY
        select.select([], [], [], _AGAIN_S)


def _again(letter: Letter, known: Membership) -> Letter:
    """The letter of who was a node: it begins with where the hub was found."""
    addresses = dict.fromkeys((known.hub, *letter.addresses))
    return replace(letter, addresses=[*addresses], token=known.token, former=known.node)


def _start(letter: Letter, slots: int) -> _Child:
    """A new agent, with a mark that no other has."""
    ear, mouth = os.pipe()
    os.set_blocking(ear, False)
    cookie = uuid.uuid4().hex
    command = [sys.executable, "-P", "-m", "batchwork.workers.nodes.agent.main", str(slots), str(mouth)]
    environ = {**os.environ, proctree.COOKIE: cookie}
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=(mouth,), env=environ)
    finally:
        os.close(mouth)
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it is dead already
        process.stdin.write(letter.written())
        process.stdin.flush()
    return _Child(process, ear, cookie, Membership())


def _watch(child: _Child, parent: int) -> int:
    """How the agent ended; it is ended if its lease is over. Raises _Ended where its own end has come."""
    while True:
        select.select([child.ear], [], [], max(0.0, min(_LOOK_S, child.known.until - since_boot())))
        child.hear()
        code = child.process.poll()
        if code is not None:
            return code if code >= 0 else LOST
        if since_boot() >= child.known.until:
            return LOST
        if os.getppid() != parent:
            raise _Ended


def _bury(child: _Child) -> None:
    """End the agent and all that it started."""
    child.hear()  # the last that it told
    proctree.kill_all(lambda: proctree.with_cookie(child.cookie))
    child.process.kill()
    child.process.wait()
    os.close(child.ear)
    assert child.process.stdin is not None
    with contextlib.suppress(OSError):
        child.process.stdin.close()
