"""Reading and running the examples of a document. The rules, which docs/how-to/write-documentation.md tells to authors:

A fenced block that starts with `# file: NAME` is written to NAME (`#!` may stand above it, and makes it executable). In
`console` blocks each line `$ COMMAND` is run by /bin/sh in the same folder (`> ` continues it); the lines after it are
what it prints, standard output and error together. A line `...` there stands for any number of lines, and `...` within
a line for any text. A `yaml` block that starts with `# part of a workflow`, `a step`, `inputs` or `a task` is put into a
small workflow, which must pass `batchwork validate`. Other yaml and console blocks are errors.
"""

from __future__ import annotations

import os
import re
import subprocess
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.S | re.M)
PARTS = {"a workflow", "a step", "inputs", "a task"}
SHOWN_S = 120


@dataclass(frozen=True)
class Block:
    """A fenced block: where it starts, its language, its text without the indentation."""

    line: int
    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The file that it is to be written to."""
        found = re.match(r"(?:#!.*\n)?(?:#|//|--) file: (\S+)\n", self.text)
        return found and found[1]

    @property
    def part(self) -> str | None:
        """Which part of a workflow it shows."""
        found = re.match(r"# part of (.+)\n", self.text)
        return found and found[1]


@dataclass(frozen=True)
class Shown:
    """One command of a console block, and what it prints according to the document."""

    line: int
    command: str
    output: tuple[str, ...]


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a Markdown text."""
    for found in FENCE.finditer(text):
        indent = len(found[1])
        body = "".join(line[indent:] if line.strip() else "\n" for line in found[3].splitlines(keepends=True))
        yield Block(text.count("\n", 0, found.start()) + 1, found[2], body)


def shown(block: Block) -> list[Shown]:
    """The commands of a console block."""
    found: list[Shown] = []
    for number, line in enumerate(block.text.splitlines(), block.line + 1):
        if line.startswith("$ "):
            found.append(Shown(number, line[2:], ()))
        elif found and not found[-1].output and line.startswith("> "):
            found[-1] = Shown(found[-1].line, f"{found[-1].command}\n{line[2:]}", ())
        else:
            assert found, f"line {number}: a console block starts with a command, `$ …`"
            found[-1] = Shown(found[-1].line, found[-1].command, (*found[-1].output, line))
    return found


def matches(expected: tuple[str, ...], printed: list[str]) -> bool:
    """Whether what was printed is what the document shows, `...` being a wildcard."""
    parts = []
    for line in expected:
        if line.strip() == "...":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*?".join(re.escape(text) for text in re.split(r"\.\.\.", line.rstrip())) + r"[ ]*\n")
    return re.fullmatch("".join(parts), "".join(line.rstrip() + "\n" for line in printed)) is not None


class Playing:
    """The examples of one document, played in one folder in their order."""

    def __init__(self, document: str, folder: Path, environ: Mapping[str, str]) -> None:
        self._document, self._folder, self._environ = document, folder, environ
        self._exit = 0

    def play(self, block: Block) -> None:
        """Does what the block says. Fails, naming document and line."""
        if block.file:
            self._write(block.file, block.text)
        elif block.language == "console":
            for command in shown(block):
                self._run(command)
        elif block.part:
            assert block.part in PARTS, f"{self._document}:{block.line}: there is no part `{block.part}`"
            self._validate(block)
        else:
            assert block.language not in {"yaml", "sh", "bash"}, (
                f"{self._document}:{block.line}: say `# file: NAME` or `# part of …` in the first line"
            )

    def _write(self, name: str, text: str) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if text.startswith("#!"):
            path.chmod(0o755)

    def _run(self, command: Shown) -> None:
        done = subprocess.run(
            ["/bin/sh", "-c", f"(exit {self._exit})\n{command.command}"],
            cwd=self._folder,
            env=dict(self._environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SHOWN_S,
            check=False,
        )
        self._exit = done.returncode
        assert matches(command.output, done.stdout.splitlines()), (
            f"{self._document}:{command.line}: `{command.command}` ended with {done.returncode} and printed\n"
            f"{done.stdout}\ninstead of\n" + "\n".join(command.output)
        )

    def _validate(self, block: Block) -> None:
        file = self._folder / "part.yaml"
        file.write_text(around(block.part or "", block.text))
        done = subprocess.run(
            ["batchwork", "validate", file.name],
            cwd=self._folder,
            env=dict(self._environ),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{self._document}:{block.line}: {done.stdout}{done.stderr}\n{file.read_text()}"


EARLIER = """\
steps:
  - {name: earlier, task: echo, inputs: {message: hello}, outputs: found}
"""


def around(part: str, written: str) -> str:
    """A whole workflow around a part of one. What parts may refer to: a step `earlier` before, with the output `found`."""
    names = {line.split(":")[0] for line in written.splitlines() if line[:1].isalpha()}
    if part == "a workflow":
        return written if "steps" in names else f"{EARLIER}\n{written}"
    step = f"{EARLIER}  - name: part\n"
    if part == "a step":
        return (
            step
            + ("" if names & {"task", "type"} else "    task: echo\n    inputs: {message: hello}\n")
            + indent(written, 4)
        )
    step += "    task: batch\n    inputs:\n"
    if part == "a task":
        return f"{step}      items: [a, b]\n      task:\n{indent(written, 8)}"
    step += "" if "items" in names else "      items: [a, b]\n"
    step += "" if "task" in names else '      task: {type: shell, command: "process {{ item }}"}\n'
    return step + indent(written, 6)


def indent(text: str, by: int) -> str:
    """The text, further to the right."""
    return textwrap.indent(text, " " * by)


def play(document: Path, folder: Path, environ: Mapping[str, str]) -> int:
    """Play a document; how many blocks it has."""
    playing = Playing(
        document.name, folder, {**environ, "HOME": str(folder), "COLUMNS": "80", "API_TOKEN": "not-a-secret-token"}
    )
    count = 0
    for count, block in enumerate(blocks(document.read_text()), 1):
        playing.play(block)
    return count


def documents(root: Path) -> list[Path]:
    """README and everything under docs."""
    return [root / "README.md", *sorted((root / "docs").rglob("*.md"))]


def links(document: Path) -> Iterator[str]:
    """Relative links of a document whose target is not there."""
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", FENCE.sub("", document.read_text())):
        if "://" not in target and not os.path.exists(document.parent / target):
            yield target
