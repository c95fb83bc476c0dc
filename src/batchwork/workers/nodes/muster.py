"""The nodes of a run from the first launch to the last goodbye: who starts them, how long is waited for one, what is said about it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from batchwork.clock import since_boot
from batchwork.errors import NodesGone
from batchwork.workers.nodes.hub import LEASE_S, MARGIN_S, Hub
from batchwork.workers.nodes.letter import Letter
from batchwork.workers.nodes.members import Node

NODE_WAIT_S: Final = 60.0
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

    def describe(self) -> str:
        """What it is, for people: without passwords."""
        ...

    def close(self) -> None:
        """Whatever is left of it ends."""
        ...


class Muster:
    """All nodes of one run. The first step that wants nodes has them launched."""

    def __init__(
        self,
        launcher: Launcher,
        warn: Callable[[str], None],
        node_wait_s: float = NODE_WAIT_S,
        lease_s: float = LEASE_S,
    ) -> None:
        self.hub = Hub(lease_s)
        self._launcher, self._warn, self._node_wait_s = launcher, warn, node_wait_s
        self._lease_s = lease_s
        self._launching = threading.Lock()
        self._launched = False
        self._warned_since: float | None = None
        self._said: set[str] = set()
        self.latency_s = 0.001
        self.window = WINDOW

    @property
    def given_up_s(self) -> float:
        """Seconds after which a node that is not heard of is given up."""
        return self._lease_s + MARGIN_S

    def launch(self) -> None:
        """Open the hub and start agents, once. Raises WorkerError, UsageError."""
        with self._launching:
            if self._launched:
                return
            self._launched = True
            self._launch()

    def _launch(self) -> None:
        self.hub.open("")
        self._launcher.launch(lambda nodes: self.hub.letter(own_addresses(), nodes))

    def close(self) -> None:
        """Send all nodes away, and wait for their end."""
        if self._launched:
            self.hub.close()
        self._launcher.close()

    # ------------------------------------------------------------ being without

    def look_s(self) -> float | None:
        """In how many seconds it has to be looked whether there are nodes; None while there are."""
        return None if self.hub.alone_since is None else _LOOK_S

    def look(self) -> None:
        """Warn where there has been no node for long. Raises NodesGone where that is too long, or none can come."""
        since = self.hub.alone_since
        if since is None:
            return
        alone_s = since_boot() - since
        why = self._launcher.ended()
        if alone_s >= self._node_wait_s or (why is not None and alone_s >= _LOOK_S):
            raise NodesGone(self._words(why, alone_s), self._hint())
        if alone_s >= WARN_S and self._warned_since != since:
            self._warned_since = since
            wait_s = self._node_wait_s - alone_s
            self._warn(
                f"there has been no node for {alone_s:.0f} s ({self._launcher.describe()}); waiting {wait_s:.0f} s more"
            )

    def _words(self, why: str | None, alone_s: float) -> str:
        text = f"no node of {self._launcher.describe()} is there"
        if why is not None:
            text += f", and none will come: {why}"
        else:
            text += f" for {alone_s:.0f} s"
        if refused := self.hub.refusals:
            text += "; refused: " + "; ".join(f"{host}: {reason}" for host, reason in refused.items())
        return text

    def _hint(self) -> str:
        return f"{_RESUME}; `--node-wait` says how long is waited"

    # ------------------------------------------------------------ what is said

    def missed(self, node: Node) -> None:
        """A node is gone with work that it had begun."""
        self._say(f"the node {node.name} is gone; what it ran is in doubt")

    def unfit(self, node: Node, why: str) -> None:
        """A node cannot do a step that others can."""
        self._say(f"the node {node.name} is not used: {why}")

    def _say(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._warn(text)


def own_addresses() -> Sequence[str]:
    """Where other machines may find this one: all its addresses, those of the loopback last."""
    import psutil  # few runs have nodes

    found: list[str] = []
    for addresses in psutil.net_if_addrs().values():
        found += [address.address for address in addresses if address.family is socket.AF_INET]
    return sorted(dict.fromkeys(found), key=lambda address: address.startswith("127."))
