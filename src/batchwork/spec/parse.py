"""Nodes to Spec: the top level of a workflow, with ALL that is wrong in it. Steps are in parse_step.py; nothing is resolved."""

from __future__ import annotations

from collections.abc import Mapping

from batchwork.errors import Place, Problem
from batchwork.spec import models, readers
from batchwork.spec.mapping import Fields
from batchwork.spec.parse_step import parse_steps
from batchwork.spec.parse_task import BATCH_SYNONYMS, MAX_PARALLEL, parse_retry
from batchwork.spec.written import NotifySpec, ParamSpec, Spec, StepSpec
from batchwork.spec.yaml.nodes import Entry, ListNode, MapNode, Node, ScalarNode, describe
from batchwork.text.patterns import pattern
from batchwork.text.spelling import suggest

PARAM_TYPES = ("string", "integer", "number", "boolean", "list", "mapping")
NOTIFY_ON = ("failed", "threshold", "stalled", "finished")
_ENV_NAME = pattern(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def parse(root: Node | None, file: str, problems: list[Problem]) -> Spec:
    """The workflow as written; what is wrong is added to `problems`, and what could not be read is left out."""
    if root is None or (isinstance(root, ScalarNode) and root.value is None):
        problems.append(Problem(Place(file, 1, 1), "the file is empty", "a workflow needs at least `steps:`"))
        return Spec()
    if not isinstance(root, MapNode):
        message = f"a workflow must be a mapping with `steps`, but this is {describe(root)}"
        problems.append(Problem(root.place, message))
        return Spec()
    fields = Fields(root, "a workflow", models.field_names(models.Workflow), problems)
    defaults = Fields(
        fields.mapping("defaults") or MapNode(root.place, {}),
        "`defaults`",
        models.field_names(models.Defaults),
        problems,
        BATCH_SYNONYMS,
    )
    env = _env(fields.mapping("env"), problems)
    steps = _all_steps(fields, problems)
    return Spec(
        name=fields.take("name", readers.written("name")),
        description=fields.take("description", readers.written("description")) or "",
        version=fields.take("version", readers.written("version")) or "",
        params=_params(fields, problems),
        env=env,
        secrets=_secrets(fields, env, problems),
        retry=parse_retry(defaults, problems),
        timeout_s=defaults.setting("timeout", readers.duration("timeout"), nullable=True),
        max_parallel=defaults.setting("max_parallel", MAX_PARALLEL),
        steps=steps,
        notify=_notify(fields.node("notify"), problems),
        whole=sum(step.named for step in steps) == sum(_count(fields.node(name)) for name in ("steps", "finally")),
        place=root.place,
    )


# ---------------------------------------------------------------- steps


def _all_steps(fields: Fields, problems: list[Problem]) -> tuple[StepSpec, ...]:
    steps: tuple[StepSpec, ...] = ()
    node = fields.node("steps")
    if fields.require("steps", "a list of what is to be done") and node is not None:
        if _is_empty(node):
            problems.append(Problem(node.place, "`steps` is empty; a workflow needs at least one step"))
        else:
            steps = parse_steps(node, "steps", problems)
    last = fields.node("finally")
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


def _params(fields: Fields, problems: list[Problem]) -> Mapping[str, ParamSpec] | None:
    if "params" not in fields.entries:
        return None
    node = fields.mapping("params")
    found: dict[str, ParamSpec] = {}
    for name, entry in node.entries.items() if node else ():
        read = readers.identifier("the name of a parameter")(ScalarNode(entry.place, name, name), problems)
        if read is not None:
            found[name] = _param(name, entry, problems)
    return found


def _param(name: str, entry: Entry, problems: list[Problem]) -> ParamSpec:
    node, known = entry.node, models.field_names(models.Param)
    if not isinstance(node, MapNode) or not _is_long_form(node, known):
        return ParamSpec(name, entry.place, default=node)
    fields = Fields(node, f"parameter `{name}`", known, problems, hint="a default that is a mapping: {default: {…}}")
    default = fields.node("default")
    required = fields.take("required", readers.boolean("required"))
    choices = fields.node("choices")
    if choices is not None and (not isinstance(choices, ListNode) or not choices.items):
        problems.append(readers.wrong("choices", "a list with at least one value", choices))
    return ParamSpec(
        name,
        entry.place,
        fields.take("type", readers.word("type", PARAM_TYPES)),
        default,
        default is None if required is None else required,
        choices.items if isinstance(choices, ListNode) and choices.items else None,
        fields.take("description", readers.written("description")) or "",
    )


def _is_long_form(node: MapNode, known: tuple[str, ...]) -> bool:
    """Whether a mapping describes a parameter; one that has nothing like such a description is a default."""
    return any(name in known or suggest(name, known) for name in node.entries)


def _env(node: MapNode | None, problems: list[Problem]) -> Mapping[str, Entry]:
    found: dict[str, Entry] = {}
    for name, entry in node.entries.items() if node else ():
        if not _ENV_NAME.match(name):
            problems.append(Problem(entry.place, f"`{name}` is not a name for an environment variable"))
        elif name.startswith("BATCHWORK_"):
            message = f"`{name}`: names that begin with BATCHWORK_ are given to tasks by batchwork itself"
            problems.append(Problem(entry.place, message))
        elif not isinstance(entry.node, ScalarNode) or entry.node.value is None:
            problems.append(readers.wrong(name, "text, a number, true or false", entry.node))
        else:
            found[name] = entry
    return found


def _secrets(fields: Fields, env: Mapping[str, Entry], problems: list[Problem]) -> tuple[ScalarNode, ...]:
    found = []
    for node in fields.take("secrets", readers.texts("secrets")) or ():
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
    if node is None or (isinstance(node, ScalarNode) and node.value is None):
        return ()
    found = []
    for part in node.items if isinstance(node, ListNode) else (node,):
        if isinstance(part, MapNode):
            found.append(_notification(part, problems))
        else:
            problems.append(readers.wrong("notify", "a mapping with `command` or `url`", part))
    return tuple(found)


def _notification(node: MapNode, problems: list[Problem]) -> NotifySpec:
    fields = Fields(node, "`notify`", models.field_names(models.Notify), problems)
    command, url = fields.node("command"), fields.node("url")
    if (command is None) == (url is None):
        problems.append(Problem(node.place, "an entry of `notify` needs either `command` or `url`"))
    for name, part in (("command", command), ("url", url)):
        if part is not None:
            readers.text(name)(part, problems)
    read = readers.word("on", NOTIFY_ON)
    words: list[str | None] = [read(part, problems) for part in fields.take("on", readers.texts("on")) or ()]
    words += [name for name in ("threshold", "stalled") if name in fields.entries and name not in words]
    return NotifySpec(
        node.place,
        tuple(filter(None, words)) or ("finished",),
        command if isinstance(command, ScalarNode) else None,
        url if isinstance(url, ScalarNode) else None,
        fields.setting("threshold", readers.share("threshold")),
        fields.setting("stalled", readers.duration("stalled")),
    )
