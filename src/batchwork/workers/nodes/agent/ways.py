"""Ways to the hub: the node's own connection, and others on which its lease is renewed while nothing is heard on that.

After a cut, TCP waits about as long as that lasted before it tries again. A new connection is tried at once.
"""

from __future__ import annotations

import contextlib
import select
import threading

from batchwork.clock import since_boot
from batchwork.workers.nodes.net.connection import Closed, Connection, Mailbox
from batchwork.workers.nodes.net.letter import Letter, call_hub
from batchwork.workers.nodes.net.wire import BadFrame, Granted, Vouch, framed, understood_down


class Ways:
    """Questions on other connections are asked by threads that end soon; numbers of those that were granted lie in `granted`."""

    def __init__(self, letter: Letter) -> None:
        self.letter = letter
        self.granted: Mailbox[int] = Mailbox()

    def own(self) -> Connection:
        """The node's own connection. Raises Closed."""
        return call_hub(self.letter)

    def ask(self, vouch: Vouch, patience_s: float) -> None:
        """Ask in a thread, which gives up after so long."""
        threading.Thread(target=self._ask, args=(vouch, patience_s), name="another way", daemon=True).start()

    def _ask(self, vouch: Vouch, patience_s: float) -> None:
        with contextlib.suppress(Closed, BadFrame):
            until = since_boot() + patience_s
            connection = call_hub(self.letter, patience_s)
            try:
                connection.say(framed(0, vouch))
                connection.flush()
                self._listen(connection, vouch.number, until)
            finally:
                connection.close()

    def _listen(self, connection: Connection, number: int, until: float) -> None:
        """Raises Closed, BadFrame."""
        while (left_s := until - since_boot()) > 0:
            select.select([connection], [], [], left_s)
            for _, body in connection.hear():
                if understood_down(body) == Granted(number):
                    self.granted.put(number)
                    return
