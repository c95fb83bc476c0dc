"""`batchwork schema`: a JSON Schema of workflow files, with which editors complete, explain and check what is written."""

from __future__ import annotations

import json

import click

from batchwork.cli.options import HelpfulCommand
from batchwork.plugins import find_source, find_task, source_names, task_names
from batchwork.spec.json_schema import workflow_schema
from batchwork.view.streams import Stdout


@click.command("schema", cls=HelpfulCommand)
def schema_command() -> None:
    """Print a JSON Schema (draft 2020-12) of workflow files, for editors.

    It has the fields of all task types and item sources there are, those of other packages too.

    \b
      batchwork schema > workflow.schema.json
    """
    tasks = {name: find_task(name) for name in task_names()}
    sources = {name: find_source(name) for name in source_names()}
    out = Stdout()
    out.line(json.dumps(workflow_schema(tasks, sources), indent=2, ensure_ascii=False))
    out.flush()
