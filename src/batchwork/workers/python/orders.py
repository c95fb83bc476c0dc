"""What a Python worker is told: the bodies of the frames that go to it.

    P {"program": {"kind": "code", "code": "return item", "names": ["item"]}, "runtime": {"cwd": "/srv", "asked": []}}
    C {"id": 7, "number": 1, "seen": 0, "ends": [1, false], "units": [["a"], ["b"], ["c"], ["d"]]}
    C {"id": 8, "number": 2, "seen": 1, "units": [[{"index": 0, "shared": 0}]], "shared": [["a", "b"]], "slot": 0}
    C {"id": 9, "number": 3, "seen": 1, "range": [0, 1000, 1]}
    R {"page": "[1,2]"}
    R {"page": null, "error": "there are no earlier results here"}

P comes once, as the first. `program` is what the task type made for each worker. `asked` are names of error types, of which
a failure says which it goes by.

C is a call, `id` its name and `number` its place among all calls of this lane, by which it is recalled in shared memory.
`ends`: after how many failures it ends (none: whatever fails), and whether those that may be tried again do not count.
`seen`: how many failures of this worker were known when it was sent; where there are more, a call that they end goes back.
`units` are payloads; where these are the numbers of a range, it is in `range` instead. Where a payload has a batch at `slot`, its items stand in `shared` once for all units of the batch.

R answers a question for results of an earlier step: `page` is a JSON text, or null where it cannot be given.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from batchwork.ports import Staffing
from batchwork.text.jsontext import Json
from batchwork.text.jsontexts import Texts, as_list
from batchwork.workers.payloads import plain, with_shared
from batchwork.workers.python.reports import Sent


def prepare_body(prepare: Mapping[str, Any], staffing: Staffing, number: int) -> bytes:
    """The program, in P. `number`: the worker's, among those of the step."""
    prepare = {**prepare, **{part: _numbered(prepare[part], number) for part in _CONSTANTS if part in prepare}}
    runtime = {"cwd": staffing.cwd, "asked": staffing.asked}
    return json.dumps({"program": prepare, "runtime": runtime}, default=plain).encode("ascii")


_CONSTANTS = ("fixed", "setup_fixed")


def _numbered(constants: Mapping[str, Any], number: int) -> dict[str, Any]:
    """The constants, with the number of a worker where that is one."""
    return {name: {"json": number} if "worker" in value else value for name, value in constants.items()}


def call_body(sent: Sent, seen: int, batch_slot: int | None) -> bytes:
    """A call, in C. `seen`: how many failures of this worker were known when it was sent."""
    payloads = sent.call.payloads
    call: dict[str, Any] = {"id": sent.call.id, "number": sent.number, "seen": seen}
    if sent.call.ends_after is not None:
        call["ends"] = sent.call.ends_after, sent.call.forgives
    if isinstance(payloads, Texts):
        return f'{_encoded(call)[:-1]},"units":{as_list(payloads.texts)}}}'.encode()
    if isinstance(payloads, range):
        call["range"] = payloads.start, payloads.stop, payloads.step
    else:
        call["units"] = payloads
    if batch_slot is not None:
        call["units"], call["shared"] = with_shared(payloads, batch_slot)
        call["slot"] = batch_slot
    return _encoded(call).encode("ascii")


def page_body(page: str | None, error: str = "") -> bytes:
    """A page of results as JSON text, or why there is none, in R."""
    answer: dict[str, Json] = {"page": page}
    if page is None:
        answer["error"] = error
    return json.dumps(answer).encode("ascii")


def _encoded(call: Mapping[str, Any]) -> str:
    return json.dumps(call, separators=(",", ":"), default=plain)
