"""What a reactor is told: the bodies of the frames that go to it.

    P {"program": {"kind": "shell"}, "runtime": {"environ": {"PATH": "/bin"}, "cwd": "/srv", "timeout_s": null, "slots": 8,
       "cookie": "c0ffee"}}
    C {"id": 7, "ends": [1, false], "units": [{"argv": ["true"]}, {"argv": ["false"]}]}
    S {}
    X {"grace_s": 5.0}

P comes once, as the first. `program` is what the task type made for each worker, its `kind` shell or http. `slots` is how
many units run at once. `environ` is what commands get, with `cookie` as BATCHWORK_COOKIE beside it.

C is a call: its name, and a payload for each unit. `ends`: after how many of its failures all that has not started goes back
(none: whatever fails), and whether failures that may be tried again do not count. S asks for all units back that have not started. X does that too and
ends those that run, with so many seconds to end by themselves.
"""

from __future__ import annotations

import json

from batchwork.model import Call
from batchwork.ports import Program, Staffing

RECALL_ORDER = b"{}"


def program_order(program: Program, staffing: Staffing) -> bytes:
    """The program, in P."""
    runtime = {
        "environ": dict(staffing.environ),
        "cwd": staffing.cwd,
        "timeout_s": staffing.timeout_s,
        "slots": staffing.slots,
        "cookie": staffing.cookie,
    }
    return _encode({"program": dict(program.prepare), "runtime": runtime})


def call_order(call: Call) -> bytes:
    """A call, in C."""
    order: dict[str, object] = {"id": call.id, "units": list(call.payloads)}
    if call.ends_after is not None:
        order["ends"] = call.ends_after, call.forgives
    return _encode(order)


def end_order(grace_s: float) -> bytes:
    """The end of all that runs, in X."""
    return _encode({"grace_s": grace_s})


def _encode(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
