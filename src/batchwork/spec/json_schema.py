"""A JSON Schema (draft 2020-12) of workflow files, for editors: from the declared fields and those of task types and sources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from batchwork.ports import NarrowingFields, SourceType, Task
from batchwork.spec.field import FIRST_VERSION, REQUIRED, Field, declared, default_of, default_text
from batchwork.spec.fields.aggregate import AggregateSpec
from batchwork.spec.fields.batch import BatchSettings, BatchSpec, ParallelSpec
from batchwork.spec.fields.notify import NotifySettings, NotifySpec
from batchwork.spec.fields.results import FailedSpec, ResultsSpec
from batchwork.spec.fields.retry import AttemptSpec, RetryPolicy
from batchwork.spec.fields.step import StepHead, StepSettings, StepSpec
from batchwork.spec.fields.workflow import DefaultsSpec, ParamSpec, WorkflowParts, WorkflowSettings
from batchwork.spec.parse_task import TYPE_SYNONYMS

Schema = dict[str, Any]

_TEMPLATE: Final[Schema] = {"type": "string", "pattern": r"\{[{%]"}
_NULL: Final[Schema] = {"type": "null"}
_NOT_TEXT: Final = frozenset({"integer", "number", "boolean", "array", "object"})
_WITH_PARTS: Final = frozenset({"anyOf", "prefixItems"})
_WITH_PART: Final = frozenset({"items", "additionalProperties"})
MAPPINGS: Final[Mapping[str, tuple[type[Struct], ...]]] = {
    "workflow": (WorkflowParts, WorkflowSettings),
    "defaults": (DefaultsSpec,),
    "parameter": (ParamSpec,),
    "step": (StepHead, StepSpec, StepSettings),
    "batch": (BatchSpec, BatchSettings),
    "parallel": (ParallelSpec,),
    "results": (ResultsSpec,),
    "aggregate": (AggregateSpec,),
    "failed": (FailedSpec,),
    "retry": (RetryPolicy,),
    "notification": (NotifySpec, NotifySettings),
}
"""The mappings of a workflow, each with what declares its fields."""


def workflow_schema(tasks: Mapping[str, Task], sources: Mapping[str, SourceType]) -> Schema:
    """The schema of a workflow file in which these task types and item sources may be used, by name."""
    kinds = {name: mapping(declarations) for name, declarations in MAPPINGS.items()}
    properties = {name: kind["properties"] for name, kind in kinds.items()}
    several = {"anyOf": [{"type": "array", "items": _ref("named_step")}, _by_name(_ref("step"))]}
    for name in ("steps", "finally"):
        properties["workflow"][name] |= several
    properties["workflow"]["params"]["additionalProperties"] = {"anyOf": [_ref("parameter"), True]}
    properties["workflow"]["defaults"] |= {"anyOf": [_ref("defaults"), _NULL]}
    notification = _ref("notification")
    properties["workflow"]["notify"] |= {"anyOf": [notification, {"type": "array", "items": notification}, _NULL]}
    for name in ("step", "batch"):
        properties[name]["parallel"]["anyOf"].append(_ref("parallel"))
    properties["batch"]["items"] |= _ref("items")
    properties["step"]["for_each"] |= _ref("items")
    kinds["step"] |= _step(tasks, properties["step"])
    kinds["retry"] = {"anyOf": [kinds["retry"], {"type": "integer", "minimum": 1}, _NULL]}
    kinds["named_step"] = {"allOf": [_ref("step")], "required": ["name"]}
    kinds["task"] = _nested(tasks)
    kinds["items"] = _items(sources)
    for name, task in tasks.items():
        kinds[f"inputs_of_{name}"] = _task_fields(task, mapping((AttemptSpec,))["properties"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A batchwork workflow",
        **kinds.pop("workflow"),
        "$defs": kinds,
    }


# ---------------------------------------------------------------- declared fields


def mapping(declarations: Iterable[type[Struct]]) -> Schema:
    """One mapping: its fields and their synonyms, and no others."""
    properties: Schema = {}
    required = []
    for kind in declarations:
        for attribute, field in declared(kind).items():
            properties[field.name] = _property(kind, attribute, field)
            for other in field.synonyms:
                properties[other] = {**properties[field.name], "description": f"the same as `{field.name}`"}
            if field.default == REQUIRED and kind is not StepHead:
                required.append(field.name)
    return {"type": "object", "properties": properties, "additionalProperties": False, "required": required}


def _property(kind: type[Struct], attribute: str, field: Field) -> Schema:
    schema = _with(dict(field.reader.schema), *(_others(field)))
    default = default_text(kind, attribute, field)
    schema["description"] = field.text
    if default and default != REQUIRED:
        schema["description"] += f" (default: {default})"
    if field.since != FIRST_VERSION:
        schema["description"] += f" (since {field.since})"
    value = default_of(kind, attribute)
    if isinstance(value, (bool, int, float, str)) and value != "":
        schema["default"] = value
    return schema


def _others(field: Field) -> Iterable[Schema]:
    if field.template:
        yield _TEMPLATE
    if field.null:
        yield _NULL


def _with(schema: Schema, *others: Schema) -> Schema:
    """The schema, or one of the others."""
    if not schema or not others:
        return schema
    return {"anyOf": [*schema.get("anyOf", [schema]), *others]}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _by_name(part: Schema) -> Schema:
    return {"type": "object", "additionalProperties": part}


# ---------------------------------------------------------------- tasks


def _names(tasks: Iterable[str]) -> dict[str, str]:
    """The names of task types and their synonyms, by what they are written as."""
    known = {name: name for name in tasks}
    return known | {other: name for other, name in TYPE_SYNONYMS.items() if name in known}


def _if_type(tasks: Iterable[str], then: Any) -> list[Schema]:
    """What holds for each task type, whether it is written as `task` or as `type`."""
    spelled: dict[str, list[str]] = {}
    for written, name in _names(tasks).items():
        spelled.setdefault(name, []).append(written)
    return [
        {
            "if": {"anyOf": [{"properties": {key: {"enum": names}}, "required": [key]} for key in ("task", "type")]},
            "then": then(name),
        }
        for name, names in spelled.items()
    ]


def _type_names(tasks: Mapping[str, Task], *more: str) -> Schema:
    return {"enum": [*_names(tasks), *more]}


def _step(tasks: Mapping[str, Task], properties: Schema) -> Schema:
    """What a step has besides its fields: inputs that are those of its task."""
    for key in ("task", "type"):
        properties[key] |= _type_names(tasks, "batch")
    batch = {
        "if": {"anyOf": [{"properties": {key: {"const": "batch"}}, "required": [key]} for key in ("task", "type")]},
        "then": {"properties": {"inputs": _ref("batch")}, "required": ["inputs"]},
    }
    inputs = _if_type(tasks, lambda name: {"properties": {"inputs": {"anyOf": [_ref(f"inputs_of_{name}"), _NULL]}}})
    return {"anyOf": [{"required": ["task"]}, {"required": ["type"]}], "allOf": [*inputs, batch]}


def _nested(tasks: Mapping[str, Task]) -> Schema:
    """A task inside of something else: its name, or its type with fields beside it or under `inputs`."""
    attempts = mapping((AttemptSpec,))["properties"]

    def fields_of(name: str) -> Schema:
        whole = _task_fields(tasks[name], attempts)
        under = {**whole, "required": []}
        beside = {key: {"description": "the task type"} for key in ("task", "type")}
        properties = {**whole["properties"], **beside, "inputs": {"anyOf": [under, _NULL]}}
        needs = whole["required"]
        given = {"anyOf": [{"required": ["inputs"]}, {"required": needs}]} if needs else {}
        return {"properties": properties, "additionalProperties": whole["additionalProperties"], **given}

    types = {key: {**_type_names(tasks), "description": "the task type"} for key in ("task", "type")}
    whole = {
        "type": "object",
        "properties": types,
        "anyOf": [{"required": ["task"]}, {"required": ["type"]}],
        "allOf": _if_type(tasks, fields_of),
    }
    return {"anyOf": [_type_names(tasks), whole, _NULL]}


def _task_fields(task: Task, attempts: Schema) -> Schema:
    """The fields of a task type, as its `Fields` declare them, with `retry` and `timeout`, which all have."""
    fields = _struct(task.Fields, literal=task.literal)
    properties = {**attempts, **fields["properties"]}
    return {
        "type": "object",
        "description": (type(task).__doc__ or "").partition("\n")[0],
        "properties": properties,
        "additionalProperties": task.open_fields,
        "required": fields.get("required", []),
    }


def _struct(kind: type, literal: Iterable[str] = ()) -> Schema:
    """The fields of a msgspec Struct; wherever a value stands in those that are not `literal`, so may a template."""
    _, components = msgspec.json.schema_components([kind])
    found: Schema = components[kind.__name__]
    kept = frozenset(literal)
    properties = {
        name: part if name in kept else _templated(part) for name, part in found.get("properties", {}).items()
    }
    return {**found, "properties": properties}


def _templated(schema: Any) -> Any:
    """The schema, in which a text with a template may stand for each value that is no text."""
    if not isinstance(schema, dict):
        return schema
    inner = dict(schema)
    for key in _WITH_PARTS & inner.keys():
        inner[key] = [_templated(part) for part in inner[key]]
    for key in _WITH_PART & inner.keys():
        inner[key] = _templated(inner[key])
    kept = {key: inner.pop(key) for key in ("description", "default") if key in inner}
    if inner.get("type") in _NOT_TEXT or "enum" in inner:
        inner = {"anyOf": [inner, _TEMPLATE]}
    return {**kept, **inner}


# ---------------------------------------------------------------- items


def _items(sources: Mapping[str, SourceType]) -> Schema:
    """A list, a template, `$(command)` or a source with its fields."""
    text = {"type": "string", "pattern": r"^\s*\$\(|\{\{"}
    from_source = {
        "type": "object",
        "properties": {"from": {"enum": list(sources), "description": "the source of the items"}},
        "required": ["from"],
        "allOf": [_source(name, source) for name, source in sources.items()],
    }
    return {"anyOf": [{"type": "array"}, text, from_source]}


def _source(name: str, source: SourceType) -> Schema:
    fields = _struct(source.Fields)
    properties = {"from": {"const": name}, **_struct(NarrowingFields)["properties"], **fields["properties"]}
    then = {
        "properties": properties,
        "additionalProperties": bool(source.further),
        "required": fields.get("required", []),
    }
    return {"if": {"properties": {"from": {"const": name}}, "required": ["from"]}, "then": then}
