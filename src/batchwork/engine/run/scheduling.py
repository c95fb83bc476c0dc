"""Which steps may start, which are skipped, and how the run as a whole ended: pure decisions on statuses. Nothing runs here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    waiting = _waiting(main, states, underway)
    skip = tuple(_skips(waiting, states))
    if stopping or _any_fatal(main.values(), states, before):
        return Moves((), skip)
    passed_over = {step.name for step, _ in skip}
    return Moves(
        tuple(step for step in waiting if step.name not in passed_over and _may_start(step, main, states)), skip
    )


def _may_start(step: StepPlan, main: Mapping[str, StepPlan], states: States) -> bool:
    return all(met(main[name], states[name]) for name in _before(step, main))


def _waiting(steps: Mapping[str, StepPlan], states: States, underway: Iterable[str]) -> list[StepPlan]:
    busy = set(underway)
    return [step for name, step in steps.items() if states[name] not in ENDED and name not in busy]


def _any_fatal(steps: Iterable[StepPlan], states: States, before: frozenset[str] = frozenset()) -> bool:
    """Whether a step failed in this execution, not `before` it, and the workflow does not go on."""
    failed = (step for step in steps if states[step.name] is StepStatus.FAILED and step.name not in before)
    return any(not tolerated(step, StepStatus.FAILED) for step in failed)


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


def _skips(waiting: Iterable[StepPlan], states: States) -> Iterator[tuple[StepPlan, str]]:
    """The steps that refer to a skipped one, with the first of these."""
    for step in waiting:
        skipped = [name for name in step.references if states.get(name) is StepStatus.SKIPPED]
        if skipped and states[step.name] is StepStatus.PENDING:
            yield step, min(skipped)


def next_finalizers(steps: Sequence[StepPlan], states: States, underway: Iterable[str]) -> tuple[StepPlan, ...]:
    """Finalizers that may start: those whose finalizers before them have ended, however. Other steps hold up none."""
    finalizers = {step.name: step for step in steps if step.finalizer}
    return tuple(
        step
        for step in _waiting(finalizers, states, underway)
        if all(states[name] in ENDED for name in step.depends_on if name in finalizers)
    )


def run_status(steps: Sequence[StepPlan], states: States, failed_units: bool, stopped: bool) -> RunStatus:
    """How the run ended. `failed_units`: a succeeded step has failed units; `stopped`: a stop was asked for.

    A run that was stopped is interrupted if there is anything left that the stop kept from running.
    """
    found = {states[step.name] for step in steps}
    if StepStatus.RUNNING in found or (stopped and _anything_left(steps, states)):
        return RunStatus.INTERRUPTED
    if _any_fatal(steps, states):
        return RunStatus.FAILED
    if failed_units or StepStatus.FAILED in found:
        return RunStatus.PARTIAL
    return RunStatus.SUCCEEDED


def _anything_left(steps: Sequence[StepPlan], states: States) -> bool:
    return bool(next_moves(steps, states, (), stopping=False).start or next_finalizers(steps, states, ()))


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
