"""Parameters: from NAME=VALUE, the parameters file and the defaults to values that fit what `params:` declares."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from batchwork.errors import NOWHERE, Place, Problem
from batchwork.spec.fields.workflow import ParamSpec
from batchwork.spec.readers import has_template, identifier
from batchwork.spec.yaml.loader import read_yaml
from batchwork.spec.yaml.nodes import ScalarNode, describe, json_of, node_of
from batchwork.text.jsontext import Json
from batchwork.text.spelling import listing, suggest

_TYPES: Final[Mapping[str, tuple[str, type | tuple[type, ...]]]] = {
    "string": ("text", str),
    "integer": ("an integer", int),
    "number": ("a number", (int, float)),
    "boolean": ("true or false", bool),
    "list": ("a list", list),
    "mapping": ("a mapping", dict),
}
"""What a parameter may be declared to be: in words, and as values."""


def parameter_values(
    declared: Mapping[str, ParamSpec] | None,
    given: Sequence[str] | Mapping[str, str],
    from_file: Mapping[str, Json],
    problems: list[Problem],
) -> tuple[dict[str, Json], frozenset[str]]:
    """The values by name, and the required ones that have none. Without `declared` every name is accepted."""
    words = _pairs(given, problems)
    specs = declared or {}
    values: dict[str, Json] = {}
    for name in {**from_file, **words}:
        if not _accepted(name, declared, problems):
            continue
        if name in words:
            values[name] = read_value(words[name], specs.get(name))
        else:
            values[name] = from_file[name]
    for name, spec in specs.items():
        if name in values:
            _check(spec, values[name], NOWHERE, problems)
        elif not spec.required:
            values[name] = _default(spec, problems)
    return values, frozenset(specs.keys() - values.keys())


def _default(spec: ParamSpec, problems: list[Problem]) -> Json:
    if spec.default is None:
        return None
    value = json_of(spec.default)
    _check(spec, value, spec.default.place, problems)
    return value


def read_value(text: str, spec: ParamSpec | None) -> Json:
    """VALUE of NAME=VALUE: YAML; text where the parameter is one, or where it is no YAML."""
    if spec is not None and _takes_text(spec):
        return text
    if text.lstrip()[:1] in ("[", "{"):
        try:  # the same meaning, and much faster for long lists
            value: Json = json.loads(text, parse_constant=_refuse)
        except (ValueError, RecursionError):
            pass
        else:
            return value
    problems: list[Problem] = []
    node = read_yaml("", text, problems)
    if problems or (node is None and text.strip()):
        return text
    if node is None:
        return None
    return json_of(node)


def _takes_text(spec: ParamSpec) -> bool:
    """Whether what the command line says is text as it stands: 01234 is no number then, and nothing is the empty text."""
    if spec.type is not None:
        return spec.type == "string"
    told = spec.choices or (spec.default,)
    return all(isinstance(node, ScalarNode) and isinstance(node.value, str) for node in told)


def unusual_defaults(declared: Mapping[str, ParamSpec] | None) -> list[Problem]:
    """Warnings: defaults that look like templates, which they are not."""
    return [
        Problem(
            spec.default.place,
            f"the default of parameter `{name}` looks like a template, but values of parameters are never rendered",
            "use the template where the parameter is used",
        )
        for name, spec in (declared or {}).items()
        if spec.default is not None and has_template(spec.default)
    ]


def _refuse(word: str) -> Json:
    raise ValueError(word)


def _pairs(given: Sequence[str] | Mapping[str, str], problems: list[Problem]) -> Mapping[str, str]:
    if isinstance(given, Mapping):
        return given
    found: dict[str, str] = {}
    for word in given:
        name, sign, text = word.partition("=")
        if not sign or not name:
            hint = "parameters are given as NAME=VALUE, for example limit=50"
            problems.append(Problem(NOWHERE, f"`{word}` is not a parameter", hint))
        else:
            found[name] = text
    return found


def _accepted(name: str, declared: Mapping[str, ParamSpec] | None, problems: list[Problem]) -> bool:
    if declared is not None:
        if name in declared:
            return True
        hint = suggest(name, declared) or f"declared under `params:`: {listing(declared)}"
        problems.append(Problem(NOWHERE, f"parameter `{name}` is not declared under `params:`", hint))
        return False
    wrong: list[Problem] = []
    accepted = identifier("the name of a parameter")("", node_of(name, NOWHERE), wrong)
    problems.extend(wrong)
    return accepted is not None


def _check(spec: ParamSpec, value: Json, at: Place, problems: list[Problem]) -> None:
    """Add a problem where a value is of another type or not one of the choices. Where it was given has no place; its default has."""
    if spec.type is not None and not _fits(value, spec.type):
        if value is not None or not _may_be_null(spec):
            problems.append(_of_wrong_type(spec, spec.type, value, at))
    elif spec.choices is not None:
        choices = [json_of(choice) for choice in spec.choices]
        if (type(value), value) not in [(type(choice), choice) for choice in choices]:
            problems.append(_not_a_choice(spec, choices, value, at))


def _may_be_null(spec: ParamSpec) -> bool:
    return not spec.required and (spec.default is None or json_of(spec.default) is None)


def _of_wrong_type(spec: ParamSpec, kind: str, value: Json, at: Place) -> Problem:
    hint = ""
    if kind == "string":
        hint = "put the default into quotes" if at.line else "put the value into quotes"
    shown = describe(node_of(value, at))
    return Problem(at, f"parameter `{spec.name}` must be {_TYPES[kind][0]}, but it is {shown}", hint)


def _not_a_choice(spec: ParamSpec, choices: list[Json], value: Json, at: Place) -> Problem:
    near = ""
    if isinstance(value, str):
        near = suggest(value, [choice for choice in choices if isinstance(choice, str)])
    allowed = listing(map(_plain, choices), last="or")
    shown = describe(node_of(value, at))
    return Problem(at, f"parameter `{spec.name}` must be one of {allowed}, but it is {shown}", near)


def _plain(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _fits(value: Json, kind: str) -> bool:
    return isinstance(value, _TYPES[kind][1]) and isinstance(value, bool) == (kind == "boolean")
