"""A node's lease: how long it may work without hearing from the hub. Pure.

It is asked for again and again, and each answer makes it last from when that was *asked*. So the hub, which counts from its
answer, never gives a node's work away while the node may still do it, however long the network held the answer back.
"""

from __future__ import annotations

from batchwork.workers.nodes.net.wire import RENEWALS


class Lease:
    """Times are seconds since the machine was started (`clock.since_boot`)."""

    def __init__(self, length_s: float, asked_at: float) -> None:
        self._length_s = length_s
        self._asked: dict[int, float] = {}
        self._number = 0
        self.until = asked_at + length_s
        self.renew_at = asked_at
        self._heard_at = self._vouch_at = asked_at

    def ask(self, now: float) -> int:
        """The number of a new question for it, asked now."""
        self._number += 1
        self._asked[self._number] = now
        self.renew_at = now + self._length_s / RENEWALS
        return self._number

    def vouch(self, now: float) -> int | None:
        """The number of a question that is to be asked on another connection, if it is time for one.

        It is when a question was not answered, and no longer than a connection may take to go on after a cut.
        """
        pause_s, silent_s = self._length_s / RENEWALS, now - self._heard_at
        if not 1.5 * pause_s <= silent_s < 2 * self._length_s or now < self._vouch_at:
            return None
        self._vouch_at = now + pause_s / 2
        renew_at = self.renew_at
        number = self.ask(now)
        self.renew_at = renew_at
        return number

    @property
    def look_at(self) -> float:
        """When something is to be done next."""
        times = [self.renew_at, self.until]
        if self._vouch_at > self._heard_at:
            times.append(self._vouch_at)
        return min(times)

    def heard(self, number: int, now: float) -> None:
        """The question of that number is answered, on the node's own connection."""
        self._heard_at = now
        self.granted(number)

    def granted(self, number: int) -> None:
        """The question of that number is answered; those before it need no answer any more."""
        asked = self._asked.get(number)
        if asked is None:
            return
        self.until = max(self.until, asked + self._length_s)
        self._asked = {later: at for later, at in self._asked.items() if later > number}

    def is_over(self, now: float) -> bool:
        return now >= self.until
