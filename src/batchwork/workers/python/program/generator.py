"""A process that gives items: what the author's generator yields, a line of JSON each. What it prints goes to the standard error."""

from __future__ import annotations

import json
import os
import sys
import threading

from .coroutines import run
from .failures import Unprepared, failure_fields, place_of
from .functions import make_function
from .output import speak_utf8
from .own_modules import look_first_in
from .values.encoding import ResultError, encode_result

_TYPING = False  # importing typing costs more than all else here
if _TYPING:
    from typing import Any, Iterator, NoReturn

ORDER = "BATCHWORK_ITEMS_ORDER"
"""The environment variable that names the descriptor of the file with the order; arguments could be seen by others."""
FAILED = "\0failed"
"""The name of the one thing in the last line, where the items could not be read to their end."""
FLUSH_BYTES = 64 << 10
FLUSH_S = 0.02
"""No item waits longer in this process."""


def run_generator(arguments: list[str]) -> NoReturn:
    """Run the generator of the order to its end."""
    lines = Lines(os.dup(1))
    os.dup2(2, 1)
    speak_utf8()
    order = json.loads(_order(int(os.environ.pop(ORDER))))
    sys.argv = [""]
    look_first_in(order["path"], getattr(sys.modules["batchwork_worker"], "early", ()))
    try:
        _yield_all(order, lines)
    except BaseException as error:  # noqa: BLE001  the author's code may raise anything
        lines.add(json.dumps({FAILED: _told(error)}))
    lines.close()
    os._exit(0)


def _order(descriptor: int) -> bytes:
    """What stands in the file, from its beginning: whoever reads the items again has the same file."""
    found = bytearray()
    while part := os.pread(descriptor, 1 << 20, len(found)):
        found += part
    os.close(descriptor)
    return bytes(found)


def _yield_all(order: dict[str, Any], lines: Lines) -> None:
    path, inputs = order["function"], order["inputs"]
    rows = _found(path, inputs)()
    if isinstance(rows, (str, bytes, dict)) or not (hasattr(rows, "__iter__") or hasattr(rows, "__aiter__")):
        raise Unprepared(f"`{path}` must be a generator, or give a list, but it gives {type(rows).__name__}")
    for number, item in enumerate(_each(rows)):
        try:
            lines.add(encode_result(item))
        except ResultError as error:
            raise Unprepared(f"`{path}` yields as item {number} what is not JSON data: {error}") from None


def _found(path: str, inputs: dict[str, Any]) -> Any:
    """The function with its arguments. Raises Unprepared: where it is imported, the lines that lead there are not the author's."""
    try:
        return make_function({"function": path, "inputs": list(inputs)}, [], inputs)
    except ImportError as error:
        failure = failure_fields(error)
        place = place_of(error)
        shown = "" if place.strip(" ()") in failure["message"] else place
        raise Unprepared(f"`{path}` cannot be imported: {failure['message']}{shown}") from None


def _each(rows: Any) -> Iterator[Any]:
    if not hasattr(rows, "__aiter__"):
        yield from rows
        return
    rows = rows.__aiter__()
    while True:
        try:
            item = run(rows.__anext__())
        except StopAsyncIteration:
            return
        yield item


def _told(error: BaseException) -> dict[str, Any]:
    if isinstance(error, Unprepared):
        return {"type": "", "message": str(error)}
    return failure_fields(error)


class Lines:
    """Lines on their way out: many at once while they come fast, and none left waiting when they come slowly."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._waiting: list[str] = []
        self._size = 0
        self._lock = threading.Lock()
        self._some = threading.Event()
        threading.Thread(target=self._flush_now_and_then, daemon=True).start()

    def add(self, line: str) -> None:
        with self._lock:
            self._waiting.append(line)
            self._size += len(line) + 1
            if self._size >= FLUSH_BYTES:
                self._flush()
            elif len(self._waiting) == 1:
                self._some.set()

    def close(self) -> None:
        with self._lock:
            self._flush()

    def _flush_now_and_then(self) -> None:
        pause = threading.Event()
        while True:
            self._some.wait()
            self._some.clear()
            pause.wait(FLUSH_S)
            with self._lock:
                self._flush()

    def _flush(self) -> None:
        rest = memoryview("".join([line + "\n" for line in self._waiting]).encode())
        self._waiting, self._size = [], 0
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:  # nobody reads any more: there is nothing left to do
            os._exit(1)
