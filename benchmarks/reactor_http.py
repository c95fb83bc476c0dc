"""10,000 GETs at 64 at once through the reactor alone, to a local server that answers after 20 ms, beside bare aiohttp.

usage: python benchmarks/reactor_http.py [ROUNDS]
"""

from __future__ import annotations

import sys

from contest.alone import names
from contest.works import PEERS
from http_items import AT_ONCE, COUNT, serving
from measuring import folder, load, median, rounds, run
from reactor_alone import seconds

from batchwork.text.jsontext import Json

PREPARE: dict[str, Json] = {
    "kind": "http",
    "expect_status": [[200, 299]],
    "follow_redirects": 5,
    "verify": True,
    "max_body": 10 << 20,
    "timeout_s": 60,
}


def main() -> None:
    print(load())
    ours, peers = [], []
    with folder() as cwd, serving() as server:
        base = server["base"]
        client = [names()["peers"], f"{PEERS}/aiohttp_gets.py", base, str(COUNT), str(AT_ONCE)]
        payloads: list[Json] = [
            {"method": "GET", "url": f"{base}{number}", "headers": [], "body": None, "auth": None, "idempotent": False}
            for number in range(COUNT)
        ]
        for _ in range(rounds(5)):
            peers.append(run(client, cwd).seconds)
            ours.append(seconds(PREPARE, payloads, AT_ONCE, chunk=64))
            sys.stderr.write(f"  aiohttp {peers[-1]:.2f} s, reactor {ours[-1]:.2f} s\n")
    ratio = median([peer / our for peer, our in zip(peers, ours, strict=True)])
    print(f"{COUNT:,} GETs at {AT_ONCE}: {COUNT / median(ours):,.0f} a second, {ratio:.2f} of bare aiohttp")


if __name__ == "__main__":
    main()
