"""Which units have been running for a while, as those who look see it: asked of the executor each second, told to the store where it changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from batchwork.engine.step.window import Out
from batchwork.model import RunningUnit
from batchwork.ports import Running

LOOK_EVERY_S = 1.0
MOST = 1_000
"""Units that are told, at most: those that have been running longest."""


class RunningUnits:
    """Belongs to the coordinator's thread. `begun`: monotonic seconds; before the first second nothing runs for long."""

    def __init__(self, begun: float) -> None:
        self._look_at = begun + LOOK_EVERY_S
        self._told: list[RunningUnit] = []

    def due_s(self, now: float, busy: bool) -> float | None:
        """Seconds until it is time to look; None where nothing can be running."""
        if busy or self._told:
            return max(0.0, self._look_at - now)
        return None

    def look(
        self, running: Sequence[Running], out: Mapping[int, Out], now: float, now_ms: int
    ) -> list[RunningUnit] | None:
        """What is to be told, given what an executor says is `running` of the calls that are `out`; None if nothing changed."""
        self._look_at = now + LOOK_EVERY_S
        longest = sorted((unit for unit in running if unit.call in out), key=lambda unit: -unit.for_s)[:MOST]
        before = {(unit.seq, unit.attempt): unit.started_ms for unit in self._told}
        found = [_unit(unit, out[unit.call], now_ms, before) for unit in longest]
        if found == self._told:
            return None
        self._told = found
        return found


def _unit(running: Running, out: Out, now_ms: int, before: Mapping[tuple[int, int], int]) -> RunningUnit:
    units, attempt = out.call.units, out.call.attempt
    seq = units.seqs[running.offset]
    # What was said first of its start stays: measured anew each second it would never be the same.
    started_ms = before.get((seq, attempt), now_ms - round(running.for_s * 1000))
    place = units.indexes[running.offset], units.keys[running.offset]
    return RunningUnit(seq, *place, attempt, started_ms, running.worker, running.stdout, running.stderr)
