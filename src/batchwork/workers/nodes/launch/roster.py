"""Which machines of a cluster have an agent, which are to get one, and which have failed too often. Pure.

Times are seconds since the machine was started.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

TRIES: Final = 3
"""Agents that may end by themselves on a machine, one after another, before no more is started there."""
PAUSE_S: Final = 1.0
"""Between the end of an agent and the next one on the same machine."""


class Place(Struct, frozen=True):
    """Where an agent can be started. `host` tells machines apart, `name` is for people.

    `worker` is who of the cluster is asked to start it; `slots`: attempts at once there, None for as many as it has processors.
    """

    host: str
    name: str
    worker: str
    slots: int | None = None


class Ended(Struct, frozen=True):
    """How an agent has ended, in words; empty where only whoever started it is gone."""

    why: str


class _Host(Struct):
    """What is known of a machine."""

    place: Place
    working: bool = True
    tries: int = 0
    again_at: float = 0.0
    why: str = ""

    @property
    def is_hopeless(self) -> bool:
        return not self.working and self.tries >= TRIES


class Roster:
    """The machines that there are, and their agents."""

    def __init__(self) -> None:
        self._hosts: dict[str, _Host] = {}
        self._present: dict[str, Place] | None = None

    def see(self, places: Sequence[Place]) -> None:
        """Who can be asked now. Of several on one machine the first one is, so long as it is there."""
        self._present = {}
        for place in places:
            self._present.setdefault(place.host, place)

    def due(self, now: float) -> list[Place]:
        """Where an agent is to be started now."""
        return [place for host, place in self._places.items() if self._wants(host, now)]

    @property
    def _places(self) -> dict[str, Place]:
        return self._present or {}

    def _wants(self, host: str, now: float) -> bool:
        known = self._hosts.get(host)
        return known is None or not (known.working or known.is_hopeless or now < known.again_at)

    def started(self, place: Place) -> None:
        """An agent was started there."""
        known = self._hosts.setdefault(place.host, _Host(place))
        known.place, known.working = place, True

    def ended(self, host: str, how: Ended, now: float) -> None:
        """The agent there has ended. One whose starter is gone has not failed."""
        known = self._hosts[host]
        known.working = False
        known.again_at = now + PAUSE_S
        known.why = how.why or known.why
        known.tries = known.tries + 1 if how.why else 0

    def hopeless(self) -> str | None:
        """Why no agent can come from the machines that there are; None while one may, or there are no machines yet."""
        known = [self._hosts.get(host) for host in self._places]
        if not known or any(host is None or not host.is_hopeless for host in known):
            return None
        return self._failures()

    def known(self) -> str:
        """What there is to say while no agent has come."""
        if self._present is None:
            return ""
        if not self._present:
            return "it has no workers"
        waiting = [known.place.name for known in self._hosts.values() if known.working]
        sent = f"an agent was sent to {_some(waiting)}" if waiting else ""
        return "; ".join(filter(None, (self._failures(), sent)))

    def _failures(self) -> str:
        """What was the matter on each machine, alike ones together."""
        by_why: dict[str, list[str]] = {}
        for known in self._hosts.values():
            if known.why and known.place.host in self._places:
                by_why.setdefault(known.why, []).append(known.place.name)
        return "; ".join(f"{_some(names)}: {why}" for why, names in by_why.items())


def _some(names: Sequence[str]) -> str:
    """Names, the first few of many."""
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
