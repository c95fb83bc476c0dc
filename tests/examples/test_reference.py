"""The reference pages name everything that there is: fields, task types, commands, options, packages."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import msgspec
import pytest

import batchwork
from batchwork.cli.main import commands
from batchwork.plugins import SOURCES, find_source, find_task
from batchwork.ports import NarrowingFields
from batchwork.quoting.code.code_words import nothing
from batchwork.quoting.code.programs import PROGRAMS, Program
from batchwork.spec.reference import struct_table, table

ROOT = Path(__file__).resolve().parents[2]
BUILT_IN = ("echo", "http_request", "python", "shell")
DECLARED = (
    *("template", "read_file", "write_file", "append_file", "read_json", "write_json"),
    *("copy_file", "move_file", "delete_file", "sql"),
)
"""Task types whose table of fields is that of their declarations."""


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


def written(text: str) -> set[str]:
    """What stands in backticks outside of fenced blocks."""
    return {*re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M))}


TABLES = {
    "Top level": "workflow",
    "A parameter": "parameter",
    "`defaults`": "defaults",
    "A step": "step",
    "`inputs` of a batch step": "batch",
    "`results`": "results",
    "`failed` of `results`": "failed",
    "An entry of `aggregate`": "aggregate",
    "`retry`": "retry",
    "`notify`": "notification",
}


@pytest.mark.parametrize("heading", TABLES)
def test_the_tables_of_fields_are_those_of_the_declarations(heading: str) -> None:
    """`BATCHWORK_GOLDEN=write` writes them anew."""
    text = page("reference/workflow.md")
    found = re.search(rf"^## {re.escape(heading)}\n(?:(?!## ).*\n)*?((?:\|.*\n)+)", text, re.M)
    assert found is not None, f"no table under {heading}"
    expected = table(TABLES[heading])
    if os.environ.get("BATCHWORK_GOLDEN") == "write":
        (ROOT / "docs/reference/workflow.md").write_text(text[: found.start(1)] + expected + text[found.end(1) :])
    assert found[1] == expected


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_field_of_a_task_type_is_documented(name: str) -> None:
    text = page("reference/task-types.md").split(f"\n## `{name}`\n")[1].split("\n## ")[0]
    assert {field.encode_name for field in msgspec.structs.fields(find_task(name).Fields)} - written(text) == set()


@pytest.mark.parametrize("name", DECLARED)
def test_the_table_of_a_task_type_is_that_of_its_declarations(name: str) -> None:
    """`BATCHWORK_GOLDEN=write` writes it anew."""
    text = page("reference/task-types.md")
    found = re.search(rf"^## `{name}`\n(?:(?!## ).*\n)*?((?:\|.*\n)+)", text, re.M)
    assert found is not None, f"no table for {name}"
    expected = struct_table(find_task(name).Fields)
    if os.environ.get("BATCHWORK_GOLDEN") == "write":
        (ROOT / "docs/reference/task-types.md").write_text(text[: found.start(1)] + expected + text[found.end(1) :])
    assert found[1] == expected


def _code_row(program: Program) -> str:
    names = ", ".join(f"`{name}`" for name in sorted(program.names))
    first = program.shown.replace("NAME ", "").replace("NAME", "") or "code"
    words = "–" if program.code is nothing else f"`{first}`" if first != "code" else "yes"
    on_input = "–"
    if program.reads is not None:
        on_input = "without a script" if program.reads.usual else "where it is named (`-`)"
    instead = program.instead.replace("NAME", "the program").replace("|", "\\|").replace("`", "")
    return f"| {names} | {words} | {on_input} | {instead} |\n"


def test_the_table_of_programs_that_take_code_is_that_of_the_program() -> None:
    """`BATCHWORK_GOLDEN=write` writes it anew."""
    text = page("reference/code-places.md")
    head, rest = text.split("| program |")
    top, body = "| program |" + "".join(rest.splitlines(keepends=True)[:2]), rest.split("\n\n", 1)[1]
    expected = top + "".join(map(_code_row, PROGRAMS)) + "\n"
    if os.environ.get("BATCHWORK_GOLDEN") == "write":
        (ROOT / "docs/reference/code-places.md").write_text(head + expected + body)
    assert text == head + expected + body


@pytest.mark.parametrize(
    ("heading", "kind"),
    [("Fields of every source", None), *((f"`{name}`", name) for name in SOURCES.built_in)],
)
def test_the_tables_of_sources_are_those_of_the_declarations(heading: str, kind: str | None) -> None:
    """`BATCHWORK_GOLDEN=write` writes them anew."""
    text = page("reference/items.md")
    found = re.search(rf"^## {heading}\n(?:(?!## |\|).*\n)*((?:\|.*\n)+)", text, re.M)
    assert found is not None, f"no table under {heading}"
    expected = struct_table(NarrowingFields if kind is None else find_source(kind).Fields)
    if os.environ.get("BATCHWORK_GOLDEN") == "write":
        (ROOT / "docs/reference/items.md").write_text(text[: found.start(1)] + expected + text[found.end(1) :])
    assert found[1] == expected


def test_every_source_stands_in_the_first_table() -> None:
    head = page("reference/items.md").split("\n## ")[0]
    assert [name for name in SOURCES.built_in if f"| `{{from: {name}, " not in head] == []


@pytest.mark.promise("9.01")
def test_every_command_and_option_is_documented() -> None:
    text = page("reference/command-line.md")
    context = click.Context(commands)
    for name in commands.list_commands(context):
        assert f"| `{name}" in text, f"no command {name}"
        command = commands.get_command(context, name)
        assert command is not None
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                assert f"`{option.opts[0]}" in text, f"{name}: no {option.opts[0]}"


def test_the_page_of_the_python_interface_is_that_of_its_docstrings() -> None:
    """`python tools/api_reference.py --write` writes it anew."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/api_reference.py")], capture_output=True, text=True, check=True
    )
    assert done.stdout == page("reference/python.md")
    named = set(re.findall(r"^### `(\w+)`", done.stdout, re.M))
    assert set(batchwork.__all__) - named == {"__version__"}


def test_every_page_is_in_the_site() -> None:
    text = (ROOT / "mkdocs.yml").read_text()
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert {
        name for name in pages if not name.startswith("decisions/") and f" {name}" not in text.replace("[", " ")
    } == set()


def test_every_package_is_in_the_architecture() -> None:
    text = page("architecture.md")
    for path in sorted((ROOT / "src/batchwork").iterdir()):
        if path.suffix == ".py" and path.stem not in {"__main__"}:
            assert path.name in text, f"{path.name} is not in docs/architecture.md"
        elif (path / "__init__.py").exists():
            assert f"  {path.name}/" in text, f"{path.name}/ is not in docs/architecture.md"


def test_every_room_is_in_the_architecture_and_every_file_that_it_names_is_there() -> None:
    text = page("architecture.md")
    tree = text[text.index("## The tree") : text.index("## Where to look")]
    rooms = {path.parent.name for path in (ROOT / "src/batchwork").rglob("*/__init__.py")}
    assert sorted(name for name in rooms if not re.search(rf"\b{name}/", tree)) == []
    there = [path.as_posix() for folder in ("src", "tests") for path in (ROOT / folder).rglob("*.py")]
    named = set(re.findall(r"`([\w/]+\.py)`", text))
    assert sorted(name for name in named if not any(path.endswith(f"/{name}") for path in there)) == []


def test_the_layers_of_the_architecture_are_those_that_are_checked() -> None:
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    checked = [set(re.findall(r"\w+", layer)) - {"__main__", "web"} for layer in contract["layers"]]
    shown = page("architecture.md").partition("## Layers")[2].split("```")[1].strip().splitlines()
    assert [set(re.findall(r"\w+", line.split("  ")[0])) for line in shown] == [layer for layer in checked if layer]
