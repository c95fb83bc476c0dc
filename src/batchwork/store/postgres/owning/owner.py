"""Who owns a run: a process, and whether it is known to be dead. Nothing is asked of the database here."""

from __future__ import annotations

import json
import os
from contextlib import suppress

from batchwork.clock import Clock, iso
from batchwork.proctree import look

_ours: set[str] = set()
"""The texts of what this process owns."""


def this_process(clock: Clock) -> str:
    """A text that stands for this process, as owner of one run."""
    owner = json.dumps(
        {
            "pid": os.getpid(),
            "host": os.uname().nodename,
            "since": iso(clock.wall_ms()),
            "machine": _machine(),
            "began": _began(os.getpid()),
            "id": os.urandom(6).hex(),
        }
    )
    _ours.add(owner)
    return owner


def given_up(owner: str) -> None:
    """It is not owned by this process any more, whether or not the database could be told."""
    _ours.discard(owner)


def is_dead(owner: str) -> bool:
    """Whether that process is known to have ended. Of one on another machine, or in another container, nothing is known."""
    with suppress(ValueError, KeyError, TypeError):
        content = json.loads(owner)
        if content["machine"] and content["machine"] == _machine():
            pid = int(content["pid"])
            if pid == os.getpid() and owner not in _ours:
                return True
            return look(pid) is None or _began(pid) != content["began"]
    return False


def spoken(owner: str) -> str:
    """An owner for people."""
    try:
        content = json.loads(owner)
        return f"process {content['pid']} on {content['host']} since {content['since']}"
    except (ValueError, KeyError, TypeError):
        return "another process"


def _machine() -> str:
    """The machine since its latest start, and the space of numbers that its processes have; "" where that is not known."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return f"{file.read().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _began(pid: int) -> str:
    """When a process began, in the kernel's ticks: another one may have its number later."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            stat = file.read()
    except OSError:
        return ""
    return stat[stat.rfind(b")") + 2 :].split()[19].decode()
