"""Python tasks that misbehave, each in a real worker: only the item that did it fails, and nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from python_workers import Workers

from batchwork import proctree
from batchwork.censor import Censor
from batchwork.errors import WorkerError
from batchwork.ports import PageQuery

EVIL = "from evil_tasks import go\nreturn go(item)"
Make = Callable[..., Workers]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Workers] = []

    def start(code: str = "return item", **options: Any) -> Workers:
        made.append(Workers(code, **options))
        return made[-1]

    yield start
    for workers in made:
        workers.executor.close()
        assert proctree.with_cookie(workers.cookie) == []


@pytest.fixture
def evil(make: Make, shared: Path) -> Make:
    return lambda **options: make(EVIL, told={"path": [str(shared / "faultkit")]}, **options)


def among(kind: str, neighbours: int = 6) -> list[Any]:
    """One misbehaving item in the middle of good ones."""
    items: list[Any] = [{"i": number, "k": None} for number in range(neighbours)]
    items.insert(3, {"i": 99, "k": kind})
    return items


# ---------------------------------------------------------------- what an item does to itself


@pytest.mark.fault("A13", "D01", "D02", "D03", "D05", "E05", "E06")
@pytest.mark.parametrize(
    ("kind", "failure", "message"),
    [
        ("exit0", "worker died", "ended with exit code 0"),
        ("segv", "worker died", "killed by SIGSEGV"),
        ("abort", "worker died", "killed by SIGABRT"),
        ("kill9", "worker died", "killed by SIGKILL (out of memory?)"),
        ("sysexit", "SystemExit", "sys.exit(3)"),
        ("kbd", "KeyboardInterrupt", "without a message"),
        ("baseexc", "BaseException", "base"),
        ("excgroup", "ExceptionGroup", "ValueError: a; TypeError: b"),
        ("badrepr", "X", "cannot be shown"),
        ("hugeexc", "ValueError", "eeee"),
        ("unpicklable_exc", "Y", "1"),
        ("nonjson", "result", "set at $"),
        ("nan", "result", "nan at $"),
        ("inf", "result", "inf at $[0]"),
        ("gen", "result", "generator at $"),
        ("infgen", "result", "itertools.count at $"),
        ("bytes", "result", "bytes at $"),
        ("bigint", "result", "more than 4300 digits"),
        ("cycle", "result", "contains itself"),
        ("deep", "result", "too deep"),
        ("intkeys", "result", 'both "1"'),
        ("big", "result", "result too large"),
    ],
)
@pytest.mark.promise("10.07")
def test_only_the_item_that_did_it_fails(evil: Make, kind: str, failure: str, message: str) -> None:
    workers = evil()
    ends = workers.run(among(kind))
    assert set(ends.failures) == {3}
    assert ends.failures[3].type == failure
    assert message in ends.failures[3].message
    assert len(ends.failures[3].message) < 20_000
    assert {number: json.loads(text)["i"] for number, text in ends.results.items()} == {
        0: 0,
        1: 1,
        2: 2,
        4: 3,
        5: 4,
        6: 5,
    }
    assert ends.failures[3].retryable == (failure != "result")


@pytest.mark.parametrize(
    ("kind", "result"),
    [
        ("fakeframe", "real"),
        ("closefds", "closed"),
        ("threads", "left 50 threads"),
        ("surrogate", "\udcff"),
        ("nul", "a\0b"),
        ("dt", ["2026-01-01T00:00:00", "1.10"]),
        ("chdir", "changed process state"),
    ],
)
def test_odd_items_succeed_and_do_no_harm(evil: Make, kind: str, result: Any) -> None:
    ends = evil().run(among(kind))
    assert not ends.failures
    assert json.loads(ends.results[3]) == result
    assert len(ends.results) == 7


@pytest.mark.fault("D06")
@pytest.mark.parametrize("kind", ["hang", "spin", "gilhang", "ignoreterm"])
def test_an_item_that_does_not_end_is_killed_when_its_time_is_up(evil: Make, kind: str) -> None:
    began = time.monotonic()
    ends = evil(timeout_s=1.0).run(among(kind))
    assert {number: failure.type for number, failure in ends.failures.items()} == {3: "timeout"}
    assert ends.failures[3].message.startswith("took longer than 1 s")
    assert 1_000_000 <= ends.durations_us[3] < 20_000_000
    assert len(ends.results) == 6
    assert time.monotonic() - began < 30


@pytest.mark.promise("5.39")
def test_a_daemon_lives_on_until_its_worker_ends(evil: Make) -> None:
    workers = evil()
    ends = workers.run(among("daemon"))
    assert json.loads(ends.results[3]) == "left a daemon"
    assert len(ends.results) == 7
    children = {process.pid for process in psutil.Process().children(recursive=True)}
    assert len(children & set(proctree.with_cookie(workers.cookie))) == 2
    workers.executor.close()
    assert proctree.with_cookie(workers.cookie) == []


STARTS = """
import os, subprocess
child = subprocess.Popen(["sleep", "600"], start_new_session=True)
open(item["pid"], "w").write(str(child.pid))
"""


@pytest.mark.parametrize(
    ("end", "lives"),
    [
        ("", True),
        ("raise ValueError", False),
        ("return {1, 2}", False),
        ("import sys; sys.exit(1)", False),
        ("os._exit(1)", False),
        ("os.kill(os.getpid(), 15)", False),
        ("import time; time.sleep(60)", False),
    ],
    ids=["succeeds", "raises", "gives no JSON", "exits", "dies", "is killed", "takes too long"],
)
@pytest.mark.promise("5.39")
def test_what_an_item_started_ends_when_it_fails(make: Make, tmp_path: Path, end: str, lives: bool) -> None:
    pid = tmp_path / "pid"
    workers = make(f"if item:{STARTS.replace(chr(10), chr(10) + ' ')}{end}\nreturn 1", timeout_s=2.0)
    ends = workers.run([None, {"pid": str(pid)}, None])
    assert (set(ends.failures) == set()) == lives
    assert (proctree.look(int(pid.read_text())) is not None) == lives
    if end.startswith(("raise", "return")):
        assert "1 process that it had started ended with it: sleep" in ends.logs[1]


def test_a_failure_ends_nothing_that_others_started(make: Make, tmp_path: Path) -> None:
    first = tmp_path / "first"
    code = f"if item:{STARTS.replace(chr(10), chr(10) + ' ')}return 1\nraise ValueError"
    ends = make(code).run([{"pid": str(first)}, None, None])
    assert set(ends.failures) == {1, 2}
    assert proctree.look(int(first.read_text())) is not None


POOL = """
from concurrent.futures import ProcessPoolExecutor
pool = ProcessPoolExecutor(2)
"""


def test_processes_of_setup_serve_all_items(make: Make) -> None:
    told = {"setup": POOL, "setup_line": 3}
    code = """
import subprocess
found = list(pool.map(abs, [-item, -10 * item]))
if item == 2:
    child = pool.submit(subprocess.Popen, ["sleep", "600"])
    raise ValueError
return found
"""
    ends = make(code, told=told).run([1, 2, 3, 4])
    assert set(ends.failures) == {1}
    assert ends.results == {number: f"[{number + 1},{10 * (number + 1)}]" for number in (0, 2, 3)}


@pytest.mark.fault("E01")
@pytest.mark.promise("10.12")
def test_a_gibibyte_of_output_costs_little_memory(evil: Make) -> None:
    before = psutil.Process().memory_info().rss
    workers = evil()
    ends = workers.run(among("spam1g"))
    assert not ends.failures
    assert "1,072,693,248 bytes left out" in ends.logs[3]
    assert len(ends.logs[3]) < 1_100_000
    assert psutil.Process().memory_info().rss - before < 64 << 20


def test_a_worker_that_writes_into_our_pipe_is_not_trusted(make: Make) -> None:
    code = """
if item == "forge":
    import os, time
    for fd in range(3, 2000):
        try:
            os.write(fd, b"\\x00\\x00\\x00\\x05Oxxxx")
        except OSError:
            pass
    time.sleep(600)
return item
"""
    ends = make(code, timeout_s=20.0).run(["a", "b", "forge", "c"], size=1)
    assert ends.failures[2].type == "worker died"
    assert ends.results == {0: '"a"', 1: '"b"', 3: '"c"'}


# ---------------------------------------------------------------- deaths


def test_outcomes_before_a_death_are_not_lost_and_nothing_runs_twice(make: Make, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    code = f"""
import os
fd = os.open({str(ledger)!r}, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600)
os.write(fd, b"%d\\n" % item)
os.close(fd)
if item % 50 == 49:
    print("last words of", item)
    os._exit(1)
if item % 50 == 3:
    print("hello from", item)
if item % 50 == 4:
    raise ValueError("as told")
return item
"""
    ends = make(code, slots=2).run(list(range(400)), size=100)
    ran = list(map(int, ledger.read_text().split()))
    assert sorted(ran) == list(range(400))
    assert {number for number, failure in ends.failures.items() if failure.type == "worker died"} == set(
        range(49, 400, 50)
    )
    assert {number for number, failure in ends.failures.items() if failure.type == "ValueError"} == set(
        range(4, 400, 50)
    )
    assert ends.logs[3] == "hello from 3\n"
    assert ends.logs[49] == "last words of 49\n"
    assert len(ends.results) == 400 - 16


def test_what_a_dead_worker_started_is_gone(make: Make, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code = f"""
import os, subprocess
child = subprocess.Popen(["sleep", "600"], start_new_session=True)
open({str(pid)!r}, "w").write(str(child.pid))
os._exit(9)
"""
    workers = make(code)
    ends = workers.run([1])
    assert ends.failures[0].message == "ended with exit code 9"
    assert proctree.look(int(pid.read_text())) is None


@pytest.mark.fault("D03")
def test_a_worker_killed_from_outside_costs_only_what_it_ran(make: Make) -> None:
    workers = make("import time; time.sleep(0.002); return item", slots=2)
    workers.submit(list(range(100)), lane=0)
    workers.submit(list(range(100, 200)), list(range(100, 200)), lane=1)
    workers.wait(lambda: len(proctree.with_cookie(workers.cookie)) == 2, "two workers")
    workers.wait(lambda: len(workers.ends.results) > 1 or workers.poll(0), "something done")
    victim = proctree.with_cookie(workers.cookie)[0]
    os.kill(victim, signal.SIGKILL)
    workers.wait(workers.idle)
    assert len(workers.ends.failures) <= 1
    assert len(workers.ends.results) + len(workers.ends.failures) + len(workers.ends.returned) == 200


def test_a_forked_child_that_comes_back_does_not_run_on(make: Make, tmp_path: Path) -> None:
    ends = make("import os\nif item == 1: os.fork()\nreturn [item, item]").run([0, 1, 2, 3])
    assert ends.results == {number: f"[{number},{number}]" for number in range(4)}


@pytest.mark.fault("D03")
@pytest.mark.parametrize(
    "name", ["TERM", "HUP", "KILL", "ALRM", "USR1", "USR2", "QUIT", "VTALRM", "PROF", "XCPU", "IO", "BUS", "FPE", "SYS"]
)
@pytest.mark.promise("10.07")
def test_any_signal_that_ends_a_worker_fails_what_it_ran(make: Make, name: str) -> None:
    code = f"import os, signal, time\nif item == 2: os.kill(os.getpid(), signal.SIG{name}); time.sleep(60)\nreturn item"
    ends = make(code).run([0, 1, 2, 3])
    assert {number: failure.type for number, failure in ends.failures.items()} == {2: "worker died"}
    assert ends.failures[2].message.startswith(f"killed by SIG{name}")
    assert ends.failures[2].exit_code is None
    assert (ends.cancelled, set(ends.results)) == ([], {0, 1, 3})


@pytest.mark.parametrize("name", ["INT", "PIPE", "CHLD", "WINCH", "CONT", "URG"])
def test_other_signals_cost_nothing(make: Make, name: str) -> None:
    code = f"import os, signal\nif item == 2: os.kill(os.getpid(), signal.SIG{name})\nreturn item"
    ends = make(code).run([0, 1, 2, 3])
    assert (ends.failures, set(ends.results)) == ({}, {0, 1, 2, 3})


def test_a_signal_from_outside_between_two_items_costs_nothing(make: Make) -> None:
    workers = make()
    workers.submit([1])
    workers.wait(workers.idle)
    (victim,) = proctree.with_cookie(workers.cookie)
    os.kill(victim, signal.SIGTERM)
    workers.wait(lambda: not any(workers.executor.ready()), "the end of the worker")
    workers.submit([2], [1])
    workers.wait(workers.idle)
    assert workers.ends.results == {0: "1", 1: "2"}


# ---------------------------------------------------------------- stopping


@pytest.mark.parametrize(
    ("ends", "last"),
    [((1, False), 1), ((2, False), 3), ((3, False), 4), ((1, True), 4), ((2, True), None), ((None, False), None)],
    ids=str,
)
def test_a_call_ends_after_so_many_failures(make: Make, ends: tuple[int | None, bool], last: int | None) -> None:
    workers = make("if item: return {1} if item > 1 else 1 / 0")
    items = [0, 1, 0, 1, 2, 0, 0]
    workers.submit(items, ends=ends)
    workers.wait(workers.idle)
    started = range(len(items) if last is None else last + 1)
    assert sorted(workers.ends.returned) == sorted(set(range(len(items))) - set(started))
    assert set(workers.ends.failures) == {1, 3, 4} & set(started)


def test_a_call_that_came_before_a_failure_was_known_is_handed_back(make: Make) -> None:
    workers = make("return 1 / item")
    workers.submit([1, 0, 2, 3], ends=(1, False))
    workers.submit([4, 5], [10, 11], ends=(1, False))
    workers.wait(workers.idle)
    assert set(workers.ends.failures) == {1}
    assert set(workers.ends.results) == {0}
    assert sorted(workers.ends.returned) == [2, 3, 10, 11]
    workers.submit([4], [12])
    workers.wait(workers.idle)
    assert set(workers.ends.results) == {0, 12}


def test_slow_items_are_handed_back_after_a_moment(make: Make) -> None:
    workers = make("import time; time.sleep(0.06); return item")
    workers.submit(list(range(50)))
    workers.wait(workers.idle)
    assert list(workers.ends.results) == [0]
    assert sorted(workers.ends.returned) == list(range(1, 50))


SLOW = """
import os, time
with open(item["ran"], "a") as ran:
    ran.write("%d\\n" % item["n"])
if item["n"] % 3 == 1:
    print("said by", item["n"])
if item["n"] == 4:
    raise ValueError("as told")
while item["n"] == 7 and not os.path.exists(item["go"]):
    time.sleep(0.01)
return item["n"]
"""


@pytest.mark.parametrize("slots", [1, 2])
@pytest.mark.parametrize("queued", [False, True], ids=["alone", "a call behind it"])
@pytest.mark.promise("10.11")
def test_what_is_done_beside_a_slow_item_is_told_and_the_rest_goes_back(
    make: Make, tmp_path: Path, slots: int, queued: bool
) -> None:
    """With several workers. One that is alone keeps the rest, which nobody else could do."""
    go, ran = tmp_path / "go", tmp_path / "ran"
    items = [{"n": n, "ran": str(ran), "go": str(go)} for n in range(20)]
    workers = make(SLOW, slots=slots)
    workers.submit(items[:15])
    if queued:
        workers.submit(items[15:], list(range(15, 20)))
    back = [*range(8, 20 if queued else 15)] if slots > 1 else []
    workers.wait(lambda: len(workers.ends.results) == 6 and len(workers.ends.returned) == len(back))
    assert sorted(workers.ends.returned) == back
    assert set(workers.ends.failures) == {4}
    assert workers.ends.logs == {1: "said by 1\n", 4: "said by 4\n"}
    assert workers.executor.ready()[0] is (slots == 1)
    workers.wait(workers.executor.running, "longer than a call takes")
    go.touch()
    workers.wait(workers.idle)
    workers.wait(lambda: workers.executor.ready()[0], "the worker takes calls again")
    assert workers.ends.logs[7] == "said by 7\n"
    assert sorted(workers.ends.returned) == (back or [*range(8, 15)])  # one that is alone gives it back at the end
    left = {*range(20 if queued else 15)} - {*workers.ends.returned}
    assert sorted(map(int, ran.read_text().split())) == sorted(left)
    workers.ends.returned.clear()
    workers.submit(items[8:15], list(range(8, 15)))  # "reported twice" is looked for by `Workers`
    workers.wait(workers.idle)


def test_a_worker_that_dies_on_a_slow_item_costs_that_one(make: Make, tmp_path: Path) -> None:
    go, ran = tmp_path / "go", tmp_path / "ran"
    workers = make(SLOW, slots=2)
    workers.submit([{"n": n, "ran": str(ran), "go": str(go)} for n in range(10)])
    workers.wait(lambda: len(workers.ends.returned) == 2)
    (victim,) = proctree.with_cookie(workers.cookie)
    os.kill(victim, signal.SIGKILL)
    workers.wait(workers.idle)
    assert {number: failure.type for number, failure in workers.ends.failures.items()} == {
        4: "ValueError",
        7: "worker died",
    }
    assert (sorted(workers.ends.results), workers.ends.returned) == ([0, 1, 2, 3, 5, 6], [8, 9])


def test_items_that_are_slow_now_and_then_run_once_each(make: Make, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    code = f"""
import os, time
fd = os.open({str(ran)!r}, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600)
os.write(fd, b"%d\\n" % item)
os.close(fd)
time.sleep([0, 0, 0, 0.001, 0.039, 0.042, 0.045, 0.08][item * 7919 % 97 % 8] if item % 5 == 0 else 0)
return item
"""
    ends = make(code, slots=3).run(list(range(600)), size=40)
    assert sorted(map(int, ran.read_text().split())) == list(range(600))
    assert ends.results == {number: str(number) for number in range(600)}


def test_sigterm_lets_the_author_tidy_up(make: Make, tmp_path: Path) -> None:
    here, tidy = tmp_path / "here", tmp_path / "tidy"
    code = f"""
import time
try:
    open({str(here)!r}, "w").close()
    time.sleep(600)
finally:
    open({str(tidy)!r}, "w").close()
"""
    workers = make(code, grace_s=20.0)
    workers.submit([1, 2])
    workers.wait(here.exists)
    workers.executor.cancel()
    workers.wait(workers.idle)
    assert (workers.ends.cancelled, workers.ends.returned) == ([0], [1])
    assert tidy.exists()


def test_who_ignores_sigterm_is_killed_after_the_grace(evil: Make) -> None:
    workers = evil(grace_s=0.5)
    workers.submit([{"i": 1, "k": "ignoreterm"}])
    workers.wait(lambda: workers.executor.load() == [1] and all(workers.executor.ready()), "the worker")
    workers.poll(0.3)
    workers.executor.cancel()
    workers.wait(workers.idle)
    assert workers.ends.cancelled == [0] or workers.ends.returned == [0]


@pytest.mark.fault("C15")
@pytest.mark.promise("10.09")
def test_when_the_coordinator_is_killed_its_workers_and_their_children_end(
    tmp_path: Path, shared: Path, wait_for: Any
) -> None:
    pid = tmp_path / "pid"
    script = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from python_workers import Workers
code = '''
import subprocess, time
child = subprocess.Popen(["sleep", "600"], start_new_session=True)
open({str(pid)!r}, "w").write(str(child.pid))
time.sleep(600)
'''
workers = Workers(code, cookie="orphans-{os.getpid()}")
workers.submit([1])
while True:
    workers.poll(1)
"""
    coordinator = subprocess.Popen([sys.executable, "-c", script])
    wait_for(lambda: pid.exists() and pid.read_text())
    cookie = f"orphans-{os.getpid()}"
    assert len(proctree.with_cookie(cookie)) == 2
    coordinator.kill()
    coordinator.wait()
    wait_for(lambda: not proctree.with_cookie(cookie), "the end of all", within_s=10)


# ---------------------------------------------------------------- starting


@pytest.mark.fault("D14")
@pytest.mark.parametrize(
    ("told", "message"),
    [
        (
            {"interpreter": "/nope/python"},
            "cannot start a Python worker with `/nope/python`: No such file or directory",
        ),
        ({"interpreter": "/bin/false"}, "`/bin/false` ended before it was ready: ended with exit code 1"),
        ({"setup": "x = 1\nraise ValueError('boom')", "setup_line": 5}, "ValueError: boom (flow.yaml:6)"),
        (
            {"setup": "import nowhere_to_be_found", "setup_line": 5},
            "No module named 'nowhere_to_be_found' (flow.yaml:5)",
        ),
        ({"setup": "import sys; sys.exit(4)", "setup_line": 5}, "the code called sys.exit(4) (flow.yaml:5)"),
        ({"code": "a = 1\nb = (\n"}, "SyntaxError"),
        ({"kind": "function", "function": "nowhere_to_be_found:f"}, "No module named 'nowhere_to_be_found'"),
        ({"kind": "function", "function": "json:dmups"}, "has no `dmups`; did you mean dumps"),
    ],
)
def test_a_worker_that_cannot_be_prepared_is_one_clear_error(make: Make, told: dict[str, Any], message: str) -> None:
    workers = make(told=told, slots=4)
    with pytest.raises(WorkerError) as caught:
        workers.run([1, 2, 3, 4], size=1)
    assert message in caught.value.message
    assert "Traceback" not in caught.value.message


@pytest.mark.fault("D13")
def test_an_error_in_a_module_names_its_file_and_line(make: Make, tmp_path: Path) -> None:
    (tmp_path / "bad_module.py").write_text("x = 1\ny = x +\n")
    workers = make(told={"kind": "function", "function": "bad_module:f", "path": [str(tmp_path)]})
    with pytest.raises(WorkerError) as caught:
        workers.run([1])
    assert f"({tmp_path}/bad_module.py:2)" in caught.value.message or "bad_module.py, line 2" in caught.value.message


def test_starting_is_tried_again_while_the_system_has_no_processes(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from batchwork import faults

    monkeypatch.setattr(faults, "_armed", faults._parse(",".join(f"spawn:EAGAIN@{n}" for n in range(1, 6))))
    faults._hits.clear()
    assert make().run([1]).results == {0: "1"}
    assert faults._hits["spawn"] == 6


# ---------------------------------------------------------------- surroundings


@pytest.mark.promise("5.08")
def test_an_old_python_without_batchwork_can_be_a_worker(make: Make) -> None:
    candidates = sorted(Path.home().glob(".pyenv/versions/3.8*/bin/python"))
    if not candidates:
        pytest.skip("there is no Python 3.8 here")
    told = {"interpreter": str(candidates[0]), "setup": "import sys", "setup_line": 1}
    code = "if item == 1: raise ValueError('x')\nreturn [item, sys.version_info[:2]]"
    ends = make(code, told=told).run([0, 1, 2])
    assert ends.results == {0: "[0,[3,8]]", 2: "[2,[3,8]]"}
    assert 'File "flow.yaml", line 10' in ends.failures[1].traceback
    assert "if item == 1: raise ValueError" in ends.failures[1].traceback


def test_a_file_named_like_a_module_of_the_library_does_no_harm(make: Make, tmp_path: Path) -> None:
    for name in ("json", "signal", "struct", "traceback"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('the wrong one')\n")
    ends = make(cwd=str(tmp_path), told={"path": [str(tmp_path / "flows")]}).run([1])
    assert ends.results == {0: "1"}


@pytest.mark.promise("5.34")
def test_output_of_every_kind_belongs_to_its_item(make: Make) -> None:
    code = """
import os, subprocess, sys
if item == 1:
    print("out €")
    print("err", file=sys.stderr)
    sys.stdout.flush()
    os.write(1, b"raw \\xff\\n")
    subprocess.run(["sh", "-c", "echo from a child"])
    import ctypes
    ctypes.CDLL(None).puts(b"from C")
return item
"""
    ends = make(code).run([0, 1, 2])
    assert set(ends.logs) == {1}
    for part in ("out €\n", "err\n", "raw \ufffd\n", "from a child\n", "from C\n"):
        assert part in ends.logs[1]


def test_secrets_are_masked_in_logs_results_and_failures(make: Make) -> None:
    code = """
print("log hush")
if item == 1:
    raise ValueError("because of hush")
if item == 2:
    import os; os._exit(1)
return {"hush": ["hush", 1, {"a": "x hush y"}]}
"""
    workers = make(code)
    workers.censor = Censor(["WORD"], {"WORD": "hush"})
    ends = workers.run([0, 1, 2])
    seen = json.dumps([ends.results, ends.logs, [(f.message, f.traceback) for f in ends.failures.values()]])
    assert "because of ***" in seen
    assert "hush" not in seen.replace('print(\\"log hush', "")
    assert json.loads(ends.results[0]) == {"***": ["***", 1, {"a": "x *** y"}]}


CHANGES = {
    "cwd": ("os.chdir('/')", "os.getcwd()"),
    "cwd by descriptor": ("os.fchdir(os.open('/', 0))", "os.getcwd()"),
    "umask": ("os.umask(0o007)", "look()"),
    "a new variable": ("os.environ['NEW'] = '1'", "[os.environ.get('NEW'), os.getenv('NEW')]"),
    "another value": ("os.environ['OLD'] = 'changed'", "[os.environ['OLD'], os.popen('echo $OLD').read()]"),
    "a variable less": ("del os.environ['OLD']", "os.environ.get('OLD')"),
    "by putenv": ("os.putenv('OLD', 'changed')", "os.popen('echo $OLD').read()"),
    "no variables": ("os.environ.clear()", "sorted(os.environ)"),
}


@pytest.mark.parametrize("fails", [False, True], ids=["succeeds", "fails"])
@pytest.mark.parametrize("what", CHANGES)
def test_an_item_finds_things_as_they_were_before_another_changed_them(make: Make, what: str, fails: bool) -> None:
    change, look = CHANGES[what]
    then = "raise ValueError" if fails else "return None"
    code = f"import os\nif item:\n {change}\n {then}\nreturn {look}"
    told = {"setup": "def look():\n import os\n mask = os.umask(0); os.umask(mask)\n return mask\n", "setup_line": 1}
    ends = make(code, told=told, environ={**os.environ, "OLD": "as it was"}).run([0, 1, 0, 1, 1, 0])
    assert {1, 3, 4} == set(ends.failures if fails else ends.results) - {0, 2, 5}
    assert ends.results[0] == ends.results[2] == ends.results[5]


def test_what_setup_changed_stays(make: Make) -> None:
    told = {"setup": "import os\nos.chdir('/')\nos.umask(0o007)\nos.environ['SET'] = 'up'\n", "setup_line": 1}
    code = "import os\nmask = os.umask(0); os.umask(mask)\nreturn [os.getcwd(), mask, os.environ['SET']]"
    assert set(make(code, told=told).run([1, 2, 3]).results.values()) == {'["/",7,"up"]'}


def test_pages_of_earlier_results_are_asked_for_while_calls_wait(make: Make) -> None:
    asked: list[PageQuery] = []

    def pages(query: PageQuery) -> str:
        asked.append(query)
        return json.dumps(list(range(query.start, query.start + query.count)))

    told = {"fixed": {"users": {"sequence": {"step": "u", "counts": {}, "duration": 1.0, "length": 2500}}}}
    workers = make("return users[item] + sum(users)", told=told, pages=pages)
    workers.submit([0])
    workers.submit([1], [1])
    workers.wait(workers.idle)
    total = sum(range(2500))
    assert workers.ends.results == {0: str(total), 1: str(total + 1)}
    assert {query.step for query in asked} == {"u"}


def test_the_environment_of_tasks_has_no_marks_of_ours_but_its_children_do(make: Make) -> None:
    code = "return [[n for n in env if n.startswith('BATCHWORK_COO')], env.get('HOME')]"
    told = {"fixed": {"env": {"env": None}}}
    ends = make(code, told=told, environ={**os.environ, "HOME": "/somewhere"}).run([0])
    assert json.loads(ends.results[0]) == [[], "/somewhere"]


@pytest.mark.promise("5.06")
def test_setup_runs_once_in_each_worker(make: Make) -> None:
    told = {"setup": "calls = []\nprint('setting up')", "setup_line": 1}
    ends = make("calls.append(item)\nreturn len(calls)", told=told).run(list(range(5)))
    assert [ends.results[number] for number in range(5)] == ["1", "2", "3", "4", "5"]
    assert not ends.logs


@pytest.mark.fault("D15")
def test_eight_that_sleep_do_so_at_the_same_time(make: Make) -> None:
    code = "import time; began = time.monotonic(); time.sleep(0.5); return [began, time.monotonic()]"
    ends = make(code, slots=8).run(list(range(8)), size=1)
    spans = [json.loads(text) for text in ends.results.values()]
    at_once = max(sum(start <= point <= end for start, end in spans) for point, _ in spans)
    assert at_once >= 4


@pytest.mark.fault("D11")
def test_a_retry_after_a_death_gets_a_new_worker(
    batchwork: Callable[..., subprocess.CompletedProcess[str]], work: Path
) -> None:
    (work / "flow.yaml").write_text(
        """
steps:
  - name: work
    task: batch
    inputs:
      items: [1, 2, 3]
      max_parallel: 2
      retry: {max_attempts: 3}
      continue_on_error: true
      task:
        type: python
        code: |
          import os
          if item == 2 and attempt == 1 or item == 3:
              os._exit(7)
          return attempt
"""
    )
    batchwork("run", "flow.yaml", "--json", expect=3)
    items = [json.loads(line) for line in batchwork("items", "--json").stdout.splitlines()]
    assert [(each["status"], each["result"], each["attempts"]) for each in items] == [
        ("succeeded", 1, 1),
        ("succeeded", 2, 2),
        ("failed", None, 2),
    ]
    assert items[2]["error"]["message"] == "ended with exit code 7"


@pytest.mark.fault("A11")
def test_time_in_which_all_stood_still_does_not_count(make: Make, tmp_path: Path, wait_for: Any) -> None:
    """As after Ctrl-Z and fg: this process and its workers are stopped for longer than the time limit, then go on."""
    script = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from python_workers import Workers
workers = Workers("import time; open(item, 'w').close(); time.sleep(1.2); return 'done'", timeout_s=2.0, cookie="{os.getpid()}z")
workers.submit([{str(tmp_path / "here")!r}])
workers.wait(workers.idle)
print(workers.ends.results, workers.ends.failures)
workers.executor.close()
"""
    main = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    wait_for((tmp_path / "here").exists)
    stopped = [main.pid, *proctree.with_cookie(f"{os.getpid()}z")]
    proctree.kill(stopped, signal.SIGSTOP)
    time.sleep(3)  # what is tested is that this passes unnoticed
    proctree.kill(stopped, signal.SIGCONT)
    assert main.communicate(timeout=30)[0] == "{0: '\"done\"'} {}\n"


def test_outcomes_are_not_lost_when_another_worker_cannot_be_prepared(make: Make, tmp_path: Path) -> None:
    setup = f"import os\nos.mkdir({str(tmp_path / 'once')!r})"
    workers = make(told={"setup": setup, "setup_line": 1}, slots=2)
    workers.submit([1])
    workers.wait(lambda: workers.executor.ready()[0], "the first worker")
    workers.submit([2], [1], lane=1)
    with pytest.raises(WorkerError, match="FileExistsError"):
        workers.wait(lambda: False)
    assert workers.ends.results == {0: "1"} and workers.ends.returned == [1]
