"""`batchwork sources`: the item sources there are and their fields, as the sources themselves declare them."""

from __future__ import annotations

import click

from batchwork.cli.kinds import Kind, about, chosen, show_kinds
from batchwork.cli.options import HelpfulCommand, json_option, offered
from batchwork.plugins import find_source, source_names
from batchwork.ports import NarrowingFields
from batchwork.spec.struct_fields import declared_fields


@click.command("sources", cls=HelpfulCommand)
@click.argument("name", required=False, metavar="[SOURCE]", shell_complete=offered("sources"))
@json_option("One JSON object a line for each source.")
def sources_command(name: str | None, as_json: bool) -> None:
    """List what may stand after `from:` and the fields of each, or those of SOURCE only."""
    show_kinds("source", map(_kind, chosen(name, source_names(), "item source")), as_json)
    if name is None and not as_json:
        show_kinds(
            "source", [Kind("every source", about(NarrowingFields), [*declared_fields(NarrowingFields)])], as_json
        )


def _kind(name: str) -> Kind:
    source = find_source(name)
    return Kind(name, about(type(source)), [*declared_fields(source.Fields)])
