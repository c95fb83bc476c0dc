"""Nodes to Spec: the top level of a workflow, with ALL that is wrong in it. Nothing is resolved."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from batchwork.errors import Place, Problem
from batchwork.spec.field import declared
from batchwork.spec.fields.notify import NOTIFY_ON, NotifySettings, NotifySpec
from batchwork.spec.fields.step import StepSpec
from batchwork.spec.fields.workflow import DefaultsSpec, ParamSpec, ParamType, Spec, WorkflowParts, WorkflowSettings
from batchwork.spec.mapping import Block
from batchwork.spec.parse_step import parse_steps
from batchwork.spec.readers import identifier, is_null, wrong
from batchwork.spec.yaml.nodes import Entry, ListNode, MapNode, Node, ScalarNode, describe
from batchwork.text.patterns import pattern
from batchwork.text.spelling import suggest

_ENV_NAME = pattern(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_NO_NODE = MapNode(Place(), {})


def parse(root: Node | None, file: str, problems: list[Problem]) -> Spec:
    """The workflow as written; what is wrong is added to `problems`, and what could not be read is left out."""
    if root is None or is_null(root):
        problems.append(Problem(Place(file, 1, 1), "the file is empty", "a workflow needs at least `steps:`"))
        return Spec()
    if not isinstance(root, MapNode):
        message = f"a workflow must be a mapping with `steps`, but this is {describe(root)}"
        problems.append(Problem(root.place, message))
        return Spec()
    block = Block(root, "a workflow", [WorkflowParts, WorkflowSettings], problems)
    parts = WorkflowParts(**block.read(WorkflowParts))
    defaults = Block(parts.defaults or _NO_NODE, "`defaults`", [DefaultsSpec], problems)
    env = _env(parts.env or _NO_NODE, problems)
    steps = _all_steps(block, problems)
    return Spec(
        settings=block.settings(WorkflowSettings),
        params=_params(parts.params or _NO_NODE, problems) if "params" in block.entries else None,
        env=env,
        secrets=_secrets(parts.secrets, env, problems),
        defaults=DefaultsSpec(**defaults.read(DefaultsSpec)),
        steps=steps,
        notify=_notify(parts.notify, problems),
        whole=sum(step.named for step in steps) == _count(parts.steps) + _count(parts.finally_),
    )


# ---------------------------------------------------------------- steps


def _all_steps(block: Block, problems: list[Problem]) -> tuple[StepSpec, ...]:
    steps: tuple[StepSpec, ...] = ()
    block.require("steps", "a list of what is to be done")
    node = block.node("steps")
    if node is not None:
        if _is_empty(node):
            problems.append(Problem(node.place, "`steps` is empty; a workflow needs at least one step"))
        else:
            steps = parse_steps(node, "steps", problems)
    last = block.node("finally")
    if last is not None and not _is_empty(last):
        steps += parse_steps(last, "finally", problems, finalizer=True)
    _check_names(steps, problems)
    return steps


def _count(node: Node | None) -> int:
    """How many steps are written."""
    if isinstance(node, ListNode):
        return len(node.items)
    return len(node.entries) if isinstance(node, MapNode) else 0


def _is_empty(node: Node) -> bool:
    if isinstance(node, ListNode):
        return not node.items
    if isinstance(node, MapNode):
        return not node.entries
    return node.value is None


def _check_names(steps: tuple[StepSpec, ...], problems: list[Problem]) -> None:
    seen: dict[str, StepSpec] = {}
    for step in steps:
        first = seen.setdefault(step.name.casefold(), step)
        if first is step:
            continue
        at = f"the first is at line {first.place.line}"
        if first.name == step.name:
            problems.append(Problem(step.place, f"the step name `{step.name}` is used twice; {at}"))
        else:
            message = f"the step names `{first.name}` and `{step.name}` differ only in upper and lower case; {at}"
            problems.append(Problem(step.place, message))


# ---------------------------------------------------------------- parameters, environment


def _params(node: MapNode, problems: list[Problem]) -> Mapping[str, ParamSpec]:
    found: dict[str, ParamSpec] = {}
    for name, entry in node.entries.items():
        key = ScalarNode(entry.place, name, name)
        if identifier("the name of a parameter")("", key, problems) is not None:
            found[name] = _param(name, entry, problems)
    return found


def _param(name: str, entry: Entry, problems: list[Problem]) -> ParamSpec:
    node = entry.node
    if not isinstance(node, MapNode) or not _is_long_form(node, tuple(declared(ParamSpec))):
        return ParamSpec(name=name, place=entry.place, type=_type_of(node), default=node)
    hint = "a default that is a mapping: {default: {…}}"
    values = Block(node, f"parameter `{name}`", [ParamSpec], problems, hint).read(ParamSpec)
    return ParamSpec(name=name, place=entry.place, **{"required": "default" not in values, **values})


def _type_of(default: Node) -> ParamType | None:
    """The type that a default gives its parameter; none where it is null."""
    match default:
        case ScalarNode(value=bool()):
            return "boolean"
        case ScalarNode(value=int() | float()):
            return "number"
        case ScalarNode(value=str()):
            return "string"
        case ListNode():
            return "list"
        case MapNode():
            return "mapping"
        case _:
            return None


def _is_long_form(node: MapNode, known: tuple[str, ...]) -> bool:
    """Whether a mapping describes a parameter; one that has nothing like such a description is a default."""
    return any(name in known or suggest(name, known) for name in node.entries)


def _env(node: MapNode, problems: list[Problem]) -> Mapping[str, Entry]:
    found: dict[str, Entry] = {}
    for name, entry in node.entries.items():
        if not _ENV_NAME.match(name):
            problems.append(Problem(entry.place, f"`{name}` is not a name for an environment variable"))
        elif name.startswith("BATCHWORK_"):
            message = f"`{name}`: names that begin with BATCHWORK_ are given to tasks by batchwork itself"
            problems.append(Problem(entry.place, message))
        elif not isinstance(entry.node, ScalarNode) or entry.node.value is None:
            problems.append(wrong(name, "text, a number, true or false", entry.node))
        else:
            found[name] = entry
    return found


def _secrets(
    names: tuple[ScalarNode, ...], env: Mapping[str, Entry], problems: list[Problem]
) -> tuple[ScalarNode, ...]:
    found = []
    for node in names:
        if not _ENV_NAME.match(node.text):
            message = f"`{node.text}` is not a name of an environment variable"
            problems.append(
                Problem(node.place, message, "`secrets` lists names; the values are set in the environment")
            )
        elif node.text in env:
            message = f"the secret `{node.text}` is written in `env:`, where everyone reads it"
            problems.append(Problem(node.place, message, "set it in the environment, outside of the file"))
        else:
            found.append(node)
    return tuple(found)


# ---------------------------------------------------------------- notify


def _notify(node: Node | None, problems: list[Problem]) -> tuple[NotifySpec, ...]:
    if node is None:
        return ()
    found = []
    for part in node.items if isinstance(node, ListNode) else (node,):
        if isinstance(part, MapNode):
            found.append(_notification(part, problems))
        else:
            problems.append(wrong("notify", "a mapping with `command` or `url`", part))
    return tuple(found)


def _notification(node: MapNode, problems: list[Problem]) -> NotifySpec:
    block = Block(node, "`notify`", [NotifySpec, NotifySettings], problems)
    if ("command" in block.entries) == ("url" in block.entries):
        problems.append(Problem(node.place, "an entry of `notify` needs either `command` or `url`"))
    spec = NotifySpec(place=node.place, settings=block.settings(NotifySettings), **block.read(NotifySpec))
    implied = [name for name in NOTIFY_ON if name in block.entries and name not in spec.on]
    return replace(spec, on=(*spec.on, *implied) or ("finished",))
