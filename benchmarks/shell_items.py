"""`echo` commands, output kept and recorded, beside `xargs -P`, which keeps nothing, and GNU parallel, which keeps a log.

usage: python benchmarks/shell_items.py [ROUNDS]
"""

from __future__ import annotations

from collections.abc import Iterator

from contest.alone import alone
from contest.works import Contender, Work, counted, ours, part

COUNT, AT_ONCE = 3_000, 8
FLOW = """
steps:
  - name: work
    task: batch
    inputs:
      items: {{from: range, stop: {count}}}
      max_parallel: {at_once}
      task: {{type: shell, command: "echo Processing {{{{ item }}}}"}}
"""
WORKS = ((COUNT, AT_ONCE, 0.93), (20_000, 2, 0.97), (20_000, 8, 0.97), (20_000, 64, 0.97))


def xargs(count: int, at_once: int) -> str:
    """The same by xargs."""
    return f"seq 0 {count - 1} | xargs -P {at_once} -I{{}} sh -c 'echo Processing {{}}' > /dev/null"


XARGS = xargs(COUNT, AT_ONCE)


def works(share: float = 1.0) -> Iterator[Work]:
    """Few at 8, many at 2, 8 and 64; GNU parallel only with few, because it is slow."""
    for whole, at_once, least in WORKS:
        count = part(whole, share)
        peers = [
            Contender(f"xargs -P {at_once}", ("sh", "-c", xargs(count, at_once)), needs=("program xargs",), least=least)
        ]
        if whole == COUNT:
            parallel = f"seq 0 {count - 1} | parallel -j{at_once} --joblog log 'echo Processing {{}}' > /dev/null"
            peers.append(
                Contender("GNU parallel --joblog", ("sh", "-c", parallel), needs=("program parallel",), least=5.0)
            )
        yield Work(
            f"shell-{whole // 1000}k-{at_once}",
            f"{count:,} shell items, {at_once} at once",
            count,
            ours(FLOW.format(count=count, at_once=at_once), counted(succeeded=count)),
            tuple(peers),
        )


if __name__ == "__main__":
    alone(works)
