"""3,000 `echo` commands at 8 at once through the reactor alone, output kept, beside `xargs -P 8`, which keeps nothing.

usage: python benchmarks/reactor_commands.py [ROUNDS]
"""

from __future__ import annotations

import os
import sys

from measuring import folder, load, median, rounds, run
from reactor_alone import seconds
from shell_items import AT_ONCE, COUNT, XARGS

from batchwork.text.jsontext import Json


def payload(number: int) -> Json:
    """What a shell task binds for one item."""
    names = ("ITEM", "KEY", "INDEX")
    environ: dict[str, Json] = {f"BATCHWORK_{name}": str(number) for name in names}
    environ |= {"BATCHWORK_ATTEMPT": "1", "BATCHWORK_IDEMPOTENCY_KEY": f"run/work/{number}", "BW_1": str(number)}
    return {"argv": ["/bin/sh", "-c", 'echo Processing "${BW_1}"'], "env": environ, "cwd": os.getcwd(), "stdin": None}


def main() -> None:
    print(load())
    payloads = [payload(number) for number in range(COUNT)]
    ours, peers = [], []
    for _ in range(rounds(5)):
        with folder() as cwd:
            peers.append(run(["sh", "-c", XARGS], cwd).seconds)
        ours.append(seconds({"kind": "shell", "capture_limit": 1 << 20}, payloads, AT_ONCE))
        sys.stderr.write(f"  xargs {peers[-1]:.2f} s, reactor {ours[-1]:.2f} s\n")
    ratio = median([peer / our for peer, our in zip(peers, ours, strict=True)])
    print(f"{COUNT:,} commands at {AT_ONCE}: {COUNT / median(ours):,.0f} a second, {ratio:.2f} of xargs -P {AT_ONCE}")


if __name__ == "__main__":
    main()
