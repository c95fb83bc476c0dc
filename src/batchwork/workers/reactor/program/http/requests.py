"""HTTP requests that run at once, by libcurl's multi interface on the reactor's loop. What is sent and made of answers is not here."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pycurl

from batchwork.faults import fault
from batchwork.workers.reactor.program.http.credentials import without_credentials
from batchwork.workers.reactor.program.http.manner import Manner
from batchwork.workers.reactor.program.http.responses import Response, response_result, unexpected
from batchwork.workers.reactor.program.http.transfer import Transfer
from batchwork.workers.reactor.program.loop import ERR, HUP, IN, OUT, Loop
from batchwork.workers.reactor.program.outbox import Failed, NotStarted, Outbox, Unit
from batchwork.workers.reactor.program.running import Outputs
from batchwork.workers.reactor.program.timers import Timer

_WATCHED = {pycurl.POLL_IN: IN, pycurl.POLL_OUT: OUT, pycurl.POLL_INOUT: IN | OUT}


def _nothing() -> tuple[str, str]:
    return "", ""


class Requests:
    """Runs requests on a loop and reports each to `outbox`. Connections are kept for the next ones."""

    def __init__(
        self,
        loop: Loop,
        outbox: Outbox,
        program: Mapping[str, Any],
        environ: Mapping[str, str],
        runtime: Mapping[str, Any],
    ) -> None:
        os.environ.clear()  # proxies are those of the workflow's environment, and libcurl reads them from ours
        os.environ.update(environ)
        os.chdir(runtime["cwd"])  # files that are sent or saved are named from there
        self._loop = loop
        self._outbox = outbox
        self._manner = Manner(program, program.get("timeout_s") or runtime["timeout_s"])
        self._running: dict[object, Transfer] = {}
        self._free: list[Transfer] = []
        self._timer: Timer | None = None
        self._collecting = False
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, runtime["slots"])
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)

    def start(self, unit: Unit) -> None:
        unit.started = self._loop.now()
        if not self._free:
            self._free.append(Transfer(self._manner))
        transfer = self._free.pop()
        try:
            transfer.begin(unit)
            fault("http.send")
        except NotStarted as error:
            self._refuse(transfer, error)
            return
        except OSError as error:
            self._fail(transfer, {"type": "connect", "message": str(error)})
            return
        self._send(transfer)

    def _send(self, transfer: Transfer) -> None:
        self._running[transfer.handle] = transfer
        self._multi.add_handle(transfer.handle)

    def _refuse(self, transfer: Transfer, error: NotStarted) -> None:
        message = without_credentials(str(error), transfer.masks)
        self._fail(transfer, {"type": "refused", "message": message, "retryable": False})

    def running(self) -> Iterator[tuple[Unit, Outputs]]:
        """Requests that wait for their answers; they print nothing."""
        for transfer in self._running.values():
            if transfer.unit is not None:
                yield transfer.unit, _nothing

    # ------------------------------------------------------------ curl's side

    def _watch(self, event: int, fd: int, _multi: object, _mark: object) -> None:
        if event == pycurl.POLL_REMOVE:
            self._loop.forget(fd)
        else:
            self._loop.watch(fd, _WATCHED.get(event, 0), self._ready)

    def _set_timer(self, milliseconds: int) -> None:
        self._loop.timers.cancel(self._timer)
        self._timer = None
        if milliseconds >= 0:
            self._timer = self._loop.timers.at(self._loop.now() + milliseconds / 1000, self._time_is_up)

    def _ready(self, fd: int, events: int) -> None:
        flags = 0
        if events & (IN | HUP):
            flags |= pycurl.CSELECT_IN
        if events & OUT:
            flags |= pycurl.CSELECT_OUT
        if events & ERR:
            flags |= pycurl.CSELECT_ERR
        self._multi.socket_action(fd, flags)
        self._collect_soon()

    def _time_is_up(self) -> None:
        self._timer = None
        self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        self._collect_soon()

    # ------------------------------------------------------------ ends

    def _collect_soon(self) -> None:
        """Look what is done once all that is ready has been dealt with."""
        if not self._collecting:
            self._collecting = True
            self._loop.timers.at(0, self._collect)

    def _collect(self) -> None:
        self._collecting = False
        more = 1
        while more:
            more, answered, failed = self._multi.info_read(100)
            for handle in answered:
                self._answered(self._take(handle))
            for handle, code, said in failed:
                transfer = self._take(handle)
                self._fail(transfer, transfer.failure(code, said))

    def _take(self, handle: object) -> Transfer:
        self._multi.remove_handle(handle)
        return self._running.pop(handle)

    def _answered(self, transfer: Transfer) -> None:
        unit = transfer.unit
        assert unit is not None
        elapsed_s = self._loop.now() - unit.started
        try:
            if transfer.led_on(elapsed_s):
                self._send(transfer)
                return
        except NotStarted as error:
            self._refuse(transfer, error)
            return
        response = transfer.response(elapsed_s)
        if not isinstance(response, Response):
            self._fail(transfer, transfer.guarded(response, sent=True))
        elif response.status not in self._manner.expected:
            failure = unexpected(response, transfer.masks, time.time())
            self._fail(transfer, transfer.guarded(failure, sent=True))
        else:
            self._outbox.done(unit, response_result(response, transfer.masks), int(elapsed_s * 1e6))
            self._end(transfer)

    def _fail(self, transfer: Transfer, failure: Failed) -> None:
        unit = transfer.unit
        assert unit is not None
        self._outbox.failed(unit, failure, int((self._loop.now() - unit.started) * 1e6))
        self._end(transfer)

    def _end(self, transfer: Transfer) -> None:
        transfer.unit = None
        self._free.append(transfer)

    def cancel(self, grace_s: float) -> None:
        """Give up all requests at once: there is nobody to ask for an early end, whatever the grace."""
        del grace_s
        for handle, transfer in list(self._running.items()):
            self._take(handle)
            transfer.drop()
            if transfer.unit is not None:
                self._outbox.cancelled(transfer.unit)
            transfer.handle.close()

    def destroy(self) -> None:
        self.cancel(0)
        self._multi.close()
