"""The parts of a reactor that need no process: what is kept of outputs, timers, verdicts, frames of outcomes."""

from __future__ import annotations

import json
import os
import time

import pytest

from batchwork.workers import frames
from batchwork.workers.reactor.program import verdict
from batchwork.workers.reactor.program.captured import Captured
from batchwork.workers.reactor.program.loop import IN, Loop
from batchwork.workers.reactor.program.outbox import Outbox, Unit
from batchwork.workers.reactor.program.timers import Timers


def kept(limit: int, *parts: bytes) -> str:
    captured = Captured(limit)
    for part in parts:
        captured.add(part)
    return captured.text()


# ---------------------------------------------------------------- outputs


def test_what_fits_is_kept_as_it_is() -> None:
    assert kept(10, b"hello ", b"you!") == "hello you!"
    assert kept(10) == ""


@pytest.mark.promise("5.01")
def test_head_and_tail_are_kept_with_the_size_of_what_is_between() -> None:
    assert kept(10, b"0123456789abcdefghij") == "01234\n… 10 bytes left out …\nfghij"
    assert kept(10, *(b"%d" % (number % 10) for number in range(1000))) == "01234\n… 990 bytes left out …\n56789"
    assert kept(3, b"abcdef") == "a\n… 3 bytes left out …\nef"


@pytest.mark.promise("10.12")
def test_memory_is_bounded_by_the_limit() -> None:
    captured = Captured(1000)
    for _ in range(1000):
        captured.add(b"x" * 65536)
    assert captured.size == 65_536_000
    assert len(captured._head) + len(captured._tail or b"") <= 1500


def test_characters_are_whole_across_parts_and_at_the_cut() -> None:
    euro = "€".encode()
    assert kept(100, euro[:2], euro[2:]) == "€"
    text = kept(8, euro * 20)  # 4 bytes of head are one character and a third
    assert text == "€\n… 54 bytes left out …\n€"
    assert "\ufffd" not in text and "\\x" not in text


def test_bytes_that_are_no_utf8_are_lone_surrogates() -> None:
    assert kept(100, b"a\xff\xfeb\x00") == "a\udcff\udcfeb\x00"


# ---------------------------------------------------------------- timers


def test_timers_fire_in_order_and_once() -> None:
    timers, fired = Timers(), []
    for when in (3.0, 1.0, 2.0, 1.0):
        timers.at(when, lambda when=when, n=len(timers): fired.append((when, n)))
    assert timers.wait(0.5) == 0.5
    timers.fire(2.5)
    assert fired == [(1.0, 1), (1.0, 3), (2.0, 2)]
    assert timers.wait(10.0) == 0.0
    timers.fire(10.0)
    timers.fire(10.0)
    assert len(fired) == 4 and timers.wait(0.0) is None


def test_cancelled_timers_do_not_fire_and_cost_no_memory() -> None:
    timers, fired = Timers(), []
    made = [timers.at(100.0 + number, lambda: fired.append("x")) for number in range(5000)]
    for timer in made[1:]:
        timers.cancel(timer)
        timers.cancel(timer)
    timers.cancel(None)
    assert len(timers) == 1
    assert len(timers._heap) < 2500
    timers.fire(10_000.0)
    assert fired == ["x"]
    timers.cancel(made[0])
    assert len(timers) == 0 and timers.wait(0.0) is None


# ---------------------------------------------------------------- verdicts


@pytest.mark.promise("5.02")
def test_results_are_json_whatever_the_output() -> None:
    text = 'a"\\\n\x00\u2028é'
    assert json.loads(verdict.command_result(text, "", 0)) == {"stdout": text, "stderr": "", "exit_code": 0}
    assert "\n" not in verdict.command_result(text, "", 0)
    assert json.loads(verdict.command_result("", "", None))["exit_code"] is None


@pytest.mark.parametrize(
    ("status", "stderr", "message", "type_", "retryable"),
    [
        (7, "", "exit code 7", "exit", True),
        (7, "first\nlast one\n\n", "last one", "exit", True),
        (126, "", "exit code 126: the command is not executable", "exit", False),
        (127, "sh: nope: not found\n", "sh: nope: not found (exit code 127: the command was not found)", "exit", False),
        (139, "", "exit code 139: perhaps killed by SIGSEGV", "exit", True),
        (255, "", "exit code 255", "exit", True),
        (-11, "", "killed by SIGSEGV", "signal", True),
        (-9, "", "killed by SIGKILL (out of memory?)", "signal", True),
        (-15, "bye", "killed by SIGTERM: bye", "signal", True),
    ],
)
def test_failures_say_what_happened(status: int, stderr: str, message: str, type_: str, retryable: bool) -> None:
    failed = verdict.exit_failure("out", stderr, status)
    assert (failed["type"], failed["message"], failed.get("retryable", True)) == (type_, message, retryable)
    assert failed.get("exit_code") == (status if status > 0 else None)
    assert json.loads(str(failed["result"]))["stdout"] == "out"


def test_long_messages_are_cut() -> None:
    assert len(str(verdict.exit_failure("", "x" * 10_000, 1)["message"])) == 500


def test_notes() -> None:
    assert verdict.left_behind(0) == ""
    assert verdict.left_behind(1) == "left 1 process behind, killed\n"
    assert verdict.left_behind(2) == "left 2 processes behind, killed\n"
    assert verdict.timed_out("", "", 1.0, 2.0)["message"] == "timed out after 1 s, SIGKILL after a grace of 2 s"


# ---------------------------------------------------------------- outcomes


def unit(call: int, offset: int) -> Unit:
    return Unit(call, offset, {})


def test_outcomes_are_grouped_by_call_in_the_order_of_their_offsets() -> None:
    read, write = os.pipe()
    outbox = Outbox(Loop(), write, lambda failed: None)
    for offset in (4, 0, 1):
        outbox.done(unit(1, offset), f'"r{offset}"', 10 + offset)
    outbox.failed(unit(1, 2), {"type": "exit", "message": "no é"}, 5, "a note\n")
    outbox.cancelled(unit(2, 0))
    outbox.returned(unit(2, 1))
    assert outbox
    outbox.flush(1.0)
    assert not outbox and outbox.backlog == 0
    found = list(frames.FrameReader().feed(os.read(read, 65536)))
    assert [tag for tag, _ in found] == [frames.OUTCOMES, frames.OUTCOMES]
    head, *results = found[0][1].decode().split("\n")
    assert json.loads(head) == {
        "id": 1,
        "done": [[0, 2], [4, 5]],
        "us": [10, 11, 14],
        "failures": [[2, {"type": "exit", "message": "no é"}, 5]],
        "logs": {"2": "a note\n"},
    }
    assert results == ['"r0"', '"r1"', '"r4"']
    assert json.loads(found[1][1]) == {"id": 2, "cancelled": [0], "returned": [1]}
    os.close(read)
    os.close(write)


def test_a_full_pipe_delays_nobody() -> None:
    read, write = os.pipe()
    loop = Loop()
    outbox = Outbox(loop, write, lambda failed: None)
    outbox.done(unit(1, 0), '"' + "x" * 1_000_000 + '"', 1)
    outbox.flush(0.0)
    assert outbox.backlog > 0
    got = bytearray()
    loop.watch(read, IN, lambda fd, _: got.extend(os.read(fd, 65536)))
    while outbox.backlog or len(got) < 1_000_000:
        assert loop.turn(5.0)
    assert len(list(frames.FrameReader().feed(bytes(got)))) == 1
    os.close(read)
    outbox.done(unit(1, 1), "1", 1)  # nobody reads any more: no error here
    outbox.flush(0.0)
    os.close(write)


class Standing(Loop):
    """A loop whose process stands still for a minute, where it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.lost_s, self.waiting = 0.0, False
        self.now = lambda: time.monotonic() + self.lost_s
        self._seen = self.now()

    def stand_still(self) -> None:
        self.lost_s += 60.0

    def _pause(self, wait_s: float | None) -> float:
        if self.waiting:
            self.stand_still()
            self.waiting = False
        return super()._pause(wait_s)


@pytest.mark.parametrize("where", ["while it waits", "while it works", "between two turns"])
def test_wherever_it_stood_still_no_time_has_passed_for_timers(where: str) -> None:
    read, write = os.pipe()
    loop = Standing()
    fired: list[int] = []
    loop.timers.at(loop.now() + 30.0, lambda: fired.append(1))
    os.write(write, b"x")
    if where == "while it works":
        loop.watch(read, IN, lambda _fd, _: loop.stand_still())
    elif where == "while it waits":
        loop.waiting = True
    else:
        loop.stand_still()
    loop.turn(0.0)
    loop.turn(0.0)
    assert fired == []
    assert 29.0 < (loop.timers.wait(loop.now()) or 0.0) <= 60.0
    os.close(read)
    os.close(write)
