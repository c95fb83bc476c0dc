"""What became of claimed units whose process died: a decision on the claims and what the journals of their workers say.

A claim on disk says that its units may have run. The journals only narrow that down; without them all of it stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from batchwork.model import Claim, Failure, Report
from batchwork.ports.journals import Noted


def narrow(claims: Sequence[Claim], noted: Mapping[int, Noted] | None) -> list[Report]:
    """What became of the units of each claim, by their places in the claim: done, failed or cancelled; `lost` are those
    that ran and are in doubt, `returned` those that had not begun. Without journals all are lost.
    """
    return [_narrowed(claim, noted) for claim in claims]


def _narrowed(claim: Claim, noted: Mapping[int, Noted] | None) -> Report:
    everything = range(len(claim.seqs))
    if noted is None:
        return Report(claim.id, lost=everything)
    told = noted.get(claim.id)
    if told is None:
        return Report(claim.id, returned=everything)
    fates = _Fates(told.worker)
    for at, offset in enumerate(claim.offsets):
        fates.add(at, offset, told)
    return fates.report(claim.id)


class _Fates(Struct):
    """The ends of units, in the columns of a report."""

    worker: str
    done: list[int] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    durations_us: list[int] = field(default_factory=list)
    failures: list[tuple[int, Failure, int]] = field(default_factory=list)
    others: dict[str, list[int]] = field(default_factory=dict)
    logs: dict[int, str] = field(default_factory=dict)

    def add(self, at: int, offset: int, told: Noted) -> None:
        if offset in told.done:
            us, result = told.done[offset]
            self.done.append(at)
            self.results.append(result)
            self.durations_us.append(us)
        elif offset in told.failed:
            us, _, failure = told.failed[offset]
            self.failures.append((at, failure, us))
        else:
            self.others.setdefault(_without_outcome(offset, told), []).append(at)
        if offset in told.logs:
            self.logs[at] = told.logs[offset]

    def report(self, call: int) -> Report:
        cancelled, returned, lost = (self.others.get(name, ()) for name in ("cancelled", "returned", "lost"))
        return Report(
            call,
            self.done,
            self.results,
            self.durations_us,
            self.failures,
            cancelled,
            returned,
            lost,
            self.logs,
            self.worker,
        )


def _without_outcome(offset: int, told: Noted) -> str:
    if offset in told.cancelled:
        return "cancelled"
    return "lost" if offset in told.started else "returned"


def still_in_doubt(claims: Sequence[Claim], noted: Mapping[int, Noted] | None) -> list[Claim]:
    """The claims with only those units that are in doubt."""
    narrowed = zip(claims, narrow(claims, noted), strict=True)
    return [claim.part(report.lost) for claim, report in narrowed if report.lost]
