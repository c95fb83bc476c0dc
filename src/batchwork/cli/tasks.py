import click
from batchwork.cli.options import Command


@click.command("tasks", cls=Command)
def tasks_command() -> None:
    """x"""
