"""The executor of a step whose workers are on nodes: calls go to nodes, reports come back, what a node that is gone had is told."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from itertools import zip_longest

from msgspec.structs import replace

from batchwork.clock import Clock, since_boot
from batchwork.errors import BatchworkError, WorkerError
from batchwork.model import Call, Report
from batchwork.ports import Elsewhere, Pager, Program, Running, Staffing
from batchwork.workers.nodes.hub.members import Node
from batchwork.workers.nodes.hub.news import Gone, Heard, Inbox, Joined, News, Silent
from batchwork.workers.nodes.muster import Muster
from batchwork.workers.nodes.net.wire import (
    HEAD_SIZE,
    AnyUp,
    BadFrame,
    Begin,
    Cancel,
    Down,
    Finish,
    Kill,
    NowRunning,
    Outcomes,
    Page,
    Question,
    Ready,
    Recall,
    SessionEnded,
    Took,
    Trouble,
    Warm,
    understood_up,
)
from batchwork.workers.nodes.step.crew import Crew, Member
from batchwork.workers.nodes.step.ledger import Ledger, named
from batchwork.workers.nodes.step.needed import needed
from batchwork.workers.nodes.step.placing import InSeats, InShares, Placing, Waiting
from batchwork.workers.nodes.step.sending import fitting, run_order, unsent
from batchwork.workers.payloads import plain

_CLOSE_S = 10.0
"""How long nodes may take to stop the workers of a step that is over, beside the lease of one that is cut off."""


_GOING, _RECALLED, _ENDING = range(3)


class NodesExecutor:
    """See ports.Executor. `wide`: the workers run many units at once, each."""

    def __init__(self, muster: Muster, clock: Clock, *, wide: bool) -> None:
        self._muster, self._clock, self._wide = muster, clock, wide
        self._inbox = Inbox()
        self._crew = Crew()
        self._reports: list[Report] = []
        self._warmed = 0
        self._stage = _GOING

    # ------------------------------------------------------------ see ports.Executor

    @property
    def lanes(self) -> int:
        return self._placing.lanes

    @property
    def width(self) -> int:
        return self._placing.width

    @property
    def latency_s(self) -> float:
        return self._muster.latency_s

    def start(self, program: Program, staffing: Staffing, pages: Pager | None = None) -> None:
        self._pages, self._program = pages, program
        self._slot = program.prepare.get("batch_slot")
        self._placing: Placing = _placing(staffing, wide=self._wide)
        self._ledger = Ledger()
        self._begin = Begin(
            program.worker,
            json.dumps(dict(program.prepare), default=plain),
            replace(staffing, environ={}, elsewhere=Elsewhere(), journals="", cookie=""),
            _declared(staffing),
            needed(program.prepare),
            self._muster.window,
        )
        self._begun = since_boot()
        self._session = self._muster.hub.begin(self._inbox)

    def warm(self, lanes: int) -> None:
        self._warmed = lanes
        self._warm_up()

    def ready(self) -> Sequence[bool]:
        return self._placing.ready()

    def load(self) -> Sequence[int]:
        return self._ledger.load(self.lanes)

    def submit(self, lane: int, call: Call) -> None:
        self._ledger.waiting.append(Waiting(lane, call))
        self._warmed = max(self._warmed, lane + 1)
        self._give_out()

    def poll(self, timeout_s: float | None) -> list[Report]:
        until = None
        if timeout_s is not None:
            until = self._clock.now() + timeout_s
        news, woken = self._inbox.take(0.0)
        while True:
            more = self._hear(news)
            wait_s = self._wait_s(until)
            if more or woken or (wait_s is not None and wait_s <= 0):
                break
            news, woken = self._inbox.take(wait_s)
        reports, self._reports = self._reports, []
        return reports

    def _hear(self, news: Sequence[News]) -> bool:
        """Whether there is something to report now, or a lane has become ready. Raises WorkerError, NodesGone."""
        was_ready = self._placing.ready()
        for one in news:
            self._learn(one)
        self._give_out()
        if self._reports or _more_ready(was_ready, self._placing.ready()):
            return True
        self._see_trouble()
        return bool(self._reports)

    def _wait_s(self, until: float | None) -> float | None:
        waits = [self._muster.look_s(alone=self._crew.in_vain)]
        if until is not None:
            waits.append(until - self._clock.now())
        return min((wait for wait in waits if wait is not None), default=None)

    def running(self) -> Sequence[Running]:
        return [*self._crew.running(self._clock.now())]

    def wake(self) -> None:
        self._inbox.wake()

    def recall(self) -> None:
        self._end(_RECALLED, Recall())

    def cancel(self) -> None:
        self._end(_ENDING, Cancel())

    def kill(self) -> None:
        self._end(_ENDING, Kill())

    def _end(self, stage: int, message: Down) -> None:
        """What waits goes back, and nodes are told."""
        self._stage = max(self._stage, stage)
        self._reports += self._ledger.returned()
        self._tell_all(message)

    def close(self) -> None:
        self._end(_RECALLED, Finish())
        until = self._clock.now() + _CLOSE_S + self._muster.given_up_s
        while not self._crew.all_ended and self._clock.now() < until:
            news, _ = self._inbox.take(until - self._clock.now())
            for one in news:
                self._learn(one)
        self._muster.hub.end(self._session)

    # ------------------------------------------------------------ to nodes

    def _tell(self, node: int, message: Down) -> None:
        self._muster.hub.send(node, self._session, message)

    def _tell_all(self, message: Down) -> None:
        for node in self._crew.members:
            self._tell(node, message)

    def _give_out(self) -> None:
        for node, lane, waiting, part in self._placing.orders(self._ledger.waiting):
            order = run_order(waiting.call, lane, self._slot, part)
            count = fitting(order)
            if count < part[1] - part[0]:
                order = run_order(waiting.call, lane, self._slot, (part[0], part[0] + count))
            if count:
                number = self._ledger.sent(node, waiting.lane, waiting.call, (part[0], part[0] + count))
                self._tell(node, replace(order, call=number))
            if count < part[1] - part[0]:
                self._keep(node, waiting.lane, unsent(waiting.call.id, part, count))

    def _keep(self, node: int, lane: int, report: Report) -> None:
        """To be told of units that were meant for a node, or with it, and are no more."""
        self._reports.append(report)
        self._placing.reported(node, report.count)
        self._placing.unloaded(lane, self._ledger.left(lane))

    def _warm_up(self) -> None:
        if self._stage > _GOING:
            return
        for node, lanes in self._placing.wanted(self._warmed).items():
            member = self._crew.members.get(node)
            if member is not None and lanes > 0 and member.trouble is None:
                self._tell(node, Warm(lanes))

    # ------------------------------------------------------------ from nodes

    def _learn(self, news: News) -> None:
        match news:
            case Joined(node):
                self._joined(node)
            case Heard(node, body):
                self._heard(node, body)
            case Silent(node):
                self._placing.silence(node)
            case Gone(node):
                self._gone(node)

    def _joined(self, node: Node) -> None:
        if self._stage > _GOING or node.number in self._crew.members:
            return
        self._crew.members[node.number] = Member(node)
        slots = self._placing.join(node)
        self._tell(node.number, replace(self._begin, staffing=replace(self._begin.staffing, slots=slots)))
        self._warm_up()

    def _gone(self, node: int) -> None:
        member = self._crew.members.pop(node, None)
        self._abandon(node)
        if member is not None and self._stage == _GOING:
            self._muster.missed(member.node)
            self._warm_up()

    def _abandon(self, node: int) -> None:
        """No process works for this step on the node any more, and what it has not reported it never will."""
        self._placing.leave(node)
        for report in self._ledger.gone(node, self._placing.at_once, wanted=self._stage == _ENDING):
            self._placing.reported(node, report.count)
            self._reports.append(report)
        for lane in range(self.lanes):
            self._placing.unloaded(lane, self._ledger.left(lane))

    def _heard(self, node: int, body: bytes) -> None:
        member = self._crew.members.get(node)
        if member is None:
            return
        try:
            self._understand(member, understood_up(body), HEAD_SIZE + len(body))
        except BadFrame as error:
            self._troubled(member, WorkerError(f"it said what cannot be: {error}"))
            self._muster.hub.expel(node)

    def _understand(self, member: Member, message: AnyUp, size: int) -> None:
        node = member.node.number
        match message:
            case Outcomes():
                self._took(member, size)
                lane = self._ledger.lane(message.call)
                report = self._ledger.report(node, named(member.node.name, message.worker), message)
                if report is not None:
                    self._keep(node, lane, report)
            case Ready(lanes):
                self._see_ready(member, lanes)
            case NowRunning(units):
                self._took(member, size)
                member.running = self._ledger.running(node, units, member.node.name)
                member.running_at = self._clock.now()
            case Question():
                self._answer(node, message)
            case Trouble(why, hint, lacking):
                member.lacking = lacking
                self._troubled(member, WorkerError(why, hint))
            case SessionEnded():
                member.ended = True
                self._abandon(node)
            case _:
                raise BadFrame("a message that is not for a session")

    def _see_ready(self, member: Member, lanes: Sequence[bool]) -> None:
        member.fit = True
        self._placing.see(member.node.number, lanes)
        if self._ledger.waiting and not any(lanes):
            self._warm_up()  # its worker has died, and what waits may be for it

    def _took(self, member: Member, size: int) -> None:
        """Acknowledge what was taken, now and then."""
        member.unread += size
        if member.unread > self._muster.window // 4:
            self._tell(member.node.number, Took(member.unread))
            member.unread = 0

    def _answer(self, node: int, question: Question) -> None:
        page, error = None, "there are no earlier results here"
        try:
            if self._pages is not None:
                page = self._pages(question.query)
        except BatchworkError as refused:
            error = refused.message
        self._tell(node, Page(question.number, page, error))

    # ------------------------------------------------------------ trouble

    def _troubled(self, member: Member, why: WorkerError) -> None:
        """A node cannot do this step. Others may."""
        member.trouble = member.trouble or why
        self._placing.retire(member.node.number)

    def _see_trouble(self) -> None:
        """Raises WorkerError, NodesGone, once, where no node can do this step; NodesGone where there is none and none comes."""
        if self._stage > _GOING:
            return
        if (trouble := self._crew.trouble(self._clock.now())) is not None:
            self.recall()
            raise trouble
        if why := self._crew.unfit():
            self._muster.unfit(why)
        self._muster.look(self._begun)


def _placing(staffing: Staffing, *, wide: bool) -> Placing:
    return InShares(staffing.slots) if wide else InSeats(staffing.slots, staffing.elsewhere.room)


def _more_ready(before: Sequence[bool], now: Sequence[bool]) -> bool:
    """Whether a lane has become ready."""
    return any(is_ready and not was for was, is_ready in zip_longest(before, now))


def _declared(staffing: Staffing) -> list[tuple[bytes, bytes]]:
    """What of the environment is the workflow's and not this machine's."""
    environ = staffing.environ
    return [(os.fsencode(name), os.fsencode(environ[name])) for name in staffing.elsewhere.declared if name in environ]
