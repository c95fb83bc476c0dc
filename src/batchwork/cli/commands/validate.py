"""`batchwork validate`: check a workflow, execute nothing."""

from __future__ import annotations

import click

from batchwork.cli.options import HelpfulCommand
from batchwork.cli.workflow import remarks, workflow_arguments
from batchwork.compose import read_plan
from batchwork.text.wording import only_if, plural
from batchwork.view.streams import Stdout


@click.command("validate", cls=HelpfulCommand)
@workflow_arguments
def validate_command(workflow: str, given: tuple[str, ...], params_file: str | None) -> None:
    """Check WORKFLOW and report all problems at once; runs nothing.

    Exit code 0 if it is right (with warnings for what is legal but risky), 2 if not. Parameters without a default need
    not be given.
    """
    plan = read_plan(workflow, given, params_file, lenient=True)
    remarks(plan)
    out = Stdout()
    batches = sum(step.batch is not None for step in plan.steps)
    warned = only_if(plan.warnings, f", {plural(len(plan.warnings), 'warning')}")
    out.line(f"{workflow}: ok, {plural(len(plan.steps), 'step')}, {batches} with items{warned}")
    out.flush()
