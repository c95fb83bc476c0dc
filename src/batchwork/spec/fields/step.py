"""The fields of a step."""

from typing import Annotated, Literal

from msgspec import Struct

from batchwork.errors import Place, Problem
from batchwork.spec.field import REQUIRED, Field
from batchwork.spec.fields.batch import MAX_SLOTS, BatchSpec
from batchwork.spec.fields.retry import AttemptSpec
from batchwork.spec.fields.task import TaskSpec
from batchwork.spec.parse_task import parse_task
from batchwork.spec.readers import (
    BOOLEAN,
    MAPPING,
    NAME_LIST,
    NODE,
    SCALAR_TEXT,
    Reader,
    ValueReader,
    has_template,
    identifier,
    integer,
    wrong,
)
from batchwork.spec.written import MaybeTemplate, WrittenSettings
from batchwork.spec.yaml.nodes import MapNode, Node, ScalarNode

STEP_NAME = identifier("the name of a step", dashes=True)


class _OutputsReader(Reader[ScalarNode], frozen=True):
    def __call__(self, field: str, node: Node, problems: list[Problem]) -> ScalarNode | None:
        name = identifier("the name under `outputs`")(field, node, problems)
        return node if name is not None and isinstance(node, ScalarNode) else None


class _OnErrorReader(Reader[Literal["continue"] | TaskSpec], frozen=True):
    def __call__(self, field: str, node: Node, problems: list[Problem]) -> Literal["continue"] | TaskSpec | None:
        if isinstance(node, MapNode):
            return parse_task(node, f"`{field}`", problems)
        if isinstance(node, ScalarNode) and node.value == "continue":
            return "continue"
        problems.append(wrong(field, "`continue` or a task", node, "for example {task: echo, inputs: {…}}"))
        return None


def _condition(node: Node) -> ScalarNode | None:
    if isinstance(node, ScalarNode) and (isinstance(node.value, bool) or has_template(node)):
        return node
    return None


class StepHead(Struct, frozen=True, kw_only=True):
    """What says what a step is, and what it is done with: read together."""

    name: Annotated[
        Node | None,
        Field(NODE, "letters, digits, `_` and `-`; unique", default="required in a list", template=False),
    ] = None
    task: Annotated[Node | None, Field(NODE, "the task type, or `batch`", default=REQUIRED, template=False)] = None
    type: Annotated[Node | None, Field(NODE, "the same as `task`", template=False)] = None
    inputs: Annotated[
        MapNode | None, Field(MAPPING, "the fields of the task, or of the batch", null=True, template=False)
    ] = None
    for_each: Annotated[
        Node | None,
        Field(
            NODE,
            "run the task for each item of this list or template; short for a batch step with `each: item`",
            template=False,
        ),
    ] = None


class StepSettings(Struct, frozen=True, kw_only=True):
    """Settings of a step."""

    description: Annotated[str, Field(SCALAR_TEXT, "for people", template=False)] = ""


class StepSpec(AttemptSpec, frozen=True, kw_only=True):
    """One step. `task` is the nested one where there is a `batch`, and None where it is missing or unreadable.

    `named` is False where no name is written: `name` then only stands for it in what else is found to be wrong.
    """

    name: str
    place: Place
    task: TaskSpec | None
    batch: BatchSpec | None = None
    settings: WrittenSettings[StepSettings]
    finalizer: bool = False
    named: bool = True
    parallel: Annotated[
        MaybeTemplate[bool],
        Field(BOOLEAN, "with `for_each`: true, false or `{max_parallel: N}`", default="true if `max_parallel` > 1"),
    ] = None
    max_parallel: Annotated[
        MaybeTemplate[int],
        Field(
            integer(1, MAX_SLOTS),
            "with `for_each`: attempts at once",
            default="CPUs for `python`, 8 for the rest, if `parallel`",
            synonyms=("max_workers",),
        ),
    ] = None
    when: Annotated[
        ScalarNode | None,
        Field(
            ValueReader(
                "true/false",
                {"anyOf": [{"type": "boolean"}, {"type": "string", "pattern": r"\{[{%]"}]},
                _condition,
                "true, false or a template that gives one of them",
            ),
            "true or false, or a template that gives one; text is an error. "
            "False: the step is skipped, and each step that refers to it",
            default="true",
            synonyms=("condition",),
            template=False,
        ),
    ] = None
    depends_on: Annotated[
        tuple[ScalarNode, ...] | None,
        Field(NAME_LIST, "steps that must be done first", default="the step written before", template=False),
    ] = None
    on_error: Annotated[
        Literal["continue"] | TaskSpec | None,
        Field(
            _OnErrorReader("`continue` or mapping", {"anyOf": [{"const": "continue"}, {"$ref": "#/$defs/task"}]}),
            "`continue`, or a task that runs when the step has failed and changes nothing else",
            null=True,
            template=False,
        ),
    ] = None
    outputs: Annotated[
        ScalarNode | None,
        Field(
            _OutputsReader("name", identifier("outputs").schema),
            "a name for the step's result, for templates and code",
            null=True,
            template=False,
        ),
    ] = None
