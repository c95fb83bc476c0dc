"""`batchwork validate`: check a workflow, execute nothing. What would be done is shown by plan.py."""

from __future__ import annotations

import click

from batchwork.cli.options import Command
from batchwork.cli.output import Output
from batchwork.cli.reading import read_plan, remarks, workflow_arguments
from batchwork.text.wording import plural


@click.command("validate", cls=Command)
@workflow_arguments
def validate_command(workflow: str, given: tuple[str, ...], params_file: str | None) -> None:
    """Check WORKFLOW and report all problems at once; runs nothing.

    Exit code 0 if it is right (with warnings for what is legal but risky), 2 if not. Parameters without a default need
    not be given.
    """
    plan = read_plan(workflow, given, params_file, lenient=True)
    remarks(plan)
    out = Output()
    batches = sum(step.batch is not None for step in plan.steps)
    warned = f", {plural(len(plan.warnings), 'warning')}" if plan.warnings else ""
    out.line(f"{workflow}: ok, {plural(len(plan.steps), 'step')}, {batches} with items{warned}")
    out.flush()
