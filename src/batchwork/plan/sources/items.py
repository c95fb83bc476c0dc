"""`items` and `for_each` to ItemsPlan: which kind of source it is, and what is wrong with it. Nothing is opened or run here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeVar

from batchwork.errors import BatchworkError, Place, Problem
from batchwork.items.fields import check_fields
from batchwork.plan.commands import bound_command
from batchwork.plan.knowns import Knowns
from batchwork.plan.later import LATER_SOURCES
from batchwork.plan.model import ItemsPlan
from batchwork.plan.sources.narrowing import plan_narrowing
from batchwork.plugins import find_source, source_names
from batchwork.ports import SourceType
from batchwork.spec.readers import has_template
from batchwork.spec.yaml.nodes import Entry, ListNode, MapNode, Node, ScalarNode, describe
from batchwork.template import Value
from batchwork.text.spelling import listing, suggest

T = TypeVar("T")
_KINDS = "a list, a template that gives one, `$(command)`, or a source such as {from: lines, path: …}"


def plan_items(node: Node, field: str, knowns: Knowns) -> ItemsPlan | None:
    """Where the items come from; None where that cannot be told. `field` is `items` or `for_each`."""
    if isinstance(node, ListNode):
        value = knowns.value(node, knowns.names)
        if value is None:
            return None
        return ItemsPlan("literal", value, place=node.place)
    if isinstance(node, MapNode):
        return _from_source(node, field, knowns)
    if isinstance(node.value, str):
        command = node.value.strip()
        if command.startswith("$(") and command.endswith(")"):
            return _command(node, command[2:-1].strip(), knowns)
        if has_template(node):
            return _template(node, field, knowns)
    hint = ""
    if isinstance(node.value, str) and node.text:
        hint = f"the lines of a file are {{from: lines, path: {node.text[:40]}}}"
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
    if value is None:
        return None
    return ItemsPlan("command", None, "command", {"command": value}, node.place)


def _from_source(node: MapNode, field: str, knowns: Knowns) -> ItemsPlan | None:
    named = node.get("from")
    source = _named(node, named, field, knowns)
    if source is None or not isinstance(named, ScalarNode):
        return None
    written = _without(node.entries, {"from"})
    narrowing = plan_narrowing(written, source, knowns)
    written = _without(written, narrowing)
    parts = _parts(written, source, field, knowns)
    plain = _without(written, {source.nested} if parts else ())
    fields = _fields(plain, source, knowns)
    wrong = _faulty(source, written, fields, named.place, knowns)
    if wrong or len(fields) < len(plain) or None in (*narrowing.values(), *parts.values()):
        return None
    return ItemsPlan("from", None, str(named.value), fields, node.place, _known(parts), _known(narrowing))


def _without(entries: Mapping[str, Entry], names: Collection[str]) -> dict[str, Entry]:
    return {name: entry for name, entry in entries.items() if name not in names}


def _known(found: Mapping[str, T | None]) -> dict[str, T]:
    return {name: value for name, value in found.items() if value is not None}


def _named(node: MapNode, named: Node | None, field: str, knowns: Knowns) -> SourceType | None:
    """The source that a mapping names."""
    if named is None:
        message = f"`{field}` must be {_KINDS}, but it is a mapping without `from`"
        knowns.problems.append(Problem(node.place, message, "a list of one mapping is written `- {…}`"))
        return None
    if not isinstance(named, ScalarNode) or not isinstance(named.value, str) or has_template(named):
        knowns.problems.append(Problem(named.place, f"`from` must name a source, but it is {describe(named)}"))
        return None
    return _find(named.value, named.place, knowns)


def _parts(written: Mapping[str, Entry], source: SourceType, field: str, knowns: Knowns) -> dict[str, ItemsPlan | None]:
    """The items inside of it, by name; none where a template gives them, or where there is no such field."""
    entry = written.get(source.nested)
    if entry is None or not isinstance(entry.node, MapNode):
        return {}
    if not entry.node.entries:
        message = f"`{source.nested}` of `from: {source.name}` names no items"
        knowns.problems.append(Problem(entry.node.place, message, "for example {size: [1, 2], colour: [red, blue]}"))
    return {
        name: plan_items(part.node, f"{field}.{source.nested}.{name}", knowns)
        for name, part in entry.node.entries.items()
    }


def _faulty(
    source: SourceType, written: Mapping[str, Entry], fields: Mapping[str, Value], place: Place, knowns: Knowns
) -> bool:
    constants = {name: value.json for name, value in fields.items() if value.is_constant}
    faults = check_fields(source, constants, [name for name in written if name not in constants])
    for fault in faults:
        at = getattr(written.get(fault.field), "place", place)
        knowns.problems.append(Problem(at, fault.message, fault.hint))
    return bool(faults)


def _find(name: str, place: Place, knowns: Knowns) -> SourceType | None:
    try:
        return find_source(name)
    except KeyError:
        message, hint = _no_such_source(name)
    except BatchworkError as error:
        message, hint = error.message, error.hint
    knowns.problems.append(Problem(place, message, hint))
    return None


def _no_such_source(name: str) -> tuple[str, str]:
    names = source_names()
    there_are = f"there are: {listing(names)}"
    if name in LATER_SOURCES:
        return f"items from `{name}` come in a later version", there_are
    return f"there is no source `{name}`", suggest(name, names) or there_are


def _fields(written: Mapping[str, Entry], source: SourceType, knowns: Knowns) -> dict[str, Value]:
    """The fields, without those whose templates do not compile."""
    found = {}
    for name, entry in written.items():
        node = entry.node
        if name in source.literal and isinstance(node, ScalarNode) and has_template(node):
            message = f"`{name}` of `from: {source.name}` is no template: values are bound, never pasted"
            knowns.problems.append(Problem(node.place, message, "write `:name` in it, and `values: {name: …}`"))
            continue
        if name in source.commands and isinstance(node, ScalarNode) and has_template(node):
            value = bound_command(node.text, node.place, knowns)
        else:
            value = knowns.value(node, knowns.names)
        if value is not None:
            found[name] = value
    return found
