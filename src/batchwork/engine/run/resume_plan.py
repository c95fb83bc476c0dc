"""What a resume or a retry does with each step of a run that has been, and why: pure decisions, and their execution on a store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final, assert_never

from msgspec import Struct

from batchwork.engine.run.choose_failed import Chosen
from batchwork.engine.run.scheduling import ENDED, downstream, met, tolerated
from batchwork.model import StepRecord, StepStatus
from batchwork.plan.model import Plan, StepPlan
from batchwork.ports import StepChange, Store
from batchwork.report import why_skipped
from batchwork.step_notes import Reopened, Unwritten
from batchwork.text.wording import number, plural

IN_DOUBT_STOPS: Final = "with `on_in_doubt: stop` nothing runs until it says `retry` or `fail`"


class Act(StrEnum):
    """What is done with a step before the run goes on."""

    KEEP = "keep"  # it has ended and stays as it is
    START = "start"  # it has not run
    CONTINUE = "continue"  # it was running: what is recorded stays, the rest is run
    REVIVE = "revive"  # it failed: failed units get fresh attempts, and it goes on
    REREAD = "reread"  # it has ended: failed units get fresh attempts with the values that the source has now
    WRITE = "write"  # all its units have an outcome: only its files are written
    RETRY = "retry"  # it has ended: failed units get fresh attempts, the source is not read again
    ANEW = "anew"  # it is forgotten and runs again
    STALE = "stale"  # it stays, marked: an earlier step is retried


class Revival(Struct, frozen=True):
    """What is done with one step. `chosen` are the units (seqs) that get fresh attempts, None for all that failed."""

    step: StepPlan
    record: StepRecord
    act: Act
    why: str
    chosen: tuple[int, ...] | None = None

    @property
    def stops(self) -> bool:
        """Whether it fails at once, because what is in doubt is not to be run again unseen."""
        batch = self.step.batch
        return (
            self.act in (Act.CONTINUE, Act.REVIVE)
            and self.record.counts.in_doubt > 0
            and batch is not None
            and batch.on_in_doubt == "stop"
        )


def resuming(plan: Plan, records: Mapping[str, StepRecord]) -> list[Revival]:
    """What a resume does: failed steps are tried again, running ones go on, ended ones stay."""
    main = [_resumed(step, records[step.name]) for step in plan.steps if not step.finalizer]
    return main + _finalizers(plan, records, any(revival.act is not Act.KEEP for revival in main))


def retrying(
    plan: Plan,
    records: Mapping[str, StepRecord],
    chosen: Chosen,
    everything: bool,
    again: bool,
) -> list[Revival]:
    """What a retry does. `chosen` are units by step; `everything`: no choice was made; `again`: `--downstream`.

    A run that has not ended goes on afterwards, as with a resume; but failed units that were not chosen stay failed.
    """
    retried = [step.name for step in plan.steps if step.name in chosen.steps]
    retry = _Retry(chosen, frozenset(downstream(plan.steps, retried)), everything, again)
    main = [retry.revival(step, records[step.name]) for step in plan.steps if not step.finalizer]
    busy = any(revival.act not in (Act.KEEP, Act.STALE) for revival in main)
    return main + _finalizers(plan, records, busy)


class _Retry(Struct, frozen=True):
    """What was chosen for a retry, and which steps come `later` than the retried ones."""

    chosen: Chosen
    later: frozenset[str]
    everything: bool
    again: bool

    def revival(self, step: StepPlan, record: StepRecord) -> Revival:
        """What is done with a step that is not a finalizer."""
        if step.name in self.chosen.steps:
            return self._retried(step, record)
        if self.again and record.stale:
            return Revival(step, record, Act.ANEW, "a step before it was retried")
        if step.name in self.later:
            if self.again and record.status in ENDED:
                return Revival(step, record, Act.ANEW, "a step before it is retried")
            if met(step, record.status):
                return Revival(step, record, Act.STALE, "a step before it is retried; `--downstream` runs it again")
        if record.status is StepStatus.FAILED and not self.everything:
            return Revival(step, record, Act.KEEP, "failed, and nothing of it is chosen")
        return _resumed(step, record)

    def _retried(self, step: StepPlan, record: StepRecord) -> Revival:
        chosen = self.chosen.steps[step.name]
        count = record.counts.failed if chosen is None else len(chosen)
        what = _fresh(count) if record.batch else "it failed"
        read = record.batch and (record.status is StepStatus.SUCCEEDED or record.counts.pending == 0)
        act = Act.REVIVE
        if read and record.status in ENDED and (self.chosen.reread or step.name not in self.chosen.unread):
            act = Act.REREAD if self.chosen.reread else Act.RETRY
        return Revival(step, record, act, what, chosen)


def _resumed(step: StepPlan, record: StepRecord) -> Revival:
    match record.status:
        case StepStatus.PENDING:
            return Revival(step, record, Act.START, "it has not run")
        case StepStatus.RUNNING:
            return Revival(step, record, Act.CONTINUE, _continued(record))
        case StepStatus.FAILED:
            return _revived(step, record)
        case StepStatus.SKIPPED:
            return Revival(step, record, Act.KEEP, why_skipped(record.note) or "skipped")
        case StepStatus.SUCCEEDED:
            return Revival(step, record, Act.KEEP, f"succeeded{_succeeded(record)}")
        case _:
            assert_never(record.status)


def _revived(step: StepPlan, record: StepRecord) -> Revival:
    """What becomes of a step that failed."""
    if tolerated(step, record.status):
        return Revival(step, record, Act.KEEP, "failed, which `on_error: continue` tolerates")
    if isinstance(record.note, Unwritten):
        return Revival(step, record, Act.WRITE, "all its items have an outcome; their results were not written")
    if record.started_ms is None:
        return Revival(step, record, Act.ANEW, "it failed before it began")
    return Revival(step, record, Act.REVIVE, f"it failed: {_tried_again(record)}{_continued(record)}")


def _tried_again(record: StepRecord) -> str:
    failed = record.counts.failed
    return f"{_fresh(failed)}; " if record.batch and failed else ""


def _succeeded(record: StepRecord) -> str:
    if not record.batch:
        return ""
    counts = record.counts
    failed = f", {number(counts.failed)} failed (`batchwork retry` runs them again)" if counts.failed else ""
    return f": {number(counts.succeeded)} succeeded{failed}"


def _fresh(failed: int) -> str:
    return f"{plural(failed, 'failed unit')} {'gets' if failed == 1 else 'get'} fresh attempts"


def _finalizers(plan: Plan, records: Mapping[str, StepRecord], busy: bool) -> list[Revival]:
    """Cleanup belongs to each execution: it runs again after anything else has run again."""
    found = []
    for step in plan.steps:
        if not step.finalizer:
            continue
        record = records[step.name]
        if busy and record.status is not StepStatus.PENDING:
            found.append(Revival(step, record, Act.ANEW, "cleanup, after each execution"))
        else:
            found.append(_resumed(step, record))
    return found


def _continued(record: StepRecord) -> str:
    if not record.batch:
        return "it runs again" if record.counts.finished or record.counts.in_doubt else "it had not finished"
    counts = record.counts
    done = number(counts.finished) if counts.total is None else f"{number(counts.finished)} of {number(counts.total)}"
    doubt = f", {number(counts.in_doubt)} in doubt" if counts.in_doubt else ""
    source = "" if record.note == Reopened() else "; its items are read again and matched by key"
    return f"{done} done{doubt}{source}"


def explained(revivals: Iterable[Revival]) -> Iterator[str]:
    """One line for each step: what happens with it, and why."""
    verbs = {
        Act.KEEP: "is kept",
        Act.START: "starts",
        Act.CONTINUE: "goes on",
        Act.REVIVE: "goes on",
        Act.REREAD: "is retried, its items read again",
        Act.WRITE: "writes its results",
        Act.RETRY: "is retried",
        Act.ANEW: "runs again",
        Act.STALE: "is kept, and marked stale",
    }
    for revival in revivals:
        verb, why = verbs[revival.act], revival.why
        if revival.stops:
            verb, why = "stops", f"{why}; {IN_DOUBT_STOPS}"
        yield f"{revival.step.name}: {verb} ({why})"


def carry_out(revivals: Sequence[Revival], store: Store) -> None:
    """Prepare the store, so that a runner does what was decided. A crash in the middle leaves what a resume can go on with.

    What depends on retried steps comes first: after a crash it is rather run or marked in vain than forgotten.
    """
    for revival in sorted(revivals, key=lambda revival: revival.act not in (Act.ANEW, Act.STALE)):
        number_, chosen = revival.record.number, revival.chosen
        match revival.act:
            case Act.KEEP | Act.START | Act.CONTINUE:
                pass
            case Act.STALE:
                store.update_step(number_, StepChange(stale=True))
            case Act.ANEW:
                store.clear(number_)
            case Act.REVIVE:
                # The status last: a failed step that a crash leaves here is found failed, and revived by the next resume.
                store.reopen(number_, chosen)
                store.update_step(number_, StepChange(status=StepStatus.RUNNING, failure=None, note=None))
            case Act.WRITE:
                store.update_step(number_, StepChange(status=StepStatus.RUNNING, failure=None))
            case Act.RETRY | Act.REREAD:
                # The status first: a succeeded step with open units would not be looked at again.
                note = Reopened(reread=revival.act is Act.REREAD)
                store.update_step(number_, StepChange(status=StepStatus.RUNNING, note=note, failure=None))
                store.reopen(number_, chosen)
            case _:
                assert_never(revival.act)
