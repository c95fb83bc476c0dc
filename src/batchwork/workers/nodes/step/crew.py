"""The nodes as one step knows them: what they have been told, what runs there, what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from batchwork.errors import WorkerError
from batchwork.ports import Running
from batchwork.workers.nodes.hub.members import Node


class Member(Struct, eq=False):
    """A node. `unread`: bytes of its outcomes that were taken and not acknowledged. `ended`: its session is over."""

    node: Node
    unread: int = 0
    running: Sequence[Running] = ()
    running_at: float = 0.0
    trouble: WorkerError | None = None
    ended: bool = False


class Crew:
    """The nodes of one step, by number."""

    def __init__(self) -> None:
        self.members: dict[int, Member] = {}
        self._told = False

    def running(self, now: float) -> Iterator[Running]:
        """What has been running for a while, as of now."""
        for member in self.members.values():
            for unit in member.running:
                yield replace(unit, for_s=unit.for_s + now - member.running_at)

    @property
    def all_ended(self) -> bool:
        return all(member.ended for member in self.members.values())

    def unfit(self) -> list[Member]:
        """Those that cannot do the step."""
        return [member for member in self.members.values() if member.trouble is not None]

    def trouble(self) -> WorkerError | None:
        """What is wrong, where no node can do the step, once."""
        unfit = self.unfit()
        if self._told or not unfit or len(unfit) < len(self.members):
            return None
        self._told = True
        return _of_all(unfit)


def _of_all(unfit: Sequence[Member]) -> WorkerError:
    """What is wrong everywhere, in one message."""
    reasons: dict[str, list[str]] = {}
    hint = ""
    for member in unfit:
        assert member.trouble is not None
        reasons.setdefault(member.trouble.message, []).append(member.node.name)
        hint = hint or member.trouble.hint
    told = "; ".join(f"{why} (on {', '.join(nodes)})" for why, nodes in reasons.items())
    return WorkerError(told, hint)
