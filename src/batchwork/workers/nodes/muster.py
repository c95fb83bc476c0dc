"""The nodes of a run from the first launch to the last goodbye: who starts them, how long is waited for one, what is said about it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from batchwork.clock import since_boot
from batchwork.errors import NodesGone
from batchwork.ports.executors import NODE_WAIT_S
from batchwork.workers.nodes.hub.hub import Hub
from batchwork.workers.nodes.hub.members import Node
from batchwork.workers.nodes.net.letter import Letter

WARN_S: Final = 10.0
WINDOW: Final = 32 << 20
"""Bytes of outcomes of one step that may be on the way from one node."""
_LOOK_S: Final = 0.25
_RESUME = "mend that, and `batchwork resume` goes on with it"


class Launcher(Protocol):
    """Starts agents on machines of a cluster; what it asks of the cluster is only that."""

    def launch(self, letter: Callable[[int | None], Letter]) -> None:
        """Start agents; `letter` gives one for so many of them. Raises WorkerError, in one sentence, for whatever goes wrong."""
        ...

    def ended(self) -> str | None:
        """Once no agent can come any more: why, in its own words. None while one may."""
        ...

    def known(self) -> str:
        """While an agent may come: what is known of why there is none, for people. Empty where nothing is."""
        ...

    def describe(self) -> str:
        """What it is, for people: without passwords."""
        ...

    def close(self) -> None:
        """Whatever is left of it ends."""
        ...


class Remarks:
    """Warnings, each once."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._said: set[str] = set()

    def say(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._warn(text)


class Muster:
    """All nodes of one run. The first step that wants nodes has them launched."""

    latency_s: Final = 0.001
    window = WINDOW

    def __init__(self, hub: Hub, launcher: Launcher, remarks: Remarks, node_wait_s: float = NODE_WAIT_S) -> None:
        self.hub = hub
        self._launcher, self._remarks, self._node_wait_s = launcher, remarks, node_wait_s
        self._launching = threading.Lock()
        self._launched = False

    @property
    def given_up_s(self) -> float:
        """Seconds after which a node that is not heard of is given up."""
        return self.hub.given_up_s

    def launch(self) -> None:
        """Open the hub and start agents, once. Raises WorkerError, UsageError."""
        with self._launching:
            if not self._launched:
                self._launched = True
                self.hub.open("")
                self._launcher.launch(lambda nodes: self.hub.letter(own_addresses(), nodes))

    def close(self) -> None:
        """Send all nodes away, and wait for their end."""
        if self._launched:
            self.hub.close()
        self._launcher.close()

    # ------------------------------------------------------------ being without

    def look_s(self, *, alone: bool) -> float | None:
        """In how many seconds it has to be looked whether there are nodes; None while there are. `alone`: none is of use."""
        return _LOOK_S if alone or self.hub.alone_since is not None else None

    def look(self, begun: float) -> None:
        """Warn where there has been no node for long, since a step began. Raises NodesGone where that is too long, or none can come."""
        since = self.hub.alone_since
        if since is None:
            return
        if self.hub.broken is not None:
            raise self.hub.broken
        alone_s = since_boot() - max(since, begun)
        why = self._launcher.ended()
        if alone_s >= self._node_wait_s or (why is not None and alone_s >= _LOOK_S):
            raise NodesGone(self._words(why, alone_s), f"{_RESUME}; `--node-wait` says how long is waited")
        if alone_s >= WARN_S:
            self._remarks.say(
                f"there is no node of {self._launcher.describe()}{self._so_far()}; "
                f"after {self._node_wait_s:g} s without any, the run stops"
            )

    def _words(self, why: str | None, alone_s: float) -> str:
        refused = _by_reason(self.hub.refusals)
        text = f"no node of {self._launcher.describe()} is there"
        if why is None:
            text += f" for {alone_s:.0f} s{self._so_far()}"
        elif others := "; ".join(part for part in why.split("; ") if not any(reason in part for reason in refused)):
            text += f", and none will come: {others}"
        if refused:
            told = "; ".join(f"{reason} (on {', '.join(machines)})" for reason, machines in refused.items())
            text += f"; refused: {told}"
        return text

    def _so_far(self) -> str:
        known = self._launcher.known()
        return f" ({known})" if known else ""

    # ------------------------------------------------------------ what is said

    def missed(self, node: Node) -> None:
        """A node is gone with work that it had begun."""
        self._remarks.say(f"the node {node.name} is gone; what it ran is in doubt")

    def unfit(self, why: str) -> None:
        """Some nodes cannot do a step that others can."""
        self._remarks.say(f"nodes are not used: {why}")


def _by_reason(refusals: Mapping[str, str]) -> dict[str, list[str]]:
    """Machines that were refused, by why."""
    found: dict[str, list[str]] = {}
    for machine, reason in refusals.items():
        found.setdefault(reason, []).append(machine)
    return found


def own_addresses() -> Sequence[str]:
    """Where other machines may find this one: all its addresses, those of the loopback last."""
    import psutil  # few runs have nodes

    found: list[str] = []
    for addresses in psutil.net_if_addrs().values():
        found += [address.address for address in addresses if address.family is socket.AF_INET]
    return sorted(dict.fromkeys(found), key=lambda address: address.startswith("127."))
