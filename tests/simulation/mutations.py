"""Bugs that the simulation must catch: each is planted into a copy of the source, and histories happen until one is wrong.

    python tests/simulation/mutations.py [NAME …] [--histories N]

A change whose text is no longer found in the source is an error: it belongs to be written anew.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parent.parent / "src"
AT_ONCE = 2


@dataclass(frozen=True)
class Mutation:
    """A bug: in `file` (below src/batchwork) the text `old`, which stands there once, becomes `new`; and `more` of the kind."""

    name: str
    file: str
    old: str
    new: str
    more: tuple[tuple[str, str, str], ...] = ()

    def plant(self, source: Path) -> None:
        for file, old, new in ((self.file, self.old, self.new), *self.more):
            path = source / "batchwork" / file
            text = path.read_text(encoding="utf-8")
            if text.count(old) != 1:
                raise SystemExit(f"{self.name}: {old!r} stands {text.count(old)} times in {file}, not once")
            path.write_text(text.replace(old, new), encoding="utf-8")


STEP, FEED, RUN = "engine/step/", "engine/feed/", "engine/run/"

MUTATIONS = (
    Mutation(
        "a call starts before its claim is on disk",
        STEP + "dispatch.py",
        "            draft.claim(call, self._clock.now())\n",
        "            draft.claim(call, self._clock.now())\n            self.clear(call)\n",
        ((STEP + "coordinator.py", "                    self._dispatch.clear(call)\n", "                    pass\n"),),
    ),
    Mutation(
        "outcomes and counters in two transactions",
        STEP + "committer.py",
        "        self._store.submit(draft.checkpoint(",
        "        self._store.submit(replace(draft.checkpoint(counts), counts=None), lambda _: None)\n"
        "        self._store.submit(draft.checkpoint(",
    ),
    Mutation(
        "the end of a claim is committed before its outcomes",
        STEP + "committer.py",
        "        self._store.submit(draft.checkpoint(",
        "        early = draft.checkpoint(counts)\n"
        "        self._store.submit(replace(early, successes=(), records=(), attempts=(), counts=None), lambda _: None)\n"
        "        self._store.submit(draft.checkpoint(",
    ),
    Mutation(
        "progress is told before it is on disk",
        STEP + "coordinator.py",
        "            self._show(counts)\n",
        "            self._show(self._committer.counts)\n",
    ),
    Mutation("the lock is not released", RUN + "lifecycle.py", "        lease.release()\n", "        pass\n"),
    Mutation(
        "the lock is not taken",
        RUN + "lifecycle.py",
        "    lease = store.lease(run)\n",
        "    lease = store.lease(run)\n    lease.release()\n",
    ),
    Mutation(
        "what comes back stands behind what is ready",
        STEP + "window.py",
        "        insort_left(self.ready, piece, key=_first)\n",
        "        self.ready.append(piece)\n",
    ),
    Mutation(
        "positions are numbers of recording",
        STEP + "checkpoint_draft.py",
        "        indexes=units.indexes,\n",
        "        indexes=units.seqs,\n",
    ),
    Mutation(
        "the number of the attempt stays", "engine/unit/attempt.py", "Piece(self.number + 1,", "Piece(self.number,"
    ),
    Mutation(
        "the result of another unit",
        STEP + "checkpoint_draft.py",
        "        units = call.units.pick(done)\n",
        "        units = call.units.cut(0, count)\n",
    ),
    Mutation(
        "results of a call in reverse order",
        STEP + "checkpoint_draft.py",
        "        results=report.results,\n",
        "        results=report.results[::-1],\n",
    ),
    Mutation(
        "retries are given up too early",
        "retry.py",
        "attempt >= policy.max_attempts",
        "attempt + 1 >= policy.max_attempts",
    ),
    Mutation("one attempt too many", "retry.py", "attempt >= policy.max_attempts", "attempt > policy.max_attempts"),
    Mutation(
        "retries do not wait",
        STEP + "settle.py",
        "self.window.wait(attempt.next(), self.clock.now() + delay_s)",
        "self.window.wait(attempt.next(), self.clock.now())",
    ),
    Mutation(
        "units that were given back are dropped",
        STEP + "settle.py",
        "        if report.returned:\n",
        "        if report.returned and not report.call:\n",
    ),
    Mutation(
        "units that were lost are dropped",
        STEP + "settle.py",
        "        self.window.give_back(attempt.next())\n        return []\n",
        "        return []\n",
    ),
    Mutation(
        "an interruption uses up an attempt",
        STEP + "settle.py",
        "self._record(out.attempt(offset, report).unused(), UnitStatus.INTERRUPTED)",
        "self._record(out.attempt(offset, report), UnitStatus.INTERRUPTED)",
    ),
    Mutation(
        "doubts are not counted",
        FEED + "in_doubt.py",
        "        doubts = unit.doubts + 1\n",
        "        doubts = unit.doubts\n",
    ),
    Mutation(
        "what failed in doubt is counted twice",
        STEP + "coordinator.py",
        "        if opening.failed:\n",
        "        self._committer.counts = self._committer.counts.add(failed=len(opening.failed))\n        if opening.failed:\n",
    ),
    Mutation(
        "failures are counted twice",
        STEP + "coordinator.py",
        "self._committer.counts.add(failed=len(failed), ",
        "self._committer.counts.add(failed=2 * len(failed), ",
    ),
    Mutation(
        "a claim does not end",
        STEP + "checkpoint_draft.py",
        "            self.rows.ended.append(call.id)\n",
        "            pass\n",
    ),
    Mutation(
        "claims that are given back do not end",
        STEP + "dispatch.py",
        "        draft.rows.ended.append(call.id)\n",
        "",
    ),
    Mutation(
        "calls start after a stop",
        STEP + "coordinator.py",
        "        if not self._window.stopped:\n            self._dispatch.hand_out(self._committer.counts)\n",
        "        self._dispatch.hand_out(self._committer.counts)\n",
        (
            (
                STEP + "coordinator.py",
                "            self._dispatch.withdraw(self._committer.draft)\n            self._desk.recall()",
                "            self._desk.recall()",
            ),
        ),
    ),
    Mutation(
        "nobody is woken when the disk is done",
        STEP + "committer.py",
        "            self._wake()\n",
        "            pass\n",
    ),
    Mutation(
        "the rate is not counted",
        STEP + "gates/rate.py",
        "        self.tokens -= count\n",
        "        self.tokens -= count / 2\n",
    ),
    Mutation(
        "what is gone from the source stays",
        FEED + "corrections.py",
        "        gone = self.store.sweep(self.step, below)\n",
        "        gone = 0\n",
    ),
    Mutation(
        "units that have moved stay where they were",
        FEED + "corrections.py",
        "        self._positions.append((record.seq, index))\n",
        "        pass\n",
    ),
    Mutation(
        "on_item_error is not recorded",
        STEP + "coordinator.py",
        "        draft.rows.handled.append(reaction.handled)\n",
        "",
    ),
    Mutation(
        "on_item_error runs before the failure is on disk",
        STEP + "settle.py",
        "            draft.failed.append(record)\n",
        "            self.early(record)\n",
        (
            (
                STEP + "settle.py",
                "    last_result: str | None = None\n",
                "    last_result: str | None = None\n    early: Callable[[UnitRecord], None] = print\n",
            ),
            (
                STEP + "coordinator.py",
                "        self._begin()\n",
                "        self._settler.early = lambda record: self._hook.add([record])\n        self._begin()\n",
            ),
        ),
    ),
    Mutation(
        "failed attempts are not recorded",
        STEP + "settle.py",
        "        draft.rows.attempts.append(\n",
        "        list[AttemptRecord]().append(\n",
    ),
    Mutation(
        "in strict order a retry that waits holds nothing",
        STEP + "window.py",
        "(self.strict and (self.waiting or self._overtaking()))",
        "(self.strict and self._overtaking())",
    ),
    Mutation(
        "in strict order what comes back is claimed beside what follows",
        STEP + "window.py",
        "(self.strict and (self.waiting or self._overtaking()))",
        "(self.strict and self.waiting)",
    ),
    Mutation(
        "in strict order failures do not wait for on_item_error",
        STEP + "coordinator.py",
        "        return self._brief.in_order and self._hook.unhandled > 0\n",
        "        return False\n",
    ),
    Mutation(
        "a failure does not stop a step that tolerates none",
        STEP + "gates/failures.py",
        "        if not settled.failed:\n            return None\n        return failure_with",
        "        if not settled.failed or settled.report:\n            return None\n        return failure_with",
        ((STEP + "settled_before.py", "    if not counts.failed or", "    if counts or"),),
    ),
    Mutation(
        "too many failures do not stop a step",
        STEP + "gates/failures.py",
        "        return counts.failed > threshold.count\n",
        "        return counts.failed > threshold.count + 2\n",
    ),
    Mutation(
        "what an earlier process had settled is not looked at",
        STEP + "settled_before.py",
        "    return next(iter(store.results(brief.number, 0, 1)), None)",
        "    return None",
    ),
    Mutation(
        "a failed unit of an earlier process is forgotten",
        STEP + "settled_before.py",
        "    if not counts.failed or",
        "    if counts or",
    ),
    Mutation(
        "values of units in doubt are not read again",
        FEED + "corrections.py",
        "        self._values.append((units.seqs[offset], value, members))\n",
        "",
    ),
    Mutation(
        "what is missing at its place is taken for new",
        FEED + "side_by_side.py",
        "    if beyond is None or not beyond.seqs:\n",
        "    if beyond is None or beyond.seqs:\n",
    ),
    Mutation(
        "a total that has shrunk is believed",
        FEED + "feed.py",
        "        if length is not None and length < counts.finished:\n",
        "        if length is None:\n",
    ),
    Mutation(
        "a retry goes by number where order counts",
        FEED + "retried_units.py",
        "if self._order.in_order else",
        "if not self._order.plan else",
    ),
    Mutation(
        "on_item_error takes no slot",
        STEP + "coordinator.py",
        "        self._hook.start(self._brief.slots - self._dispatch.occupied())\n",
        "        self._hook.start(self._brief.slots)\n",
    ),
    Mutation(
        "the first duplicate only is told apart",
        "items/keys/guard.py",
        '        number = self._copies.get(key, 0) + 1\n        while self._is_taken(name := f"{key}#{number}"):\n            number += 1\n',
        '        number = 1\n        name = f"{key}#{number}"\n',
    ),
    Mutation(
        "the step ends before its last checkpoint is on disk",
        STEP + "committer.py",
        "        return self.draft.empty and not self._under_way and not self._committed\n",
        "        return self.draft.empty\n",
    ),
    Mutation(
        "the end of a step is told before it is on disk",
        RUN + "step_run.py",
        '    """Put the end of a step on disk, then say so."""\n',
        '    sink.emit(StepFinished(record.name, record.status, record.counts, 0.0, "", record.batch))\n',
    ),
)


@dataclass(frozen=True)
class Caught:
    """What became of a mutation: the seed that is wrong, how many histories it took, what was wrong; or no seed."""

    mutation: Mutation
    seed: int | None
    said: str


def hunt(mutation: Mutation, histories: int) -> Caught:
    """Let histories happen over a source with the bug in it."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "src"
        shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        mutation.plant(source)
        command = [sys.executable, str(HERE / "simulate.py"), "--first", "1", "--histories", str(histories), "--brief"]
        environ = {**os.environ, "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
        ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    last = (ended.stdout.strip().splitlines() or [ended.stderr.strip()[-200:]])[-1]
    if ended.returncode == 0:
        return Caught(mutation, None, last)
    seed, _, said = last.removeprefix("seed ").partition(": ")
    return Caught(mutation, int(seed) if seed.isdigit() else -1, said)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of the names of mutations; all without one")
    parser.add_argument("--histories", type=int, default=5_000, help="how many a bug may survive")
    asked = parser.parse_args()
    chosen = [one for one in MUTATIONS if not asked.names or any(name in one.name for name in asked.names)]
    missed = 0
    print(f"{'planted bug':64} {'seed':>6}  what was wrong")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for caught in pool.map(lambda one: hunt(one, asked.histories), chosen):
            missed += caught.seed is None
            seed = "-" if caught.seed is None else str(caught.seed)
            print(f"{caught.mutation.name:64} {seed:>6}  {caught.said[:110]}", flush=True)
    print(f"{len(chosen)} bugs planted, {len(chosen) - missed} caught")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
