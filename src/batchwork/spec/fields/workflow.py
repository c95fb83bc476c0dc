"""The top level of a workflow, its parameters and what holds for all steps."""

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Struct, field

from batchwork.errors import Place
from batchwork.spec.field import REQUIRED, Field
from batchwork.spec.fields.batch import MAX_SLOTS
from batchwork.spec.fields.notify import NotifySpec
from batchwork.spec.fields.retry import AttemptSpec
from batchwork.spec.fields.step import StepSpec
from batchwork.spec.readers import BOOLEAN, MAPPING, NAME_LIST, NODE, SCALAR_TEXT, TEXT, ValueReader, integer, word
from batchwork.spec.written import MaybeTemplate, WrittenSettings
from batchwork.spec.yaml.nodes import Entry, ListNode, MapNode, Node, ScalarNode

ParamType = Literal["string", "integer", "number", "boolean", "list", "mapping"]
PARAM_TYPES: tuple[ParamType, ...] = ("string", "integer", "number", "boolean", "list", "mapping")


class WorkflowParts(Struct, frozen=True, kw_only=True):
    """The parts of a workflow that have fields of their own."""

    steps: Annotated[
        Node | None,
        Field(NODE, "a list of steps with names, or a mapping from name to step", default=REQUIRED, template=False),
    ] = None
    finally_: Annotated[
        Node | None,
        Field(
            NODE,
            "steps that always run, at the end, also after Ctrl-C; they see `run.status`",
            name="finally",
            template=False,
        ),
    ] = None
    params: Annotated[
        MapNode | None,
        Field(
            MAPPING,
            "parameters: a default, which gives the type too, or `{type, default, …}`; with this block an undeclared "
            "`NAME=VALUE` is an error",
            default="any name is accepted",
            null=True,
            template=False,
        ),
    ] = None
    env: Annotated[
        MapNode | None,
        Field(MAPPING, "environment variables for all tasks; may use parameters", null=True, template=False),
    ] = None
    secrets: Annotated[
        tuple[ScalarNode, ...],
        Field(NAME_LIST, "environment variables that must be set and are masked everywhere", template=False),
    ] = ()
    defaults: Annotated[
        MapNode | None,
        Field(
            MAPPING,
            "`retry`, `timeout`, `max_parallel`, `shell` for all steps that do not say otherwise",
            null=True,
            template=False,
        ),
    ] = None
    notify: Annotated[Node | None, Field(NODE, "who is told; one entry or a list", null=True, template=False)] = None


class WorkflowSettings(Struct, frozen=True, kw_only=True):
    """Settings of a workflow."""

    name: Annotated[
        str, Field(SCALAR_TEXT, "shown, and stored with the run", default="the file's name", template=False)
    ] = ""
    description: Annotated[str, Field(SCALAR_TEXT, "for people", template=False)] = ""
    version: Annotated[str, Field(SCALAR_TEXT, "for people", template=False)] = ""


class DefaultsSpec(AttemptSpec, frozen=True, kw_only=True):
    """What holds for all steps that do not say otherwise."""

    max_parallel: Annotated[
        MaybeTemplate[int],
        Field(integer(1, MAX_SLOTS), "attempts at once in steps with items", synonyms=("max_workers",)),
    ] = None
    shell: Annotated[
        ScalarNode | None,
        Field(
            TEXT,
            "the shell of all `shell` tasks, with its options: `bash -euo pipefail`",
            default="/bin/sh",
            template=False,
        ),
    ] = None


def _some(node: Node) -> tuple[Node, ...] | None:
    return node.items if isinstance(node, ListNode) and node.items else None


class ParamSpec(Struct, frozen=True, kw_only=True):
    """One parameter; the short form is just its default, which gives the type too (null gives none)."""

    name: str
    place: Place
    type: Annotated[
        ParamType | None,
        Field(
            word(PARAM_TYPES),
            "what a value must be; with `string`, or without a type where the default or all choices are texts, the text of "
            "NAME=VALUE is taken as it is",
            template=False,
        ),
    ] = None
    default: Annotated[Node | None, Field(NODE, "the value where none is given", template=False)] = None
    required: Annotated[
        bool, Field(BOOLEAN, "a value must be given", default="true where there is no `default`", template=False)
    ] = False
    choices: Annotated[
        tuple[Node, ...] | None,
        Field(
            ValueReader("list", {"type": "array", "minItems": 1}, _some, "a list with at least one value"),
            "the values that are allowed",
            template=False,
        ),
    ] = None
    description: Annotated[str, Field(SCALAR_TEXT, "for people", template=False)] = ""


class Spec(Struct, frozen=True, kw_only=True):
    """A whole workflow as written. `params` is None where there is no `params:` block: then every name is accepted.

    `whole` is False where a step could not be read, so that its name may be missing.
    """

    settings: WrittenSettings[WorkflowSettings] = WrittenSettings(WorkflowSettings, Place(), {})
    params: Mapping[str, ParamSpec] | None = None
    env: Mapping[str, Entry] = field(default_factory=dict)
    secrets: tuple[ScalarNode, ...] = ()
    defaults: DefaultsSpec = DefaultsSpec()
    steps: tuple[StepSpec, ...] = ()
    notify: tuple[NotifySpec, ...] = ()
    whole: bool = True
