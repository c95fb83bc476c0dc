"""A run in figures: step records → Summary → a table for people, the JSON object, the exit code. Pure; prints nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypedDict, assert_never

from msgspec import Struct
from msgspec.structs import replace

from batchwork.model import (
    Counts,
    Failure,
    RunRecord,
    RunStatus,
    StepRecord,
    StepStatus,
)
from batchwork.ports.store import Sample
from batchwork.step_notes import NeedSkipped, Reopened, StepNote, Unwritten, WhenFalse
from batchwork.text.wording import columns, duration, ljust, number, only_if, plural, rate, share, short, size, visible

CRASHED: Final = "crashed"
"""How a run is shown that is running without a living owner."""

TOLERATED: Final = 3
_ERROR_WIDTH: Final = 200
_WIDTH: Final = 79


class CountsJson(TypedDict):
    total: int | None
    succeeded: int
    failed: int
    skipped: int
    in_doubt: int
    pending: int | None
    running: int


class ErrorJson(TypedDict, total=False):
    type: str
    message: str
    exit_code: int
    status_code: int


class StepJson(TypedDict):
    status: str
    counts: CountsJson
    duration: float
    error: ErrorJson | None


class RunJson(TypedDict):
    run: str
    workflow: str
    status: str
    steps: dict[str, StepJson]


class StepSummary(Struct, frozen=True):
    """One step in figures. `batch`: it has items. `stale`: an earlier step was retried after this one had finished."""

    name: str
    status: StepStatus
    counts: Counts
    duration_s: float
    failure: Failure | None
    batch: bool
    stale: bool = False
    note: str = ""


class Usage(Struct, frozen=True):
    """What the run used of the machine, over its samples."""

    cpu_percent: float
    rss_peak: int
    descriptors_peak: int
    processes_peak: int
    units_per_s: float


class Summary(Struct, frozen=True):
    """A run in figures. `status` is a RunStatus, or CRASHED."""

    run: str
    workflow: str
    status: str
    steps: tuple[StepSummary, ...]
    duration_s: float
    usage: Usage | None = None
    window: str = ""

    def total(self) -> Counts:
        """All steps with items together; the total is None where one is not known."""
        counts = [step.counts for step in self.steps if step.batch]
        totals = [count.total for count in counts if count.total is not None]
        return Counts(
            sum(totals) if len(totals) == len(counts) else None,
            sum(count.succeeded for count in counts),
            sum(count.failed for count in counts),
            sum(count.skipped for count in counts),
            sum(count.in_doubt for count in counts),
        )


def summarize(
    run: RunRecord, steps: Sequence[StepRecord], samples: Sequence[Sample] = (), now_ms: int | None = None
) -> Summary:
    """The summary of a run as it stands in the store. `now_ms` is the wall clock, for how long a living run has been going.

    A run that crashed was going at its last sample; after that nothing is known of it.
    """
    crashed = run.status is RunStatus.RUNNING and not run.living
    seen_ms = now_ms if run.living else None
    until_ms = samples[-1].at_ms if crashed and samples else seen_ms
    ordered = sorted(steps, key=lambda step: step.order)
    found = tuple(_step(step, run.living, until_ms) for step in ordered)
    ended_ms = seen_ms if run.ended_ms is None else run.ended_ms
    took_s = sum(step.duration_s for step in found)
    if ended_ms is not None:
        took_s = max(0, ended_ms - run.created_ms) / 1000
    status = CRASHED if crashed else run.status
    return Summary(run.id, run.name, status, found, took_s, usage(samples), run.window)


def _step(record: StepRecord, living: bool, until_ms: int | None) -> StepSummary:
    counts, took_ms = record.counts, record.duration_ms
    if until_ms is not None and record.started_ms is not None and record.status is StepStatus.RUNNING:
        took_ms = took_ms or max(0, until_ms - record.started_ms)  # what is stored is of executions that have ended
    gone = {True: "in_doubt", False: "running"}[
        living
    ]  # while their process lives they are worked on; else none of them runs
    counts = replace(counts, **{gone: 0})
    return StepSummary(
        record.name,
        record.status,
        counts,
        took_ms / 1000,
        record.failure,
        record.batch,
        record.stale,
        why_skipped(record.note),
    )


def why_skipped(note: StepNote | None) -> str:
    """Why a step was skipped, in words; empty where its note says nothing of that."""
    match note:
        case WhenFalse():
            return "`when` is false"
        case NeedSkipped():
            return f"step `{note.step}`, which it refers to, was skipped"
        case Reopened() | Unwritten() | None:
            return ""
        case _:
            assert_never(note)


def usage(samples: Sequence[Sample]) -> Usage | None:
    """Means and peaks of the samples; None without any."""
    if not samples:
        return None
    return Usage(
        sum(sample.cpu_percent for sample in samples) / len(samples),
        max(sample.rss_bytes for sample in samples),
        max(sample.descriptors for sample in samples),
        max(sample.processes for sample in samples),
        sum(sample.units_per_s for sample in samples) / len(samples),
    )


# ---------------------------------------------------------------- JSON


def counts_json(counts: Counts) -> CountsJson:
    """The counts as everything that speaks JSON shows them; they add up to the total, and `running` is a part of pending."""
    return {
        "total": counts.total,
        "succeeded": counts.succeeded,
        "failed": counts.failed,
        "skipped": counts.skipped,
        "in_doubt": counts.in_doubt,
        "pending": counts.pending,
        "running": counts.running,
    }


def error_json(failure: Failure | None) -> ErrorJson | None:
    """A failure without its traceback; codes only where there are some."""
    if failure is None:
        return None
    error: ErrorJson = {"type": failure.type, "message": failure.message}
    if failure.exit_code is not None:
        error["exit_code"] = failure.exit_code
    if failure.status_code is not None:
        error["status_code"] = failure.status_code
    return error


def summary_json(summary: Summary) -> RunJson:
    """The object of `run --json` and `status --json`."""
    return {
        "run": summary.run,
        "workflow": summary.workflow,
        "status": summary.status,
        "steps": {
            step.name: {
                "status": step.status,
                "counts": counts_json(step.counts),
                "duration": round(step.duration_s, 3),
                "error": error_json(step.failure),
            }
            for step in summary.steps
        },
    }


# ---------------------------------------------------------------- exit code


def exit_code(status: RunStatus | str, interrupted: int = 130, allow_failures: bool = False) -> int:
    """The exit code that says how a run ended. `interrupted` is 130 or 143, by the signal."""
    match status:
        case RunStatus.SUCCEEDED:
            return 0
        case RunStatus.PARTIAL:
            return 0 if allow_failures else TOLERATED
        case RunStatus.INTERRUPTED:
            return interrupted
        case _:
            return 1


# ---------------------------------------------------------------- text


def summary_text(summary: Summary) -> str:
    """The table for people, lines without a last line feed. Control characters are made visible."""
    word = {RunStatus.RUNNING: "for", CRASHED: "after"}.get(summary.status, "in")
    took = only_if(summary.duration_s, f" {word} {duration(summary.duration_s)}")
    lines = [f"{visible(summary.workflow)} (run {visible(summary.run)}): {summary.status}{took}"]
    rows: list[tuple[str, ...]] = [("step", "status", "done", "failed", "duration", "rate", "")]
    rows += [_row(step, summary.status) for step in summary.steps]
    widths = [max(columns(row[column]) for row in rows) for column in range(6)]
    for *cells, remark in rows:
        name, status, *figures = cells
        right = [figure.rjust(width) for figure, width in zip(figures, widths[2:], strict=True)]
        line = "  ".join(["", ljust(name, widths[0]), status.ljust(widths[1]), *right])
        if columns(line) + columns(remark) + 2 <= _WIDTH:
            lines.append(f"{line}  {remark}".rstrip())
        else:
            from textwrap import wrap

            lines += [line.rstrip(), *(f"      {part}" for part in wrap(remark, _WIDTH - 6))]
    if summary.usage is not None:
        lines.append(f"  {usage_text(summary.usage)}")
    return "\n".join(lines)


def usage_text(used: Usage) -> str:
    """`CPU 180 %, memory up to 310 MiB, up to 9 processes`."""
    processes = plural(used.processes_peak, "process", "processes")
    return f"CPU {used.cpu_percent:.0f} %, memory up to {size(used.rss_peak)}, up to {processes}"


def _row(step: StepSummary, run: str) -> tuple[str, ...]:
    status = step.status.value
    if step.status is StepStatus.RUNNING and run != RunStatus.RUNNING:
        status = "stopped"  # it is to be gone on with; a person would read "running" as "still at work"
    idle = step.status in (StepStatus.PENDING, StepStatus.SKIPPED)
    took = duration(step.duration_s)
    if (idle or status == "stopped") and not step.duration_s:
        took = ""
    return visible(step.name), status, *_figures(step, idle), took, _pace(step), _remark(step)


def _figures(step: StepSummary, idle: bool) -> tuple[str, str]:
    """What is done and what failed, of a step with items."""
    counts = step.counts
    if not step.batch:
        return "", ""
    failed = only_if(counts.failed, number(counts.failed))
    return only_if(counts.finished or not idle, _done(counts)), failed


def _pace(step: StepSummary) -> str:
    finished = step.counts.finished
    if step.batch and finished and step.duration_s:
        return rate(finished / step.duration_s)
    return ""


def _done(counts: Counts) -> str:
    if counts.total is None:
        return f"{number(counts.finished)}"
    if counts.finished == counts.total:
        return number(counts.total)
    return f"{number(counts.finished)} of {number(counts.total)} ({share(counts.finished, counts.total)})"


def _remark(step: StepSummary) -> str:
    remarks = []
    if step.counts.skipped:
        remarks.append(f"{number(step.counts.skipped)} skipped")
    if step.counts.in_doubt:
        remarks.append(f"{plural(step.counts.in_doubt, 'item')} in doubt")
    if step.stale:
        remarks.append("stale: an earlier step was retried")
    if step.failure is not None:
        remarks.append(short(visible(f"{step.failure.type}: {step.failure.message}"), _ERROR_WIDTH))
    elif step.status is StepStatus.SKIPPED and step.note:
        remarks.append(short(visible(step.note), _ERROR_WIDTH))
    return ", ".join(remarks)
