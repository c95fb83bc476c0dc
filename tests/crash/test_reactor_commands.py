"""Commands that misbehave, and what is done to them: real processes, real signals, nothing left behind."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from reactors import Reactor, sh

from batchwork import proctree
from batchwork.errors import WorkerError

SHELL = {"kind": "shell", "capture_limit": 1 << 20}
FOREVER = "sleep 600"


@pytest.fixture
def made() -> Iterator[list[Reactor]]:
    reactors: list[Reactor] = []
    yield reactors
    for reactor in reactors:
        reactor.executor.close()
        assert proctree.with_cookie(reactor.cookie) == []


@pytest.fixture
def reactor(made: list[Reactor]) -> Reactor:
    made.append(Reactor(SHELL))
    return made[-1]


def living(reactor: Reactor) -> set[int]:
    """All that the reactor started and that still lives."""
    return set(proctree.with_cookie(reactor.cookie)) - {reactor.pid}


def own_sessions(reactor: Reactor) -> bool:
    """Whether nothing that it started is in its session or in ours."""
    sessions = {process.session for pid in living(reactor) if (process := proctree.look(pid)) is not None}
    return sessions.isdisjoint({os.getsid(0), os.getsid(reactor.pid)})


# ---------------------------------------------------------------- ends


@pytest.mark.fault("C12")
def test_commands_end_as_they_end(reactor: Reactor) -> None:
    codes = [1, 2, 126, 127, 143, 255]
    ends = reactor.run([
        *(sh(f"echo out; echo err >&2; exit {code}") for code in codes),
        sh("kill -SEGV $$"),
        sh("kill -KILL $$"),
        sh("kill -TERM 0; sleep 5"),
        sh("echo hi; echo there >&2"),
    ])  # fmt: skip
    for offset, code in enumerate(codes):
        failure = ends.failures[offset]
        assert (failure.type, failure.exit_code) == ("exit", code)
        assert failure.result == f'{{"stdout":"out\\n","stderr":"err\\n","exit_code":{code}}}'
        assert failure.retryable == (code not in {126, 127})
    assert [ends.failures[offset].message.split(":")[0] for offset in (6, 7, 8)] == [
        "killed by SIGSEGV",
        "killed by SIGKILL (out of memory?)",
        "killed by SIGTERM",
    ]
    assert {ends.failures[offset].type for offset in (6, 7, 8)} == {"signal"}
    assert ends.results == {9: {"stdout": "hi\n", "stderr": "there\n", "exit_code": 0}}


@pytest.mark.fault("C12", "C13")
def test_what_cannot_be_started_says_why_and_is_not_retried(reactor: Reactor, tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("no program")
    (tmp_path / "script").write_text("#!/nope/interpreter\n")
    (tmp_path / "bare").write_text("echo hi\n")
    for name in ("script", "bare"):
        (tmp_path / name).chmod(0o755)
    here = str(tmp_path)
    ends = reactor.run([
        {"argv": ["no-such-command-here"]},
        {"argv": ["./data.txt"], "cwd": here},
        {"argv": ["./script"], "cwd": here},
        {"argv": ["./bare"], "cwd": here},
        {"argv": [here]},
        sh("true", cwd="/nope"),
        sh("true", cwd=str(tmp_path / "data.txt")),
        {"argv": ["/bin/echo", "a\0b"]},
        {"argv": ["/bin/echo", "x" * 200_000]},
        sh("true", env={"A=B": "1"}),
        sh("true", env={"A": "\ud800"}),
        {"argv": ["cat"], "env": {"PATH": "/nope"}},
        {"argv": []},
        sh("pwd", cwd=here),
    ])  # fmt: skip
    expected = [
        "command not found: 'no-such-command-here'",
        "'./data.txt' is not executable",
        "'./script': the interpreter in its first line does not exist",
        "'./bare' is not a program",
        "is a directory",
        "working_dir '/nope': No such file or directory",
        "Not a directory",
        "null byte",
        "give long values by `stdin:`",
        "illegal environment variable name",
        "cannot be passed to a command",
        "command not found: 'cat' (PATH is '/nope')",
        "the command is empty",
    ]
    for offset, part in enumerate(expected):
        failure = ends.failures[offset]
        assert part in failure.message
        assert failure.type == "spawn" and not failure.retryable
    assert ends.results[13]["stdout"] == f"{here}\n"


@pytest.mark.promise("5.40")
def test_environment_directory_and_input(made: list[Reactor], tmp_path: Path) -> None:
    made.append(Reactor(SHELL, environ={"BASE": "b", "BOTH": "base"}, cwd=str(tmp_path)))
    text = "é€ " * 100_000
    ends = made[0].run([
        sh('printf "%s/%s/%s" "$BASE" "$BOTH" "$MINE"; pwd', env={"BOTH": "unit", "MINE": "é"}, cwd=str(tmp_path)),
        {"argv": ["cat"], "stdin": text},
        sh("true", stdin=text),
        sh("cat; echo end"),
        {"argv": ["sh", "-c", "kill -PIPE $$"]},
    ])  # fmt: skip
    assert ends.results[0]["stdout"] == f"b/unit/é{tmp_path}\n"
    assert ends.results[1]["stdout"].startswith("é€ é€ ")
    assert ends.results[2]["stdout"] == ""
    assert ends.results[3]["stdout"] == "end\n"
    assert ends.failures[4].type == "signal"  # SIGPIPE is not ignored in commands


# ---------------------------------------------------------------- outputs


@pytest.mark.fault("E01", "E02")
@pytest.mark.promise("5.01")
def test_output_of_any_size_is_kept_within_the_limit(made: list[Reactor]) -> None:
    made.append(Reactor({"kind": "shell", "capture_limit": 1000}))
    ends = made[0].run([
        sh("yes 0123456789 | head -c 268435456"),
        sh("head -c 134217728 /dev/zero | tr '\\0' x >&2"),
        sh("seq 100"),
    ])  # fmt: skip
    out = ends.results[0]["stdout"]
    assert out.startswith("0123456789\n") and "\n… 268434456 bytes left out …\n" in out and len(out) < 1100
    assert "… 134216728 bytes left out …" in ends.results[1]["stderr"]
    assert ends.results[2]["stdout"].split() == [str(number) for number in range(1, 101)]
    status = Path(f"/proc/{made[0].pid}/status").read_text()
    peak_kib = int(status.partition("VmHWM:")[2].split()[0])
    assert peak_kib < 64 << 10


@pytest.mark.fault("E03")
def test_bytes_of_any_kind_are_kept(reactor: Reactor) -> None:
    ends = reactor.run([
        sh(r"printf '\342\202'; sleep 0.05; printf '\254\n'"),
        sh(r"printf 'a\377\376\000b'"),
        sh("head -c 100000 /dev/urandom"),
        sh(r"printf '\033]0;owned\007'"),
        sh("exec 1>&- 2>&-; sleep 0.1; exit 3"),
    ])  # fmt: skip
    assert ends.results[0]["stdout"] == "€\n"
    assert ends.results[1]["stdout"] == "a\udcff\udcfe\x00b"
    assert ends.results[2]["exit_code"] == 0
    assert ends.results[3]["stdout"] == "\x1b]0;owned\x07"
    assert ends.failures[4].exit_code == 3


# ---------------------------------------------------------------- timeouts and leftovers


@pytest.mark.fault("C01", "C02", "C07")
@pytest.mark.promise("6.19", "10.08")
def test_a_timeout_ends_the_whole_tree(made: list[Reactor]) -> None:
    made.append(Reactor(SHELL, timeout_s=0.4, slots=16))
    scripts = [
        FOREVER,
        f"echo begun; {FOREVER} & {FOREVER}",
        f"setsid {FOREVER} >/dev/null 2>&1 & {FOREVER}",
        f"(setsid nohup {FOREVER} >/dev/null 2>&1 &); {FOREVER}",
        f"(env -i setsid {FOREVER} >/dev/null 2>&1 &); {FOREVER}",
        "kill -STOP $$",
        f"for i in $(seq 100); do (setsid {FOREVER} >/dev/null 2>&1 &); done; {FOREVER}",
        "trap '' TERM INT HUP; while :; do sleep 0.05; done",
        "trap 'sleep 0.2; echo saved; exit 0' TERM; sleep 600 & wait",
    ]
    ends = made[0].run([*map(sh, scripts), sh("echo fine")])
    assert ends.results[9]["stdout"] == "fine\n"
    for offset in range(len(scripts)):
        assert ends.failures[offset].type == "timeout"
        assert ends.failures[offset].message.startswith("timed out after 0.4 s")
        if offset not in {6, 7}:  # of a hundred that are being started, some may miss the first signal
            assert "SIGKILL" not in ends.failures[offset].message
    assert "SIGKILL after a grace of 2 s" in ends.failures[7].message
    assert ends.seconds[7] > 2.0
    assert '"begun\\n"' in (ends.failures[1].result or "")
    assert '"saved\\n"' in (ends.failures[8].result or "")
    assert living(made[0]) == set()
    assert proctree.descendants([made[0].pid]) == []  # those without the cookie, too


@pytest.mark.fault("C03")
@pytest.mark.parametrize(
    "script",
    [
        f"{FOREVER} & exit 0",
        f"setsid {FOREVER} >/dev/null 2>&1 & exit 0",
        f"(setsid nohup {FOREVER} >/dev/null 2>&1 &); exit 0",
        f"(env -i setsid {FOREVER} >/dev/null 2>&1 &); exit 0",
        "yes >&2 & exit 0",
    ],
)
def test_what_outlives_its_command_is_killed_and_noted(reactor: Reactor, script: str) -> None:
    ends = reactor.run([sh(f"echo done; {script}")])
    assert ends.results[0]["stdout"] == "done\n"
    assert ends.logs == {0: "left 1 process behind, killed\n"}
    assert ends.seconds[0] < 5.0
    assert proctree.descendants([reactor.pid]) == []


@pytest.mark.fault("C03")
def test_leftovers_are_assigned_to_the_command_that_left_them(reactor: Reactor) -> None:
    leaves = sh(f"(setsid {FOREVER} >/dev/null 2>&1 &)", env={"BATCHWORK_IDEMPOTENCY_KEY": "r/s/1"})
    slow = reactor.submit([sh("(sleep 0.5; echo late) & wait"), sh(f"(setsid {FOREVER} &) ; sleep 0.6; echo ok")])
    ends = reactor.run([leaves, sh("true")])
    assert ends.logs == {0: "left 1 process behind, killed\n"}
    assert len(slow) == 0 or slow.results  # a running command keeps what it has started
    reactor.finish()
    assert slow.results[0]["stdout"] == "late\n"
    assert slow.results[1]["stdout"] == "ok\n"
    assert slow.logs == {1: "left 1 process behind, killed\n"}


def test_output_of_what_ends_soon_after_its_command_is_kept(reactor: Reactor) -> None:
    ends = reactor.run([{"argv": ["bash", "-c", "echo through > >(sleep 0.02; cat)"]}])
    assert ends.results[0]["stdout"] == "through\n"
    assert ends.logs == {}


# ---------------------------------------------------------------- stopping


def test_recall_returns_what_has_not_started(made: list[Reactor]) -> None:
    made.append(Reactor(SHELL, slots=2))
    ends = made[0].submit([sh("sleep 0.3"), sh("sleep 0.3"), sh("true"), sh("true")])
    made[0].until(lambda: len(living(made[0])) >= 2)
    made[0].executor.recall()
    made[0].finish()
    assert (set(ends.results), ends.returned) == ({0, 1}, {2, 3})


def test_cancel_asks_first_and_then_kills(made: list[Reactor]) -> None:
    made.append(Reactor(SHELL, slots=3, grace_s=0.5))
    ends = made[0].submit([
        sh(f"setsid {FOREVER}"),
        sh(f"trap '' TERM; {FOREVER}"),
        sh(f"trap 'echo x > {os.devnull}; exit 0' TERM; {FOREVER} & wait"),
        sh("true"),
    ])  # fmt: skip
    made[0].until(lambda: len(living(made[0])) >= 5)
    started = time.monotonic()
    made[0].executor.cancel()
    made[0].finish()
    assert (ends.cancelled, ends.returned) == ({0, 1, 2}, {3})
    assert time.monotonic() - started > 0.5  # one of them had to be killed
    assert living(made[0]) == set()


def test_kill_ends_all_at_once_even_after_cancel(made: list[Reactor]) -> None:
    made.append(Reactor(SHELL, slots=3, grace_s=60.0))
    ends = made[0].submit([sh(f"trap '' TERM INT HUP; {FOREVER} & {FOREVER}")] * 3)
    made[0].until(lambda: len(living(made[0])) >= 6)
    made[0].executor.cancel()
    made[0].poll()
    made[0].executor.kill()
    made[0].finish()
    assert ends.cancelled == {0, 1, 2}
    assert living(made[0]) == set()


def test_close_leaves_no_process(made: list[Reactor]) -> None:
    made.append(Reactor(SHELL))
    made[0].submit([sh(f"(env -i setsid {FOREVER} &); {FOREVER}"), sh(f"trap '' TERM; {FOREVER} & {FOREVER}")])
    made[0].until(lambda: len(proctree.descendants([made[0].pid])) >= 5)
    all_of_it = proctree.descendants([made[0].pid])
    made[0].executor.close()
    assert [pid for pid in all_of_it if proctree.look(pid) is not None] == []
    made.clear()


@pytest.mark.parametrize(
    ("ends", "last"),
    [((1, False), 1), ((2, False), 3), ((3, False), 4), ((1, True), 4), ((2, True), None), ((None, False), None)],
    ids=str,
)
def test_a_call_ends_after_so_many_failures(
    made: list[Reactor], tmp_path: Path, ends: tuple[int | None, bool], last: int | None
) -> None:
    commands = ["true", "exit 1", "true", "exit 2", "exit 127", "true", "true"]
    made.append(Reactor(SHELL, slots=1))
    seen = made[0].run([sh(f"touch {tmp_path}/{number}; {text}") for number, text in enumerate(commands)], ends)
    started = range(len(commands) if last is None else last + 1)
    assert seen.returned == set(range(len(commands))) - set(started)
    assert set(seen.failures) == {1, 3, 4} & set(started)
    assert sorted(path.name for path in tmp_path.iterdir()) == [str(number) for number in started]


def test_signals_of_the_terminal_reach_neither_reactor_nor_commands(reactor: Reactor) -> None:
    ends = reactor.submit([sh("sleep 0.3; echo whole")])
    reactor.until(lambda: living(reactor) and own_sessions(reactor))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(reactor.pid, number)
    reactor.finish()
    assert ends.results[0]["stdout"] == "whole\n"


# ---------------------------------------------------------------- the reactor's own death


@pytest.mark.promise("10.10")
def test_a_dead_reactor_loses_what_ran_and_returns_the_rest(made: list[Reactor]) -> None:
    made.append(Reactor(SHELL, slots=2))
    reactor = made[0]
    assert set(reactor.run([sh("true")]).results) == {0}
    ends = reactor.submit([sh(f"setsid {FOREVER}"), sh(f"(setsid {FOREVER} &); {FOREVER}"), sh("true"), sh("true")])
    reactor.until(lambda: len(living(reactor)) >= 3)
    os.kill(reactor.pid, signal.SIGKILL)
    reactor.finish()
    assert (ends.lost, ends.returned) == ({0, 1}, {2, 3})
    assert proctree.with_cookie(reactor.cookie) == []
    assert reactor.run([sh("echo again")]).results[0]["stdout"] == "again\n"  # by a new one


def test_a_reactor_that_dies_again_and_again_fails_the_step(made: list[Reactor]) -> None:
    made.append(Reactor(SHELL))
    with pytest.raises(WorkerError, match="dies again and again"):
        for _ in range(20):
            ends = made[0].submit([sh("kill -KILL $PPID; sleep 1")])
            made[0].finish()
            assert ends.lost == {0}


def test_a_reactor_that_cannot_prepare_says_so(made: list[Reactor]) -> None:
    made.append(Reactor({"kind": "dance"}))
    ends = made[0].submit([sh("true")])
    made[0].finish()
    assert ends.returned == {0}
    with pytest.raises(WorkerError, match="not 'dance'"):
        made[0].poll()


@pytest.mark.fault("C15")
def test_the_reactor_ends_with_its_owner(made: list[Reactor]) -> None:
    made.append(Reactor(SHELL))
    reactor = made[0]
    reactor.submit([sh(f"(setsid {FOREVER} &); trap '' TERM; {FOREVER}")])
    reactor.until(lambda: len(proctree.descendants([reactor.pid])) >= 3)
    everything = [reactor.pid, *proctree.descendants([reactor.pid])]
    link = reactor.executor._link
    assert link is not None
    link.finish()  # what the kernel does when the owner is killed
    reactor.until(lambda: all(proctree.look(pid) is None for pid in everything), within_s=2.0)


# ---------------------------------------------------------------- no room for processes


@pytest.mark.fault("C17")
def test_no_attempt_is_used_while_the_system_has_no_room(made: list[Reactor], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHWORK_TESTING", "1")
    monkeypatch.setenv("BATCHWORK_FAULT", ",".join(f"spawn:EAGAIN@{number}" for number in range(1, 9)))
    made.append(Reactor(SHELL, slots=2))
    ends = made[0].run([sh("echo a"), sh("echo b"), sh("echo c")])
    assert [ends.results[offset]["stdout"] for offset in range(3)] == ["a\n", "b\n", "c\n"]


def test_waiting_for_room_can_be_cancelled(made: list[Reactor], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHWORK_TESTING", "1")
    monkeypatch.setenv("BATCHWORK_FAULT", "spawn:ENOMEM")
    made.append(Reactor(SHELL, slots=2))
    ends = made[0].submit([sh("echo a")] * 3)
    made[0].poll(0.3)
    made[0].executor.cancel()
    made[0].finish()
    assert ends.cancelled | ends.returned == {0, 1, 2}


def test_many_at_once(made: list[Reactor]) -> None:
    made.append(Reactor(SHELL, slots=200))
    ends = made[0].run([sh(f"echo {number}; sleep 0.05") for number in range(600)])
    assert [ends.results[number]["stdout"] for number in range(600)] == [f"{number}\n" for number in range(600)]


def test_many_timeouts_at_once_are_kept(made: list[Reactor]) -> None:
    made.append(Reactor(SHELL, slots=150, timeout_s=1.0))
    ends = made[0].run([sh(f"{FOREVER} & {FOREVER}")] * 150)
    assert {failure.type for failure in ends.failures.values()} == {"timeout"}
    assert living(made[0]) == set()


@pytest.mark.fault("C05")
@pytest.mark.promise("10.08")
def test_of_hundreds_of_detached_children_none_is_left(reactor: Reactor) -> None:
    start = f"(setsid {FOREVER} >/dev/null 2>&1 &)"
    ends = reactor.run([sh(f"for n in $(seq 200); do {start}; done; echo done"), sh("echo other")])
    assert ends.results[0]["stdout"] == "done\n"
    assert ends.results[1]["stdout"] == "other\n"
    assert ends.logs == {0: "left 200 processes behind, killed\n"}
    assert proctree.descendants([reactor.pid]) == []
