"""10,000 GETs at 64 at once to a local server that answers after 20 ms, beside a bare aiohttp loop, which records nothing.

usage: python benchmarks/http_items.py [ROUNDS]
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from measuring import batchwork, folder, load, median, rounds, run

COUNT, AT_ONCE = 10_000, 64
FLOW = """
steps:
  - name: work
    task: batch
    inputs:
      items: {{from: range, stop: {count}}}
      max_parallel: {at_once}
      task: {{type: http_request, url: "http://127.0.0.1:{port}/{{{{ item }}}}"}}
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
CLIENT = """
import asyncio, sys, aiohttp
async def main(base, count, at_once):
    numbers = iter(range(count))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=at_once)) as session:
        async def worker():
            for number in numbers:
                async with session.get(f"{base}{number}") as response:
                    await response.read()
                    assert response.status == 200
        await asyncio.gather(*[worker() for _ in range(at_once)])
asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
"""


def main() -> None:
    print(load())
    ours, peers = [], []
    with folder() as cwd, subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        Path(cwd, "client.py").write_text(CLIENT)
        client = [sys.executable, "client.py", f"http://127.0.0.1:{port}/", str(COUNT), str(AT_ONCE)]
        for _ in range(rounds(5)):
            peer = run(client, cwd, watch=False)
            assert peer.code == 0, peer
            peers.append(peer.seconds)
            flow = FLOW.format(count=COUNT, at_once=AT_ONCE, port=port)
            ran, counts = batchwork(flow, cwd=cwd)
            assert ran.code == 0, ran
            assert counts["work"]["succeeded"] == COUNT, counts
            ours.append(ran.seconds)
            sys.stderr.write(f"  aiohttp {peers[-1]:.2f} s, batchwork {ours[-1]:.2f} s\n")
        server.kill()
    ratio = median([peer / our for peer, our in zip(peers, ours, strict=True)])
    print(f"{COUNT:,} GETs at {AT_ONCE}: {COUNT / median(ours):,.0f} requests/s, {ratio:.2f} of bare aiohttp")


if __name__ == "__main__":
    main()
