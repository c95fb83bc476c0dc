"""Which steps a step uses, and so what it must wait for: from templates, code and `depends_on`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, pairwise
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from batchwork.errors import Place, Problem
from batchwork.plan.cycles import find_cycles
from batchwork.plan.knowns import Knowns
from batchwork.plan.model import StepPlan, TaskPlan
from batchwork.spec.fields.step import StepSpec
from batchwork.template import Path, Template, Value
from batchwork.text.spelling import listing, suggest

STEP_PARTS: Final = ("result", "results", "status", "error", "failed", "succeeded", "counts", "duration", "aggregate")
"""What may follow `steps.NAME`."""


class _Uses(Struct):
    """Steps that are used by name, with the place of one use each; `all`: of others too, whichever they are."""

    steps: dict[str, Place] = field(default_factory=dict)
    all: bool = False


def with_dependencies(
    planned: Mapping[str, StepPlan], specs: Mapping[str, StepSpec], knowns: Knowns
) -> tuple[StepPlan, ...]:
    """The steps with what they depend on and refer to; unknown steps, self-references and cycles become problems."""
    found: dict[str, StepPlan] = {}
    used: dict[str, _Uses] = {}
    for name, step in planned.items():
        uses = used[name] = _uses(step, knowns)
        after = _written(specs[name], specs, knowns)
        if after is None:
            after = _last_before(step, found)
        if uses.all:
            after += _all_before(step, found)
        references = _checked(step, uses, specs, knowns)
        after += filter(references.__contains__, planned)
        depends_on = tuple(dict.fromkeys(other for other in after if other in planned))
        found[name] = replace(step, depends_on=depends_on, references=frozenset(references))
    for name in specs.keys() - planned.keys():  # what cannot be planned: what it waits for is checked all the same
        _written(specs[name], specs, knowns)
    for cycle in find_cycles({name: step.depends_on for name, step in found.items()}):
        knowns.problems.append(_said(cycle, used, planned))
    return tuple(found.values())


def _last_before(step: StepPlan, found: dict[str, StepPlan]) -> list[str]:
    return [*islice((name for name, other in reversed(found.items()) if other.finalizer == step.finalizer), 1)]


def _all_before(step: StepPlan, found: Mapping[str, StepPlan]) -> list[str]:
    return [name for name, other in found.items() if step.finalizer or not other.finalizer]


# ---------------------------------------------------------------- what is used


def _uses(step: StepPlan, knowns: Knowns) -> _Uses:
    uses = _Uses()
    for template in _templates(step):
        for path in template.paths:
            _use(path, template, uses, step, knowns)
    for task in _tasks(step):
        _use_in_code(task, uses, knowns)
    return uses


def _use(path: Path, template: Template, uses: _Uses, step: StepPlan, knowns: Knowns) -> None:
    place = next((part.place for part in template.expressions if path in part.paths), template.place)
    if path[0] == "steps":
        if len(path) == 1:
            uses.all = True
            return
        uses.steps.setdefault(str(path[1]), place)
        if len(path) > 2 and path[2] not in STEP_PARTS:
            hint = suggest(str(path[2]), STEP_PARTS) or "there is `.result`, `.status` and `.error`"
            knowns.problems.append(Problem(place, f"`steps.{path[1]}` has no `{path[2]}`", hint))
    elif isinstance(path[0], str) and path[0] in knowns.outputs:
        uses.steps.setdefault(knowns.outputs[path[0]], place)


def _use_in_code(task: TaskPlan, uses: _Uses, knowns: Knowns) -> None:
    names = task.compiled.names - task.fields.keys()
    for name in names & knowns.outputs.keys():
        uses.steps.setdefault(knowns.outputs[name], task.place)
    if "steps" not in names:
        return
    from batchwork.plan.code import steps_used  # few have code that looks at other steps

    seen = False
    for name in task.task.literal:
        value = task.fields.get(name)
        text = getattr(value, "json", None)
        if value is None or not isinstance(text, str):
            continue
        used, others = steps_used(text)
        seen |= bool(used) or others
        uses.all |= others
        for step, line in used.items():
            uses.steps.setdefault(step, value.place.below(line - 1))
    uses.all |= not seen


def _templates(step: StepPlan) -> Iterator[Template]:
    if isinstance(step.when, Template):
        yield step.when
    for task in _tasks(step):
        yield from _of_values(task.fields.values())
    batch = step.batch
    if batch is not None:
        if isinstance(batch.key, Template):
            yield batch.key
        yield from _of_values(batch.items.values())
        yield from _of_values(value for entry in batch.aggregate.values() for value in (entry.value, entry.by))
        if batch.results is not None:
            yield from _of_values([batch.results.to, batch.results.failed, *(batch.results.columns or {}).values()])


def _tasks(step: StepPlan) -> Iterator[TaskPlan]:
    yield step.task
    if step.batch is not None and step.batch.on_item_error is not None:
        yield step.batch.on_item_error
    if isinstance(step.on_error, TaskPlan):
        yield step.on_error


def _of_values(values: Iterable[object]) -> Iterator[Template]:
    for value in values:
        if isinstance(value, Value):
            yield from value.templates()


# ---------------------------------------------------------------- checks


def _checked(step: StepPlan, uses: _Uses, specs: Mapping[str, StepSpec], knowns: Knowns) -> set[str]:
    """The names among `uses` that are steps this one may refer to; the rest become problems."""
    good: set[str] = set()
    for name, place in uses.steps.items():
        other = specs.get(name)
        if other is None:
            if knowns.spec.whole:
                knowns.problems.append(Problem(place, f"there is no step `{name}`", _hint(name, specs)))
        elif other.name == step.name:
            if not isinstance(step.on_error, TaskPlan):
                knowns.problems.append(Problem(place, f"step `{name}` refers to itself"))
        elif other.finalizer and not step.finalizer:
            message = f"step `{name}` stands under `finally` and runs after this one"
            knowns.problems.append(Problem(place, message))
        else:
            good.add(name)
    return good


def _hint(name: str, specs: Iterable[str]) -> str:
    dashed = next((other for other in specs if other.startswith(f"{name}-")), None)
    if dashed is not None:
        return f'a name with `-` is written steps["{dashed}"]'
    return suggest(name, specs) or f"the steps are {listing(specs)}"


def _written(spec: StepSpec, specs: Mapping[str, StepSpec], knowns: Knowns) -> list[str] | None:
    """`depends_on` as written, with only the names that may stand there."""
    if spec.depends_on is None:
        return None
    names = []
    for node in spec.depends_on:
        name = node.text
        other = specs.get(name)
        if name == spec.name:
            knowns.problems.append(Problem(node.place, f"step `{name}` depends on itself"))
        elif other is None:
            if knowns.spec.whole:
                hint = suggest(name, specs) or f"the steps are {listing(specs)}"
                knowns.problems.append(Problem(node.place, f"`depends_on` names the unknown step `{name}`", hint))
        elif other.finalizer and not spec.finalizer:
            message = f"step `{name}` stands under `finally` and runs after this one"
            knowns.problems.append(Problem(node.place, message))
        else:
            names.append(name)
    return names


def _said(cycle: Sequence[str], used: Mapping[str, _Uses], steps: Mapping[str, StepPlan]) -> Problem:
    """A cycle as a problem; the hint says which of its dependencies come from references."""
    closed = [*cycle, cycle[0]]
    uses = [
        f"`{one}` uses `{other}` at line {used[one].steps[other].line}"
        for one, other in pairwise(closed)
        if other in used[one].steps
    ]
    chain = " → ".join(f"`{name}`" for name in closed)
    hint = "each waits for the next one"
    if uses:
        hint = f"{'; '.join(uses)}; without `depends_on` a step follows the one written before it"
    return Problem(steps[cycle[0]].place, f"dependency cycle: {chain}", hint)
