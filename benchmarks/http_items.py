"""10,000 GETs at 64 at once to a local server that answers after 20 ms, beside a bare aiohttp loop, which records nothing.

usage: python benchmarks/http_items.py [ROUNDS]
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from contest.alone import alone
from contest.works import Contender, Work, counted, ours, part, python_peer

COUNT, AT_ONCE, ANSWER_S = 10_000, 64, 0.02
FLOW = """
steps:
  - name: work
    task: batch
    inputs:
      items: {{from: range, stop: {count}}}
      max_parallel: {at_once}
      task: {{type: http_request, url: "{{base}}{{{{ item }}}}"}}
"""
SERVER = """
import asyncio
ANSWER = b'HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: 11\\r\\n\\r\\n{"ok":true}'
class Answer(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.pending = transport, b""
    def data_received(self, data):
        self.pending += data
        while (end := self.pending.find(b"\\r\\n\\r\\n")) >= 0:
            self.pending = self.pending[end + 4:]
            asyncio.get_running_loop().call_later(0.02, self.answer)
    def answer(self):
        if not self.transport.is_closing():
            self.transport.write(ANSWER)
async def main():
    server = await asyncio.get_running_loop().create_server(Answer, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


@contextmanager
def serving() -> Iterator[Mapping[str, str]]:
    """A server of its own process, whose time is not counted."""
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield {"base": f"http://127.0.0.1:{int(server.stdout.readline())}/"}
        finally:
            server.kill()


def works(share: float = 1.0) -> Iterator[Work]:
    """Beside aiohttp, and beside what the server's delay allows."""
    count = part(COUNT, share)
    yield Work(
        "http",
        f"{count:,} GETs of 20 ms, {AT_ONCE} at once",
        count,
        ours(FLOW.format(count=count, at_once=AT_ONCE), counted(succeeded=count)),
        (
            Contender("what the server's 20 ms allow", ideal_s=count * ANSWER_S / AT_ONCE),
            python_peer("a bare aiohttp loop", "aiohttp_gets.py", "{base}", count, AT_ONCE, needs="aiohttp"),
        ),
        beside=serving,
    )


if __name__ == "__main__":
    alone(works)
