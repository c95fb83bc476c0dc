"""The worker's life: connect, prepare once, run calls until the coordinator closes the pipe."""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import sys

from .calls import Caller
from .failures import Unprepared, ask_for, failure_fields, place_of
from .journal import Journal
from .output import Output, speak_utf8
from .own_modules import look_first_in
from .prepare import prepare_program
from .processes import become_worker, end_everything, watch
from .service import Service
from .traces.aftermath import Aftermath
from .traces.stragglers import Stragglers
from .traces.surroundings import Surroundings
from .wire import BROKEN, CALL, PREPARE, READY, Wire, out_of_reach

_TYPING = False  # importing typing costs more than all else here
if _TYPING:
    from typing import Any, Mapping, NoReturn

BROKEN_EXIT = 3


def run_worker(arguments: list[str]) -> NoReturn:
    """`arguments`: numbers of the descriptors of the pipe to read, the pipe to write, the journal and the log."""
    read, write, shared, log = (out_of_reach(int(number)) for number in arguments)
    journal = Journal(shared)
    output = Output(log)
    speak_utf8()
    sys.argv = [""]
    signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C is the coordinator's; what tasks start has the default again
    os.register_at_fork(after_in_child=_plain_child)
    become_worker()
    watch(read, journal, lambda: output.shrink(journal.output_from()) if journal.running() else None)
    wire = Wire(read, write)
    caller = _prepared(wire, journal, output)
    while caller is not None:
        frame = wire.receive()
        if frame is None:
            break
        if frame[0] == CALL:
            try:
                caller.run(json.loads(frame[1]))
            except BrokenPipeError:  # the coordinator is gone; what came of the call stands in the journal
                break
            if caller.service.over:
                break
    _end(0 if caller is not None else BROKEN_EXIT)


def _plain_child() -> None:
    """A child that a task forks is an ordinary process: signals do what they do elsewhere."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _prepared(wire: Wire, journal: Journal, output: Output) -> Caller | None:
    """Prepare the program and say so; None if that failed (or nothing came)."""
    frame = wire.receive()
    if frame is None or frame[0] != PREPARE:
        return None
    told = json.loads(frame[1])
    surroundings = Surroundings()
    program: Mapping[str, Any] = told["program"]
    look_first_in(program.get("path", ()), getattr(sys.modules["batchwork_worker"], "early", ()))
    until = program.get("restart_worker_on", ())
    ask_for([*told["runtime"].get("asked", ()), *until])
    try:
        prepared = prepare_program(program, wire.ask)
    except BaseException as error:  # noqa: BLE001  the author's setup and modules may raise anything
        wire.send_json(BROKEN, _broken(error))
        return None
    stragglers = Stragglers()
    stragglers.keep()
    surroundings.remember()
    gc.collect()
    gc.freeze()
    service = Service(program.get("max_items_per_worker"), until)
    aftermath = Aftermath(output, stragglers, surroundings, silent=prepared.silent)
    caller = Caller(prepared.function, wire, journal, aftermath, service)
    wire.send_json(READY, {})
    return caller


def _broken(error: BaseException) -> dict[str, Any]:
    if isinstance(error, Unprepared):
        return {"type": "", "message": str(error), "again": False}
    failure = failure_fields(error)
    place = place_of(error)
    if place.strip(" ()") in failure["message"]:
        place = ""
    again = not isinstance(error, (SyntaxError, ModuleNotFoundError, SystemExit))
    return {"type": failure["type"], "message": failure["message"] + place, "again": again}


def _end(status: int) -> NoReturn:
    """End without waiting for threads that tasks left, but not without what setup asked for with `atexit`."""
    try:
        atexit._run_exitfuncs()
    except BaseException:  # noqa: BLE001  the author's exit functions may raise anything, and it ends now
        status = status or 1
    finally:
        end_everything()
        os._exit(status)
