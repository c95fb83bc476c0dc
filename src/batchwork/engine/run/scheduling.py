"""Which steps may start, which are skipped, and how the run as a whole ended: pure decisions on statuses. Nothing runs here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct

from batchwork.model import RunStatus, StepStatus
from batchwork.plan.model import StepPlan

States: TypeAlias = Mapping[str, StepStatus]

ENDED = frozenset({StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.SKIPPED})


class Moves(Struct, frozen=True):
    """What is to happen now, in the order of the file. `skip` says for each step which skipped step it refers to."""

    start: tuple[StepPlan, ...] = ()
    skip: tuple[tuple[StepPlan, str], ...] = ()


def tolerated(step: StepPlan, status: StepStatus) -> bool:
    """Whether the step failed and the workflow goes on all the same."""
    return status is StepStatus.FAILED and step.on_error == "continue"


def met(step: StepPlan, status: StepStatus) -> bool:
    """Whether what depends on the step may start."""
    return status in (StepStatus.SUCCEEDED, StepStatus.SKIPPED) or tolerated(step, status)


def next_moves(
    steps: Sequence[StepPlan],
    states: States,
    underway: Iterable[str],
    stopping: bool,
    before: frozenset[str] = frozenset(),
) -> Moves:
    """What to do with the steps that are not finalizers.

    `states` are their statuses as recorded: a RUNNING step that is not `underway` was stopped and may be resumed.
    After a failure that is not tolerated nothing starts any more, nor while `stopping`. Steps that had failed `before`
    this execution, and that it leaves as they are, hold up only what depends on them.
    """
    main = {step.name: step for step in steps if not step.finalizer}
    busy = set(underway)
    skip = tuple(
        (step, skipped)
        for step in main.values()
        if states[step.name] is StepStatus.PENDING
        and step.name not in busy
        and (skipped := _skipped_reference(step, states)) is not None
    )
    failed = any(
        states[name] is StepStatus.FAILED and not tolerated(step, states[name])
        for name, step in main.items()
        if name not in before
    )
    if stopping or failed:
        return Moves((), skip)
    passed_over = {step.name for step, _ in skip}
    start = tuple(
        step
        for step in main.values()
        if states[step.name] not in ENDED
        and step.name not in busy
        and step.name not in passed_over
        and all(met(main[name], states[name]) for name in _before(step, main))
    )
    return Moves(start, skip)


def _before(step: StepPlan, main: Mapping[str, StepPlan]) -> set[str]:
    """All steps on which it depends, also through others: one that is retried holds up what comes after its successors."""
    found: set[str] = set()
    waiting = [name for name in step.depends_on if name in main]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [other for other in main[name].depends_on if other in main]
    return found


def _skipped_reference(step: StepPlan, states: States) -> str | None:
    return next((name for name in sorted(step.references) if states.get(name) is StepStatus.SKIPPED), None)


def next_finalizers(steps: Sequence[StepPlan], states: States, underway: Iterable[str]) -> tuple[StepPlan, ...]:
    """Finalizers that may start: those whose finalizers before them have ended, however. Other steps hold up none."""
    finalizers = {step.name: step for step in steps if step.finalizer}
    busy = set(underway)
    return tuple(
        step
        for step in finalizers.values()
        if states[step.name] not in ENDED
        and step.name not in busy
        and all(states[name] in ENDED for name in step.depends_on if name in finalizers)
    )


def run_status(steps: Sequence[StepPlan], states: States, failed_units: bool, stopped: bool) -> RunStatus:
    """How the run ended. `failed_units`: a succeeded step has failed units; `stopped`: a stop was asked for.

    A run that was stopped is interrupted if there is anything left that the stop kept from running.
    """
    if any(states[step.name] is StepStatus.RUNNING for step in steps):
        return RunStatus.INTERRUPTED
    if stopped and (next_moves(steps, states, (), stopping=False).start or next_finalizers(steps, states, ())):
        return RunStatus.INTERRUPTED
    failed = [step for step in steps if states[step.name] is StepStatus.FAILED]
    if any(not tolerated(step, StepStatus.FAILED) for step in failed):
        return RunStatus.FAILED
    return RunStatus.PARTIAL if failed or failed_units else RunStatus.SUCCEEDED


def downstream(steps: Sequence[StepPlan], names: Iterable[str]) -> list[str]:
    """The steps that come after any of `names`, directly or through others, in the order of the file; no finalizers."""
    reached = set(names)
    changed = True
    while changed:
        more = {
            step.name
            for step in steps
            if not step.finalizer and step.name not in reached and reached & {*step.depends_on, *step.references}
        }
        changed = bool(more)
        reached |= more
    return [step.name for step in steps if step.name in reached.difference(names)]
