"""`batchwork docs`: the documentation that comes with the package, as it is written."""

from __future__ import annotations

import os
from collections.abc import Iterator

import click
from msgspec import Struct

from batchwork.cli.options import HelpfulCommand, offered
from batchwork.errors import UsageError
from batchwork.text.spelling import listing, suggest
from batchwork.view.streams import Stdout

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(__file__))), "docs")
SECTIONS = {
    "tutorial": "To learn it step by step",
    "how-to": "To do something particular",
    "reference": "To look something up",
    "explanation": "To understand it",
    "coming-from": "Coming from another program",
    "": "To know what is promised, and how it is built",
}
"""Folders with pages, and their headings; the last is the folder of all."""


class Topic(Struct, frozen=True):
    """One page. `section` is its folder, `name` its file without the ending."""

    section: str
    name: str

    @property
    def path(self) -> str:
        return os.path.join(FOLDER, self.section, f"{self.name}.md")

    def text(self) -> str:
        with open(self.path, encoding="utf-8") as file:
            return file.read()

    def title(self) -> str:
        """The heading of the page."""
        with open(self.path, encoding="utf-8") as file:
            return file.readline().lstrip("# ").rstrip()


def topics() -> Iterator[Topic]:
    """All pages, section by section."""
    for section in SECTIONS:
        folder = os.path.join(FOLDER, section)
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        for name in names:
            if name.endswith(".md") and name != "index.md":
                yield Topic(section, name.removesuffix(".md"))


@click.command("docs", cls=HelpfulCommand)
@click.argument("topic", required=False, metavar="[TOPIC]", shell_complete=offered("pages"))
def docs_command(topic: str | None) -> None:
    """Print a page of the documentation, or list the pages there are.

    A page is Markdown: `batchwork docs items | less`.
    """
    out = Stdout()
    if topic is None:
        _list(out)
    else:
        for line in find(topic).text().splitlines():
            out.line(line)
    out.flush()


def find(name: str) -> Topic:
    """The page of that name, or the only one whose name has it in it. Raises UsageError."""
    wanted = name.lower().removesuffix(".md").rpartition("/")[2]
    found = _like(wanted)
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"`{name}` may be {listing([topic.name for topic in found])}", "say which")
    near = suggest(wanted, [topic.name for topic in topics()])
    raise UsageError(f"there is no page `{name}`", near or "`batchwork docs` lists them")


def _like(wanted: str) -> list[Topic]:
    """The page of that name; else those whose names have it in them."""
    there = list(topics())
    return [topic for topic in there if topic.name == wanted] or [topic for topic in there if wanted in topic.name]


def _list(out: Stdout) -> None:
    there = list(topics())
    column = max(len(topic.name) for topic in there)
    for section, heading in SECTIONS.items():
        pages = [topic for topic in there if topic.section == section]
        if pages:
            out.line(f"{heading}:")
        for topic in pages:
            out.line(f"  {topic.name.ljust(column)}  {topic.title()}")
