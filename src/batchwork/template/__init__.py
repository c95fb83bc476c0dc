"""Templates in a workflow's values: Template is one text, Value a tree of JSON data, Expression one `{{ }}`. Nothing is run here."""

from __future__ import annotations

from batchwork.template.compile import Template, compile_template, is_template
from batchwork.template.expression import HEAD, MANY_WORDS, Expression
from batchwork.template.forms import json_text, plain, text_of
from batchwork.template.lookup import Path
from batchwork.template.value import Value, misplaced, unknown_names

__all__ = [
    "HEAD",
    "MANY_WORDS",
    "Expression",
    "Path",
    "Template",
    "Value",
    "compile_template",
    "is_template",
    "json_text",
    "misplaced",
    "plain",
    "text_of",
    "unknown_names",
]
