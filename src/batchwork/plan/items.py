"""`items` and `for_each` to ItemsPlan: which kind of source it is, and what is wrong with it. Nothing is opened or run here."""

from __future__ import annotations

from batchwork.errors import Place, Problem
from batchwork.items.options import check
from batchwork.plan.commands import bound_command
from batchwork.plan.knowns import Knowns
from batchwork.plan.model import ItemsPlan
from batchwork.spec.mapping import is_template
from batchwork.spec.yaml.nodes import ListNode, MapNode, Node, ScalarNode, describe
from batchwork.template import Value
from batchwork.text.jsontext import Json

_KINDS = "a list, a template that gives one, `$(command)`, or a source such as {from: lines, path: …}"


def plan_items(node: Node, field: str, knowns: Knowns) -> ItemsPlan | None:
    """Where the items come from; None where that cannot be told. `field` is `items` or `for_each`."""
    if isinstance(node, ListNode):
        value = knowns.value(node, knowns.names)
        return None if value is None else ItemsPlan("literal", value, place=node.place)
    if isinstance(node, MapNode):
        return _source(node, field, knowns)
    if isinstance(node.value, str):
        command = node.value.strip()
        if command.startswith("$(") and command.endswith(")"):
            return _command(node, command[2:-1].strip(), knowns)
        if is_template(node):
            return _template(node, field, knowns)
    hint = ""
    if isinstance(node.value, str):
        hint = f"the lines of a file are {{from: lines, path: {node.text[:40]}}}" if node.text else ""
    message = f"`{field}` must be {_KINDS}, but it is {describe(node)}"
    knowns.problems.append(Problem(node.place, message, hint))
    return None


def _template(node: ScalarNode, field: str, knowns: Knowns) -> ItemsPlan | None:
    value = knowns.value(node, knowns.names)
    if value is None:
        return None
    if value.template is None or not value.template.lone:
        message = f"`{field}` must be a list, but a template with text around it gives text"
        knowns.problems.append(Problem(node.place, message, "write exactly one {{ expression }} that gives a list"))
        return None
    return ItemsPlan("template", value, place=node.place)


def _command(node: ScalarNode, command: str, knowns: Knowns) -> ItemsPlan | None:
    if not command:
        knowns.problems.append(Problem(node.place, "the command between `$(` and `)` is empty"))
        return None
    value = bound_command(command, node.place, knowns)
    return None if value is None else ItemsPlan("command", value, place=node.place)


def _source(node: MapNode, field: str, knowns: Knowns) -> ItemsPlan | None:
    source = node.get("from")
    if source is None:
        message = f"`{field}` must be {_KINDS}, but it is a mapping without `from`"
        knowns.problems.append(Problem(node.place, message, "a list of one mapping is written `- {…}`"))
        return None
    if not isinstance(source, ScalarNode) or not isinstance(source.value, str) or is_template(source):
        knowns.problems.append(Problem(source.place, f"`from` must name a source, but it is {describe(source)}"))
        return None
    options: dict[str, Value] = {}
    constants: dict[str, Json] = {}
    whole = True
    for name, entry in node.entries.items():
        if name == "from":
            continue
        part = entry.node
        is_command = name == "command" and isinstance(part, ScalarNode) and is_template(part)
        value = bound_command(part.text, part.place, knowns) if is_command else knowns.value(part, knowns.names)  # type: ignore[union-attr]
        if value is None:
            whole = False
            continue
        options[name] = value
        if value.is_constant:
            constants[name] = value.json
    dynamic = [name for name in node.entries if name != "from" and name not in constants]
    for fault in check(source.value, constants, dynamic):
        knowns.problems.append(Problem(_place(fault.field, node, source.place), fault.message, fault.hint))
        whole = False
    return ItemsPlan("from", None, source.value, options, node.place) if whole else None


def _place(field: str, node: MapNode, otherwise: Place) -> Place:
    entry = node.entries.get(field)
    return entry.place if entry is not None and field != "from" else otherwise
