"""The frames that tell a Python worker what to do: a program to prepare, calls. What they mean is in workers/frames.py."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from batchwork.ports import Staffing
from batchwork.workers.python.reports import Sent


def prepare_body(prepare: Mapping[str, Any], staffing: Staffing) -> bytes:
    """The frame that a worker gets first."""
    runtime = {"strict": staffing.strict, "cwd": staffing.cwd}
    return json.dumps({"program": prepare, "runtime": runtime}, default=_plain).encode("ascii")


def call_body(sent: Sent, seen: int, batch_slot: int | None) -> bytes:
    """The frame of a call. `seen`: how many failures of this worker were known when it was sent."""
    call: dict[str, Any] = {"id": sent.call.id, "number": sent.number, "seen": seen, "units": sent.call.payloads}
    if batch_slot is not None:
        call["units"], call["shared"] = _shared(sent.call.payloads, batch_slot)
        call["slot"] = batch_slot
    return json.dumps(call, separators=(",", ":"), default=_plain).encode("ascii")


def _plain(value: object) -> object:
    """What a template may give that is not JSON data itself: lazy results, the environment, an error."""
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, Iterable) else str(value)


def _shared(payloads: Any, slot: int) -> tuple[list[Any], list[Any]]:
    """Payloads in which each batch's items stand once for all of its units: in a list of their own, named by number."""
    numbers: dict[int, int] = {}
    items: list[Any] = []
    units = []
    for payload in payloads:
        view = dict(payload[slot])
        members = view.pop("items")
        if id(members) not in numbers:
            numbers[id(members)] = len(items)
            items.append(members)
        view["shared"] = numbers[id(members)]
        units.append([*payload[:slot], view, *payload[slot + 1 :]])
    return units, items
