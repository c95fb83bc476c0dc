"""From a call to what is sent of it to a node: its payloads as texts, and what several of them have in common once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from batchwork.model import Call, Failure, Report
from batchwork.text.jsontexts import Texts, written_all
from batchwork.workers.nodes.net.wire import FRAME_MOST, Run, extent
from batchwork.workers.payloads import plain, with_shared

_BESIDE: Final = 1 << 16
"""Bytes of a frame beside its texts, at most; each text has some, too."""


def run_order(call: Call, lane: int, batch_slot: int | None, part: tuple[int, int]) -> Run:
    """The units from, to of a call, for a lane of a node."""
    payloads = call.payloads[slice(*part)]
    ends, forgives = call.ends_after, call.forgives
    if isinstance(payloads, range):
        numbers = payloads.start, payloads.stop, payloads.step
        return Run(lane, call.id, call.attempt, numbers, [], ends_after=ends, forgives=forgives)
    if batch_slot is None:
        return Run(lane, call.id, call.attempt, None, texts_of(payloads), ends_after=ends, forgives=forgives)
    units, shared = with_shared(payloads, batch_slot)
    texts, lists = texts_of(units), texts_of(shared)
    return Run(lane, call.id, call.attempt, None, texts, lists, batch_slot, ends, forgives)


def fitting(order: Run) -> int:
    """How many of its units, from the first on, go into one frame."""
    room = FRAME_MOST - _BESIDE - sum(map(extent, order.shared or ()))
    if order.numbers is not None:
        return len(range(*order.numbers))
    for count, text in enumerate(order.texts):
        room -= extent(text)
        if room < 0:
            return count
    return len(order.texts)


def unsent(call: int, part: tuple[int, int], count: int) -> Report:
    """What becomes of the units of a part of which only so many go into one frame: later ones go back, a giant has failed."""
    start, stop = part
    if count:
        return Report(call, returned=range(start + count, stop))
    giant = Failure(
        "refused", f"its values have more than {FRAME_MOST >> 20} MiB, which no node is sent", retryable=False
    )
    return Report(call, failures=[(start, giant, 0)], returned=range(start + 1, stop))


def texts_of(payloads: Sequence[Any]) -> list[str]:
    """The JSON text of each payload. What a template gives beyond JSON data (lazy results, an error) is made plain."""
    if isinstance(payloads, Texts):
        return payloads.texts
    try:
        written = written_all(payloads)
    except TypeError:  # something beyond JSON data
        written = None
    if written is not None:
        return written.texts
    return [json.dumps(payload, separators=(",", ":"), default=plain) for payload in payloads]
