"""`batchwork tasks`: the task types there are and their fields, as the types themselves declare them."""

from __future__ import annotations

from collections.abc import Iterator

import click

from batchwork.cli.kinds import Kind, about, chosen, show_kinds
from batchwork.cli.options import HelpfulCommand, json_option, offered
from batchwork.plugins import find_task, task_names
from batchwork.spec.field import declared, default_text
from batchwork.spec.fields.batch import BatchSettings, BatchSpec
from batchwork.spec.struct_fields import DeclaredField, declared_fields

BATCH = "batch"


@click.command("tasks", cls=HelpfulCommand)
@click.argument("name", required=False, metavar="[TASK]", shell_complete=offered("task_types"))
@json_option("One JSON object a line for each task type.")
def tasks_command(name: str | None, as_json: bool) -> None:
    """List the task types and their fields, or those of TASK only."""
    show_kinds("task", map(_kind, chosen(name, [*task_names(), BATCH], "task type")), as_json)


def _kind(name: str) -> Kind:
    if name == BATCH:
        return Kind(name, about(BatchSettings), [*_batch_fields()])
    task = find_task(name)
    return Kind(name, about(type(task)), [*declared_fields(task.Fields)])


def _batch_fields() -> Iterator[DeclaredField]:
    for kind in (BatchSpec, BatchSettings):
        for attribute, field in declared(kind).items():
            yield DeclaredField(field.name, field.reader.kind, default_text(kind, attribute, field), field.text)
