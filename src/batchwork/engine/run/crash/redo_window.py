"""How much a `kill -9` can make run twice, from the plan alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from batchwork.engine.run.scheduling import downstream
from batchwork.plan.model import Plan, StepPlan
from batchwork.text.wording import only_if

WITHOUT_JOURNALS = (
    " (of items shorter than 50 ms: about 100 ms of work for each worker, as there is no memory for journals)"
)


ON_NODES = (
    "; of steps on nodes what they had done and not told yet runs again, too: at most 100 ms of work, or five round trips, "
    "of each of their workers"
)


def window_text(plan: Plan, max_parallel: int | None = None, *, kept: bool = True, elsewhere: bool = False) -> str:
    """How much a `kill -9` can make run twice, as `status` prints it. `kept`: workers leave journals; `elsewhere`: there are nodes."""
    units = most_at_once(plan.steps, max_parallel)
    items = "item" if units == 1 else "items"
    return f"a kill -9 makes at most {units:,} {items} run twice{only_if(not kept, WITHOUT_JOURNALS)}{only_if(elsewhere, ON_NODES)}"


def most_at_once(steps: Sequence[StepPlan], max_parallel: int | None = None) -> int:
    """The units that may run at the same moment, in all steps that may run together. Finalizers run after the others."""
    groups = [[step for step in steps if step.finalizer is finalizer] for finalizer in (False, True)]
    return max(1, *(_heaviest(group, max_parallel) for group in groups))


def _heaviest(steps: Sequence[StepPlan], max_parallel: int | None) -> int:
    """The most units of steps of which none comes after another.

    By Dilworth's theorem that is the number of chains that take in each step as often as it has slots. It is the number
    of slots, less the links that can be made from a slot of one step to a slot of a later one.
    """
    slots = {step.name: _slots(step, max_parallel) for step in steps}
    later = {step.name: downstream(steps, [step.name]) for step in steps}
    links: dict[tuple[str, str], int] = {}
    free = dict(slots)  # slots that no link leads to
    made = 0
    for name, count in slots.items():
        linked = 0
        while linked < count and _linked(name, later, free, links, set()):
            linked += 1
        made += linked
    return sum(slots.values()) - made


def _linked(
    name: str,
    later: Mapping[str, Sequence[str]],
    free: dict[str, int],
    links: dict[tuple[str, str], int],
    tried: set[str],
) -> bool:
    """Link a slot of a step to one of a later step, if need be by giving another link another end; whether that could be."""
    for end in later[name]:
        if end in tried:
            continue
        tried.add(end)
        if free[end]:
            free[end] -= 1
        else:
            holder = next(
                (at for (at, to), n in links.items() if to == end and n and _linked(at, later, free, links, tried)),
                None,
            )
            if holder is None:
                continue
            links[holder, end] -= 1
        links[name, end] = links.get((name, end), 0) + 1
        return True
    return False


def _slots(step: StepPlan, max_parallel: int | None) -> int:
    if step.batch is None:
        return 1
    return step.batch.slots if max_parallel is None else min(step.batch.slots, max_parallel)
