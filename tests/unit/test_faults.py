"""Fault points: they are counted in one run and hit in another."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HITS = "from batchwork.faults import fault\nfor n in range(5):\n    fault('here')\n    print(n)\n"


def run(fault: str, work: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environ = {"BATCHWORK_FAULT": fault, "BATCHWORK_FAULT_HITS": str(work / "hits"), **more}
    return subprocess.run([sys.executable, "-c", HITS], env=environ, capture_output=True, text=True, check=False)


def test_the_last_hit_is_found_by_counting(work: Path) -> None:
    counted = run("here:count,there:count", work, BATCHWORK_TESTING="1")
    hits = (work / "hits").read_text().splitlines()
    assert (counted.returncode, [hit.split()[0] for hit in hits]) == (0, ["here"] * 5)
    assert run("here:raise@last", work, BATCHWORK_TESTING="1").stdout.split() == ["0", "1", "2", "3"]


def test_without_a_count_last_never_comes_and_says_so(work: Path) -> None:
    whole = run("here:kill9@last", work, BATCHWORK_TESTING="1")
    assert whole.returncode == 0
    assert "`@last` never comes: count first, with `here:count`" in whole.stderr


def test_any_other_word_is_refused(work: Path) -> None:
    refused = run("here:kill9@first", work, BATCHWORK_TESTING="1")
    assert refused.returncode == 1
    assert "`@first` is neither a number nor `last`" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_nothing_happens_but_in_tests(work: Path) -> None:
    assert run("here:kill9@last", work).returncode == 0
