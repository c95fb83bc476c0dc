"""Who may take part: tokens of launches and of nodes, versions that fit, and when a node that is not heard of is given up. Pure."""

from __future__ import annotations

import hmac
import platform

from msgspec import Struct

from batchwork import __version__
from batchwork.workers.nodes.net.credentials import new_token
from batchwork.workers.nodes.net.wire import PROTOCOL, Hello


class Node(Struct, frozen=True):
    """A member: its number in this run, its machine, and how many attempts at once it offers."""

    number: int
    host: str
    slots: int
    pid: int

    @property
    def name(self) -> str:
        """How people are told of it; two on one machine have different names."""
        return f"{self.host}/{self.number}"


class Refusal(Exception):
    """Somebody may not take part; why, for people."""


class Register:
    """The nodes there were, by number, with their own tokens; and the tokens that launches have.

    Times are seconds since the machine was started. A lease lasts `lease_s`; `given_up_s` after the last grant, a node's work is
    given to others.
    """

    def __init__(self, lease_s: float, given_up_s: float) -> None:
        self.lease_s, self.given_up_s = lease_s, given_up_s
        self._launches: dict[str, int | None] = {}
        self._tokens: dict[int, str] = {}
        self._granted: dict[int, float] = {}
        self.refusals: dict[str, str] = {}
        """Why machines were refused."""

    # ------------------------------------------------------------ who comes

    def new_launch(self, nodes: int | None) -> str:
        """The token of a launch: good for so many nodes, or for any number."""
        token = new_token()
        self._launches[token] = nodes
        return token

    def admit(self, hello: Hello, now: float) -> Node:
        """The node that says hello, whose lease begins. Raises Refusal. Of strangers without a token nothing is kept."""
        launch = self._launch_of(hello.token)
        if launch is None and not self._is_former(hello):
            raise Refusal("its token is not one of this run, or was used before")
        if (why := _misfit(hello)) is not None:
            self.refusals[hello.host] = why
            raise Refusal(why)
        if launch is None:
            self._tokens[hello.former] = ""
        elif (left := self._launches[launch]) is not None:
            self._launches[launch] = left - 1
        number = len(self._tokens) + 1
        self._tokens[number] = new_token()
        self._granted[number] = now
        return Node(number, hello.host, hello.slots, hello.pid)

    def token(self, node: int) -> str:
        return self._tokens[node]

    def _launch_of(self, token: str) -> str | None:
        """The launch of which this is the token, if its nodes are not in yet."""
        for known, left in list(self._launches.items()):  # another launch may be written down meanwhile
            if _same(known, token) and (left is None or left > 0):
                return known
        return None

    def _is_former(self, hello: Hello) -> bool:
        """Whether it was a node before, and comes for the first time since."""
        return self.is_own(hello.former, hello.token)

    def is_own(self, node: int, token: str) -> bool:
        """Whether the token is that of the node."""
        return bool(self._tokens.get(node)) and _same(self._tokens[node], token)

    # ------------------------------------------------------------ who is gone

    def grant(self, node: int, now: float) -> None:
        """The node's lease was renewed."""
        if node in self._granted:
            self._granted[node] = now

    def ended(self, node: int) -> bool:
        """Nothing of the node lives any more; whether that is news."""
        return self._granted.pop(node, None) is not None

    def overdue(self, now: float) -> list[int]:
        """Nodes whose lease has been over for so long that nothing of them can live any more."""
        return [node for node, at in self._granted.items() if now >= at + self.given_up_s]

    def next_overdue(self) -> float | None:
        """When that will be so for the next one."""
        return min(self._granted.values()) + self.given_up_s if self._granted else None


def _misfit(hello: Hello) -> str | None:
    """What of a node does not fit, None where all does."""
    if hello.slots < 1:
        return f"it offers {hello.slots} slots"
    if hello.protocol != PROTOCOL or hello.version != __version__:
        return f"it has batchwork {hello.version}, and here is {__version__}: they must be the same"
    if hello.python.split(".")[:2] != platform.python_version().split(".")[:2]:
        return (
            f"it has Python {hello.python}, and here is {platform.python_version()}: they must be of the same version"
        )
    return None


def _same(known: str, token: str) -> bool:
    return hmac.compare_digest(known.encode(), token.encode("utf-8", "replace"))
