"""Items on nodes: beside workers here, with more nodes, and with many nodes far away. Ratios of runs in turns, on one machine.

usage: python benchmarks/nodes.py [ROUNDS]            all of it
       python benchmarks/nodes.py fake NODES < LETTER   so many nodes in one process that only pretend to work

- No-op items on two nodes of one slot, beside two slots here.
- Items that sleep 50 ms on 2 and 4 nodes of four slots, as a part of what that many slots could do, beside as many slots here.
- 64 nodes of 16 lanes that pretend to work 50 ms, each message 10 ms under way in each direction: what comes of the 20,480 items a
  second that the lanes could do, and what an item costs the coordinator's process.
"""

from __future__ import annotations

import asyncio
import os
import platform
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import psutil
from msgspec import Struct

from batchwork import __version__
from batchwork.workers.nodes.net.letter import LONGEST, Letter, read_letter
from batchwork.workers.nodes.net.wire import (
    FRAME_MOST,
    PROTOCOL,
    RENEWALS,
    AllEnded,
    Begin,
    Finish,
    Frames,
    Hello,
    Leave,
    Outcomes,
    Ready,
    Renew,
    Run,
    SessionEnded,
    Up,
    Welcome,
    framed,
    understood_down,
)

BATCHWORK = str(Path(sys.executable).with_name("batchwork"))
FLOW = """
steps:
  - name: work
    type: batch
    inputs:
      items: {{from: range, stop: {count}}}
      parallel: true
      {slots}
      task: {{type: python, code: "{code}"}}
"""
WORK_S = 0.05
WAY_S = 0.01
LANES = 16
NODES, PROCESSES = 64, 2


# ---------------------------------------------------------------- nodes that pretend


class FakeNode:
    """A node of `LANES` lanes; each unit is said to be done after `WORK_S`, and each message is `WAY_S` under way."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._loop = asyncio.get_running_loop()
        self._free_at = [0.0] * LANES
        self._node = Welcome(0, "", 10.0)

    def say(self, session: int, message: Up) -> None:
        self._loop.call_later(WAY_S, self._writer.write, framed(session, message))

    async def live(self, token: str) -> None:
        """From the hello to the end of the run."""
        self.say(0, Hello(token, PROTOCOL, __version__, platform.python_version(), "fake", os.getpid(), LANES))
        frames = Frames(FRAME_MOST)
        while data := await self._reader.read(1 << 16):
            for session, body in frames.feed(data):
                self._loop.call_later(WAY_S, self._hear, session, body)

    def _hear(self, session: int, body: bytes) -> None:
        match understood_down(body):
            case Welcome() as welcome:
                self._node = welcome
                self._renew(0)
            case Begin():
                self.say(session, Ready([True] * LANES))
            case Run() as run:
                self._run(session, run)
            case Finish():
                self.say(session, SessionEnded())
            case Leave():
                self.say(0, AllEnded(self._node.node, self._node.token))

    def _run(self, session: int, run: Run) -> None:
        count = len(run.texts) if run.numbers is None else len(range(*run.numbers))
        start = max(self._loop.time(), self._free_at[run.lane])
        end = self._free_at[run.lane] = start + count * WORK_S
        each = [int(WORK_S * 1e6)] * count
        told = Outcomes(run.call, [(0, count)], ["1"] * count, each, [], [], [], [], {}, f"lane {run.lane}", "")
        self._loop.call_at(end, self.say, session, told)

    def _renew(self, number: int) -> None:
        self.say(0, Renew(number))
        self._loop.call_later(self._node.lease_s / RENEWALS, self._renew, number + 1)


async def pretend(letter: Letter, count: int) -> None:
    """So many nodes, until the hub sends them away."""
    trust = ssl.create_default_context(cadata=letter.certificate)
    trust.check_hostname = False

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", letter.port, ssl=trust)
        await FakeNode(reader, writer).live(letter.token)

    await asyncio.gather(*(one() for _ in range(count)))


# ---------------------------------------------------------------- runs


class Figure(Struct, frozen=True):
    """Items a second from the first claim to the last outcome, and microseconds of CPU of the coordinator's process for each."""

    rate: float
    cpu_us: float


def run(count: int, executor: str, code: str, slots: int | None) -> Figure:
    """A run of so many items, alone in a folder."""
    line = f"max_parallel: {slots}" if slots is not None else ""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "w.yaml").write_text(FLOW.format(count=count, slots=line, code=code), encoding="utf-8")
        words = [BATCHWORK, "run", "w.yaml", "--quiet", "--json", "--executor", executor]
        process = subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE)
        cpu_s = 0.0
        while process.poll() is None:
            try:
                times = psutil.Process(process.pid).cpu_times()
            except psutil.Error:
                break
            cpu_s = max(cpu_s, times.user + times.system)
            time.sleep(0.05)
        out, _ = process.communicate()
        assert process.returncode == 0, out
    return Figure(rate_of(out, count), cpu_s * 1e6 / count)


def rate_of(summary: bytes, count: int) -> float:
    """Items a second, as the summary has it."""
    import json

    (step,) = json.loads(summary)["steps"].values()
    assert step["counts"]["succeeded"] == count, step
    return count / float(step["duration"])


def nodes(count: int, slots: int) -> str:
    """What `--executor` says for so many nodes on this machine."""
    numbers = ",".join(map(str, range(count)))
    return f"command:echo {{{numbers}}} >&2; exec {{agent}} --slots {slots}"


def fakes() -> str:
    """The same for nodes that pretend, in some processes."""
    numbers = ",".join(map(str, range(PROCESSES)))
    here = f"{sys.executable} {Path(__file__).resolve()} fake {NODES // PROCESSES}"
    return f"command:echo {{{numbers}}} >&2; exec {here} # {{agent}}"


def figures(rounds: int) -> Iterator[str]:
    """A line for each comparison."""
    turns = [
        (run(1_000_000, nodes(2, 1), "return item * 2", None), run(1_000_000, "local", "return item * 2", 2))
        for _ in range(rounds)
    ]
    ratio = median(there.rate / here.rate for there, here in turns)
    there, here = (median(pair[at].rate for pair in turns) for at in (0, 1))
    yield f"no-op items, 2 nodes of 1 slot: {there:,.0f}/s, {ratio:.2f} of 2 slots here ({here:,.0f}/s); asked: 0.5"
    for count in (2, 4):
        slots, sleep = count * 4, "import time; time.sleep(0.05)"
        turns = [
            (run(slots * 200, nodes(count, 4), sleep, None), run(slots * 200, "local", sleep, slots))
            for _ in range(rounds)
        ]
        there, here = (median(pair[at].rate for pair in turns) * WORK_S / slots for at in (0, 1))
        yield f"items of 50 ms, {count} nodes of 4 slots: {there:.2f} of linear ({here:.2f} with as many slots here); asked: 0.9"
    found = [run(100_000, fakes(), "return 1", None) for _ in range(rounds)]
    part = median(figure.rate for figure in found) / (NODES * LANES / WORK_S)
    cpu_us = median(figure.cpu_us for figure in found)
    yield f"{NODES} nodes of {LANES} lanes, 50 ms, 20 ms there and back: {part:.2f} of ideal; asked: 0.4"
    yield f"    {cpu_us:.0f} µs of CPU of the coordinator an item; asked: 80"


def main(words: Sequence[str]) -> None:
    if words[:1] == ["fake"]:
        asyncio.run(pretend(read_letter(sys.stdin.buffer.readline(LONGEST)), int(words[1])))
        return
    for line in figures(int(words[0]) if words else 3):
        print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
