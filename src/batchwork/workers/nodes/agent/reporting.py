"""A report of a local executor as what is sent: in parts, where it is large."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from batchwork.model import Failure, Report
from batchwork.workers.nodes.net.wire import FRAME_MOST, Outcomes, extent, framed

RESULT_MOST = FRAME_MOST - (32 << 20)
"""Bytes of one result, at most."""
PART_MOST = 8 << 20
"""Characters of results in one frame, unless a single one has more."""


def report_frames(session: int, report: Report) -> Iterator[bytes]:
    """A report as frames, one unless it is large."""
    for part in parts_of(without_giants(report)):
        yield framed(session, outcomes_of(part))


def outcomes_of(report: Report) -> Outcomes:
    """All that a report says, but the receipt."""
    return Outcomes(
        report.call,
        ranges_of(report.done),
        [*report.results],
        [*report.durations_us],
        [*report.failures],
        [*report.cancelled],
        [*report.returned],
        [*report.lost],
        dict(report.logs),
        report.worker,
        report.setup,
        [*report.adrift],
    )


def ranges_of(offsets: Sequence[int]) -> list[tuple[int, int]]:
    """Offsets in their order, as ranges from, to."""
    if isinstance(offsets, range) and offsets.step == 1:
        return [(offsets.start, offsets.stop)] if offsets else []
    ranges: list[tuple[int, int]] = []
    for offset in offsets:
        if ranges and ranges[-1][1] == offset:
            ranges[-1] = (ranges[-1][0], offset + 1)
        else:
            ranges.append((offset, offset + 1))
    return ranges


def without_giants(report: Report) -> Report:
    """The report, in which units have failed whose results are too large for any frame."""
    giants = {at for at, text in enumerate(report.results) if extent(text) > RESULT_MOST}
    failures = [*map(_cut, report.failures)]
    if giants:
        failures += [(report.done[at], _too_large(report.results[at]), report.durations_us[at]) for at in giants]
        report = _without(report, giants)
    return replace(report, failures=failures)


def _without(report: Report, giants: set[int]) -> Report:
    """The report without some of its results."""
    left = [at for at in range(len(report.results)) if at not in giants]
    durations = [report.durations_us[at] for at in left]
    return replace(
        report,
        done=[report.done[at] for at in left],
        results=[report.results[at] for at in left],
        durations_us=durations,
    )


def _cut(told: tuple[int, Failure, int]) -> tuple[int, Failure, int]:
    """A failure without what there was of a result, where that is too large."""
    offset, failure, us = told
    if extent(failure.result or "") <= RESULT_MOST:
        return told
    return offset, replace(failure, result=None), us


def _too_large(result: str) -> Failure:
    text = f"the result has {len(result):,} characters of JSON; a node sends {RESULT_MOST >> 20} MiB of them at most"
    return Failure("result", text, retryable=False)


def parts_of(report: Report) -> Iterator[Report]:
    """The report in parts that are not too large; together they say what it says. What a unit printed goes with the unit."""
    if _extent(report) <= PART_MOST:
        yield report
        return
    apart = {*report.done, *(offset for offset, _, _ in report.failures)}
    first = {offset: text for offset, text in report.logs.items() if offset not in apart}
    yield replace(report, done=(), results=(), durations_us=(), failures=(), logs=first, recorded=None)
    for start, stop in _pieces(_lengths(report)):
        done = report.done[start:stop]
        durations, results = report.durations_us[start:stop], report.results[start:stop]
        yield _part(report, done, done=done, results=results, durations_us=durations)
    for failure in report.failures:
        yield _part(report, failure[:1], failures=[failure])


def _part(report: Report, offsets: Sequence[int], **told: object) -> Report:
    logs = {offset: report.logs[offset] for offset in offsets if offset in report.logs}
    return Report(report.call, worker=report.worker, logs=logs, **told)  # type: ignore[arg-type]


def _lengths(report: Report) -> list[int]:
    """Characters of each result, and of what its unit printed."""
    logs = report.logs
    if not logs:
        return [*map(len, report.results)]
    return [len(result) + len(logs.get(offset, "")) for offset, result in zip(report.done, report.results, strict=True)]


def _extent(report: Report) -> int:
    failures = sum(len(failure.message) + len(failure.result or "") for _, failure, _ in report.failures)
    return sum(map(len, report.results)) + failures + sum(map(len, report.logs.values()))


def _pieces(lengths: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Ranges of results that go together."""
    start, extent, at = 0, 0, 0
    for at, length in enumerate(lengths, 1):
        if extent and extent + length > PART_MOST:
            yield start, at - 1
            start, extent = at - 1, 0
        extent += length
    if start < at:
        yield start, at
