"""What stands in the map of a journal: which units of which calls were started, and what came of them. Nothing is believed unseen.

A unit that was started and has no outcome here is in doubt. The same unit may be told of twice: a reactor copies what runs
into a new segment.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterator, Mapping
from mmap import mmap
from typing import Any

from batchwork.model import Failure
from batchwork.ports.journals import Noted
from batchwork.text.jsontext import decode
from batchwork.workers.python.program.journal import (
    ACTIVE,
    BLIND,
    COLUMN,
    END,
    SEGMENT,
    START,
    UNKEPT,
    base_of,
    table_of,
)

_FAILURE_FIELDS = frozenset(Failure.__struct_fields__)


class Unreadable(Exception):
    """The journal is not what a worker wrote."""


def word(pages: mmap, number: int) -> int:
    """One of the words at the head of a journal, read at one stroke."""
    with memoryview(pages) as view, view.cast("Q") as words:
        return words[number]


def noted_in(pages: mmap, wanted: Container[int] | None, worker: str) -> dict[int, Noted]:
    """What a journal says of the wanted calls that began (None: of all). Raises Unreadable."""
    if word(pages, BLIND) or word(pages, ACTIVE) > 1:
        raise Unreadable
    found: dict[int, Noted] = {}
    last: int | None = None
    active = word(pages, ACTIVE)
    for segment in (1 - active, active):  # where the active one was only just begun, the last call is in the other
        for (call, *entries), records in _calls(pages, segment):
            last = call
            if wanted is None or call in wanted:
                noted = found.setdefault(call, Noted(worker))
                if entries:
                    _note_numbers(noted, pages, segment, entries)
                for record in records.split("\n")[:-1]:
                    _note(noted, record)
    if last in found:
        _note_running(found[last], pages)
    return found


def _note_running(noted: Noted, pages: mmap) -> None:
    """What the words say of the call that runs or ran last."""
    for number in (START, UNKEPT):
        if started := word(pages, number):
            noted.started.add(started - 1)


def failure_from(fields: Mapping[str, Any]) -> Failure:
    """A failure as a worker describes it. Raises TypeError where it is something else."""
    known = {name: value for name, value in fields.items() if name in _FAILURE_FIELDS}
    texts = {name: str(known.get(name, "")) for name in ("type", "message", "traceback")}
    return Failure(**{**known, **texts, "retryable": known.get("retryable", True) is not False})


def _note_numbers(noted: Noted, pages: mmap, segment: int, entries: list[int]) -> None:
    """Add the outcomes in a segment's table: `entries` are the first one of the call, and how many it has. Raises Unreadable."""
    if len(entries) != 2 or min(entries) < 0 or sum(entries) > COLUMN:
        raise Unreadable
    first, count = entries
    at = 8 * (table_of(segment) + first)
    values, ends = (memoryview(pages[start : start + 8 * count]).cast("q") for start in (at, at + 8 * COLUMN))
    done = {offset: (end - 1, str(value)) for offset, (value, end) in enumerate(zip(values, ends, strict=True)) if end}
    if any(us < 0 for us, _ in done.values()):
        raise Unreadable
    noted.done.update(done)


def _calls(pages: mmap, segment: int) -> Iterator[tuple[list[int], str]]:
    """The calls that began in a segment (the numbers behind their B), each with its records: a call may begin several times.

    Most are of no interest any more, so that their records are only passed over.
    """
    base = base_of(segment)
    end = word(pages, END + segment)
    if not base <= end <= base + SEGMENT:
        raise Unreadable
    try:
        text = str(pages[base:end], "utf-8")
        if text and not (text.startswith("B") and text.endswith("\n")):
            raise Unreadable
        for part in text[1:].split("\nB") if text else ():
            numbers, _, records = part.partition("\n")
            yield [*map(int, numbers.split(" "))], _whole(records)
    except ValueError:
        raise Unreadable from None


def _whole(records: str) -> str:
    """Records with the end of the last one, which the beginning of the next call takes along."""
    return f"{records}\n" if records and not records.endswith("\n") else records


def _note(noted: Noted, record: str) -> None:
    """Add what a record says. Raises Unreadable."""
    kind, (offset, *rest) = record[:1], record[1:].split(" ", 1)
    try:
        number = int(offset)
        match kind, rest:
            case "S", []:
                noted.started.add(number)
            case "D", [text]:
                us, _, result = text.partition(" ")
                decode(result)
                noted.done[number] = int(us), result
            case "F", [text]:
                us, at_ms, fields = text.split(" ", 2)
                noted.failed[number] = int(us), int(at_ms), failure_from(json.loads(fields))
            case "C", [_]:
                noted.cancelled.add(number)
            case "L", [text]:
                noted.logs[number] = str(json.loads(text))
            case _:
                raise Unreadable
    except (ValueError, TypeError, AttributeError):
        raise Unreadable from None
