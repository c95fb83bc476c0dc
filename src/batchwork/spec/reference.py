"""The tables of the reference: the fields of one mapping as Markdown, from their declarations."""

from __future__ import annotations

from batchwork.spec.field import FIRST_VERSION, Field, declared, default_text
from batchwork.spec.json_schema import MAPPINGS
from batchwork.spec.struct_fields import declared_fields

_HEAD = ["| field | default | meaning |", "|---|---|---|"]


def struct_table(kind: type) -> str:
    """The fields of a task type or an item source, one row each."""
    rows = [f"| `{field.name}` | {field.default or '–'} | {field.text} |" for field in declared_fields(kind)]
    return "\n".join([*_HEAD, *rows]) + "\n"


def table(mapping: str) -> str:
    """The fields of a mapping, one row each. Raises KeyError where there is no such mapping."""
    rows = [*_HEAD]
    for kind in MAPPINGS[mapping]:
        for attribute, field in declared(kind).items():
            default = default_text(kind, attribute, field) or "–"
            rows.append(f"| `{field.name}` | {default} | {_meaning(field)} |")
    return "\n".join(rows) + "\n"


def _meaning(field: Field) -> str:
    meaning = field.text + "".join(f"; `{other}` means the same" for other in field.synonyms)
    if field.since == FIRST_VERSION:
        return meaning
    return f"{meaning} (since {field.since})"
