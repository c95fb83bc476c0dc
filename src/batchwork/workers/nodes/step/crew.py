"""The nodes as one step knows them: what they have been told, what runs there, what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from batchwork.errors import BatchworkError, NodesGone, WorkerError
from batchwork.ports import Running
from batchwork.workers.nodes.hub.members import Node

GATHER_S: Final = 3.0
"""How long another node is waited for, once none of those that are there can do the step."""


class Member(Struct, eq=False):
    """A node. `unread`: bytes of its outcomes that were taken and not acknowledged. `ended`: its session is over.

    `fit`: its workers can be started. `trouble`: why it cannot do the step; `lacking`: because the machine lacks something.
    """

    node: Node
    unread: int = 0
    running: Sequence[Running] = ()
    running_at: float = 0.0
    fit: bool = False
    trouble: WorkerError | None = None
    lacking: bool = False
    ended: bool = False


class Crew:
    """The nodes of one step, by number."""

    def __init__(self) -> None:
        self.members: dict[int, Member] = {}
        self._told: set[str] = set()
        self._in_vain_since: float | None = None

    def running(self, now: float) -> Iterator[Running]:
        """What has been running for a while, as of now."""
        for member in self.members.values():
            for unit in member.running:
                yield replace(unit, for_s=unit.for_s + now - member.running_at)

    @property
    def all_ended(self) -> bool:
        return all(member.ended for member in self.members.values())

    @property
    def in_vain(self) -> bool:
        """Whether there are nodes, and none of them can do the step."""
        return bool(self.members) and all(member.trouble is not None for member in self.members.values())

    def trouble(self, now: float) -> BatchworkError | None:
        """What is wrong where no node can do the step, and none that can has come for a moment."""
        if not self.in_vain:
            self._in_vain_since = None
            return None
        if self._in_vain_since is None:
            self._in_vain_since = now
        if now < self._in_vain_since + GATHER_S:
            return None
        unfit = list(self.members.values())
        text, hint = _reasons(unfit), next(member.trouble.hint for member in unfit if member.trouble is not None)
        if all(member.lacking for member in unfit):
            return NodesGone(f"no node can do this step: {text}", hint)
        return WorkerError(text, hint)

    def unfit(self) -> str:
        """What is wrong with nodes while others are fit: each once, empty where there is nothing to say."""
        fresh = [
            member
            for member in self.members.values()
            if member.trouble is not None and member.node.name not in self._told
        ]
        if not fresh or not any(member.fit for member in self.members.values()):
            return ""
        self._told |= {member.node.name for member in fresh}
        return _reasons(fresh)


def _reasons(unfit: Sequence[Member]) -> str:
    """What is wrong with nodes, each reason once."""
    reasons: dict[str, list[str]] = {}
    for member in unfit:
        reasons.setdefault(str(member.trouble), []).append(member.node.name)
    return "; ".join(f"{why} (on {', '.join(nodes)})" for why, nodes in reasons.items())
