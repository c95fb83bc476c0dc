"""Items that a Python generator yields: `{from: python, function: module:name, …}`. The generator runs in a process of its own."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from fcntl import F_DUPFD_CLOEXEC, fcntl
from tempfile import TemporaryFile
from typing import Annotated, Any, BinaryIO, Final

from msgspec import Meta, Struct

from batchwork.errors import SourceError
from batchwork.items.command import CommandItems, CommandSource
from batchwork.plan.interpreter import python_interpreter
from batchwork.ports import WORKFLOW_DIR, FieldFault, ItemSource, Row, SourceType
from batchwork.text.patterns import pattern
from batchwork.workers.python.program.generator import FAILED, ORDER
from batchwork.workers.python.starting import starting

FREE_FROM: Final = 64
"""Descriptors from there on are not those that shells use for themselves."""
_FUNCTION: Final = pattern(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


class PythonSource(SourceType):
    """What a Python generator yields. Further fields are its arguments."""

    name = "python"
    may_preview = False
    further = "inputs"

    class Fields(Struct, frozen=True):
        """The function and what it is given."""

        function: Annotated[
            str,
            Meta(
                description="`package.module:name` of a generator, or of a function that gives a list; `async` ones too"
            ),
        ]
        interpreter: Annotated[
            str | None,
            Meta(description="the Python to run it with: an active virtual environment's, else batchwork's own"),
        ] = None
        inputs: Annotated[
            dict[str, Any],
            Meta(description="its arguments by name; they may also stand beside `function`, each as a field"),
        ] = {}

    def check(self, constants: Mapping[str, Any], written: Collection[str]) -> Iterator[FieldFault]:
        """The function is named in full."""
        function = constants.get("function", "a:b")
        if not _FUNCTION.fullmatch(function):
            hint = "write `package.module:name`; the module is looked for in the workflow's folder first"
            yield FieldFault("function", f"`function` must name a function in a module, not {function!r}", hint)

    def open(self, fields: Fields, cwd: str, environ: Mapping[str, str]) -> ItemSource:
        return _Yielded(fields, cwd, environ)


def _in_memory(octets: bytes) -> BinaryIO:
    """A file without a name that holds just this: arguments and environments have little room, and a disk must not keep secrets."""
    with os.fdopen(os.memfd_create("order"), "w+b") if hasattr(os, "memfd_create") else TemporaryFile() as made:
        made.write(octets)
        made.flush()
        return os.fdopen(fcntl(made.fileno(), F_DUPFD_CLOEXEC, FREE_FROM), "rb")


class _Yielded:
    """The items, lines of JSON that the process prints. If it fails, its last line says so."""

    may_block = True

    def __init__(self, fields: PythonSource.Fields, cwd: str, environ: Mapping[str, str]) -> None:
        self._function = fields.function
        interpreter = python_interpreter(fields.interpreter, environ, cwd)
        command = shlex.join(starting(interpreter, "generator", "run_generator"))
        folder = environ.get(WORKFLOW_DIR, cwd)
        try:
            order = json.dumps({"function": fields.function, "inputs": fields.inputs, "path": [folder, cwd]})
        except (TypeError, ValueError) as error:
            raise SourceError(f"items: the inputs of `{fields.function}` are not JSON data: {error}") from error
        self._order = _in_memory(order.encode("ascii"))
        number = self._order.fileno()
        given = CommandSource.Fields(command=f"exec {command}", format="jsonl")
        self._printed = CommandItems(
            given, cwd, {**environ, ORDER: str(number)}, f"the function `{fields.function}`", inherits=(number,)
        )
        self.reading = self._printed.reading

    def close(self) -> None:
        """From any thread: ends the process."""
        self._printed.close()
        self._order.close()

    def pages(self, start: int, size: int) -> Iterator[Sequence[Row]]:
        for page in self._printed.pages(start, size):
            last = page[-1]
            if isinstance(last, dict) and FAILED in last:
                if len(page) > 1:
                    yield page[:-1]
                raise self._error(last[FAILED])
            yield page

    def _error(self, told: Any) -> SourceError:
        """What the process says of its failure, with the author's own lines."""
        if not told.get("type"):
            return SourceError(f"items: {told['message']}")
        trace = str(told.get("traceback", ""))
        message = f"items: the function `{self._function}` failed: {told['type']}: {told['message']}"
        return SourceError("\n".join(filter(None, [message, trace])))
