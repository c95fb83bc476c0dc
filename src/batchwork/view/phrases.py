"""What each event says to a person, as one line of text. Shared by all views, so that no two of them disagree; prints nothing."""

from __future__ import annotations

from batchwork.events import RunStarted, StepFinished, StepStarted, Stopping, Warned
from batchwork.model import Counts, StepStatus
from batchwork.text.wording import duration, number, only_if, plural, rate, share, visible


def run_started(event: RunStarted) -> str:
    verb = "resuming run" if event.resumed else "run"
    return f"{verb} {visible(event.run)}: {visible(event.workflow)}"


def step_started(event: StepStarted) -> str:
    name, counts = visible(event.step), event.counts
    if not event.batch:
        return f"{name}: started"
    total = only_if(counts.total is not None, f", {plural(counts.total or 0, 'item')}")
    before = only_if(counts.finished, f", {number(counts.finished)} done before")
    return f"{name}: started{total}{before}{_here(event)}"


def step_stays(event: StepStarted) -> str:
    """That a step runs on this machine, where others might have run elsewhere; empty where it does not, or has one unit."""
    return f"{visible(event.step)}: started{_here(event)}" if event.batch and event.stays else ""


def _here(event: StepStarted) -> str:
    return only_if(event.stays, f"; on this machine, because {event.stays}")


def tallies(counts: Counts) -> str:
    """`990 succeeded, 10 failed`; zeros are left out, but `succeeded` is always there."""
    parts = [f"{number(counts.succeeded)} succeeded"]
    for count, word in ((counts.failed, "failed"), (counts.skipped, "skipped"), (counts.in_doubt, "in doubt")):
        if count:
            parts.append(f"{number(count)} {word}")
    if counts.pending:
        parts.append(f"{number(counts.pending)} pending")
    return ", ".join(parts)


def step_finished(event: StepFinished) -> str:
    took = duration(event.duration_s)
    error = only_if(event.error, f": {visible(event.error)}")
    if event.status is StepStatus.SKIPPED:
        return f"{visible(event.step)}: skipped{error}"
    if event.status is StepStatus.RUNNING:
        how_far = only_if(event.batch, f": {tallies(event.counts)}")
        return f"{visible(event.step)}: stopped after {took}{how_far}{error}"
    if not event.batch:
        return f"{visible(event.step)}: {event.status} in {took}{error}"
    counts = event.counts
    if counts.total == 0:
        return f"{visible(event.step)}: {event.status}, 0 items"
    return f"{visible(event.step)}: {event.status} in {took}: {tallies(counts)}{error}"


def warned(event: Warned) -> str:
    where = only_if(event.step, f"{visible(event.step)}: ")
    return f"warning: {where}{visible(event.text)}"


def stopping(event: Stopping) -> str:
    """What happens now, and what the next Ctrl-C would do."""
    if event.level >= 3:
        return f"{event.reason}: killing what still runs"
    running = plural(event.running, "running item")
    if event.level == 2:
        return f"{event.reason}: stopping {running} (SIGTERM, in 5 s SIGKILL); Ctrl-C again kills at once"
    if not event.running:
        return f"{event.reason}: finishing …"
    return f"{event.reason}: finishing {running} … press Ctrl-C again to stop {'it' if event.running == 1 else 'them'}"


def progress(step: str, counts: Counts, per_s: float, retrying: int) -> str:
    """`enrich: 450/1,000 (45 %), 3 failed, 82/s, 2 waiting to retry`."""
    name, done = visible(step), number(counts.finished)
    head = f"{done} done"
    if counts.total is not None:
        head = f"{done}/{number(counts.total)}"
    if counts.total:
        head += f" ({share(counts.finished, counts.total)})"
    failed = only_if(counts.failed, f", {number(counts.failed)} failed")
    waiting = only_if(retrying, f", {number(retrying)} waiting to retry")
    return f"{name}: {head}{failed}, {rate(per_s)}{waiting}"
