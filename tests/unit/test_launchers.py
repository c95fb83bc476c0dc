"""Launchers for clusters without a cluster: addresses, who gets an agent, and what is said of whatever a library does."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from batchwork.errors import UsageError
from batchwork.workers.nodes.launch import cluster as clusters
from batchwork.workers.nodes.launch.address import address_of
from batchwork.workers.nodes.launch.cluster import ClusterGone, ClusterLauncher, how_it_went, hush, in_a_line, told_as
from batchwork.workers.nodes.launch.dask import DASK, Papers, apart, dask_launcher
from batchwork.workers.nodes.launch.find import launcher_of
from batchwork.workers.nodes.launch.ray import RAY
from batchwork.workers.nodes.launch.roster import PAUSE_S, TRIES, Ended, Place, Roster
from batchwork.workers.nodes.net.letter import Letter

# ---------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    ("text", "shown", "place", "slots", "here"),
    [
        ("dask://host", "dask://host:8786", "host:8786", None, False),
        ("dask://127.0.0.1:9?slots=3", "dask://127.0.0.1:9", "127.0.0.1:9", 3, True),
        ("dask://[::1]:9", "dask://[::1]:9", "[::1]:9", None, True),
        ("dask://localhost?insecure=1", "dask://localhost:8786", "localhost:8786", None, True),
        (
            "dask://127.0.0.1.example.com",
            "dask://127.0.0.1.example.com:8786",
            "127.0.0.1.example.com:8786",
            None,
            False,
        ),
    ],
)
def test_an_address_says_where_a_cluster_is(text: str, shown: str, place: str, slots: int | None, here: bool) -> None:
    address = address_of(text, DASK)
    assert (str(address), address.place, address.slots, address.is_here) == (shown, place, slots, here)


def test_a_ray_head_has_its_own_port() -> None:
    assert address_of("ray://head", RAY).place == "head:10001"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("dask://", "`dask://` does not say where the cluster is", "dask://HOST:8786?slots=4"),
        ("dask://h:99999", "does not say where the cluster is", "dask://HOST"),
        ("dask://:pw@", "does not say where the cluster is", "dask://HOST"),
        ("dask://u:hidden@h", "takes a host, a port and options", "dask://HOST"),
        ("dask://h/path", "takes a host, a port and options", "dask://HOST"),
        ("dask://h?slot=2", "has no option `slot`", "did you mean `slots`?"),
        ("dask://h?xyzzy=2", "has no option `xyzzy`", "slots, tls, cert, key, insecure"),
        ("dask://h?slots=0", "`slots=0` is not a number of attempts", "slots=4"),
        ("dask://h?slots=", "`slots=` is not a number of attempts", "slots=4"),
        ("dask://h?slots=٣", "is not a number of attempts", "slots=4"),
        ("dask://h?insecure=0", "`insecure=0` says nothing", "insecure=1"),
        ("dask://h", "would not be encrypted", "?insecure=1"),
        ("dask://10.1.2.3:8786?slots=2", "would not be encrypted", "tls=ca.pem"),
        ("dask://h?cert=a.pem", "`cert` of the executor dask://h:8786 is of no use without `tls`", "tls=ca.pem"),
        ("dask://h?tls=none.pem", "`tls=none.pem` of the executor dask://h:8786 cannot be read: No such file", ""),
    ],
)
def test_what_is_no_address_is_refused_before_anything_is_done(text: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        dask_launcher(text)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert "hidden" not in f"{caught.value}{caught.value.hint}"


def test_an_executor_that_there_is_not_is_named_without_its_password() -> None:
    with pytest.raises(UsageError, match=r"there is no executor `daks://u:\*\*\*@h`"):
        launcher_of("daks://u:hidden@h")


def test_files_of_certificates_are_named_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ca.pem").touch()
    papers = Papers.of(address_of("dask://h?tls=ca.pem", DASK))
    assert papers == Papers(str(tmp_path / "ca.pem"), None, None)


# ---------------------------------------------------------------- who gets an agent

A1, A2, B1 = Place("a", "a", "a:1"), Place("a", "a", "a:2"), Place("b", "b", "b:1")


def test_each_machine_gets_one_agent_also_one_that_joins_later() -> None:
    roster = Roster()
    assert roster.known() == ""
    roster.see([])
    assert roster.known() == "it has no workers"
    roster.see([A1, A2])
    assert roster.due(0.0) == [A1]
    roster.started(A1)
    assert roster.due(9.0) == []
    roster.see([A1, A2, B1])
    assert roster.due(9.0) == [B1]
    assert roster.known() == "an agent was sent to a"
    assert roster.hopeless() is None


def test_where_the_starter_is_gone_another_one_is_asked_as_often_as_it_takes() -> None:
    roster = Roster()
    roster.see([A1])
    for turn in range(2 * TRIES):
        roster.started(A1)
        roster.ended("a", Ended(""), float(turn))
    roster.see([A2])
    assert roster.due(99.0) == [A2]
    assert roster.hopeless() is None


def test_where_agents_end_by_themselves_it_is_tried_a_few_times_and_told_why() -> None:
    roster = Roster()
    roster.see([A1])
    for turn in range(TRIES):
        assert roster.hopeless() is None
        roster.started(A1)
        roster.ended("a", Ended("no such file"), float(turn))
        assert roster.due(turn + PAUSE_S / 2) == []
    assert roster.due(99.0) == []
    assert roster.hopeless() == roster.known() == "a: no such file"
    roster.see([A1, B1])
    assert roster.hopeless() is None, "one that has just come may do better"
    roster.see([])
    assert roster.hopeless() is None


def test_alike_failures_of_many_machines_are_told_once() -> None:
    roster, places = Roster(), [Place(f"h{n}", f"h{n}", "") for n in range(9)]
    roster.see(places)
    for place in places:
        roster.started(place)
        roster.ended(place.host, Ended("no batchwork"), 0.0)
    assert roster.known() == "h0, h1, h2 and 6 more: no batchwork"


# ---------------------------------------------------------------- a cluster of nothing


class FakeCluster:
    """Does at each question what the test says; its jobs end as `fate` says."""

    patience_s = 25.0
    remark = ""

    def __init__(self) -> None:
        self.present: list[Place] = [A1]
        self.sent: list[tuple[str, list[str]]] = []
        self.fate: Ended | None = None
        self.closed = False
        self.on_connect: Callable[[], None] = lambda: None
        self.on_places: Callable[[], None] = lambda: None

    def connect(self) -> None:
        self.on_connect()

    def places(self) -> Sequence[Place]:
        self.on_places()
        return self.present

    def start(self, place: Place, command: Sequence[str], letter: bytes) -> Any:
        self.sent.append((place.worker, list(command)))
        return place

    def ended(self, started: Any) -> Ended | None:
        return self.fate

    def close(self, started: Sequence[Any]) -> None:
        self.closed = True


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    monkeypatch.setattr(clusters, "LOOK_S", 0.01)
    monkeypatch.setattr("batchwork.workers.nodes.launch.roster.PAUSE_S", 0.01)
    return FakeCluster()


def launched(fake: FakeCluster, url: str = "dask://127.0.0.1") -> ClusterLauncher:
    launcher = ClusterLauncher(address_of(url, DASK), fake)
    launcher.launch(lambda nodes: Letter(["here"], 1, "certificate", f"token for {nodes}"))
    return launcher


def test_agents_are_sent_and_what_is_left_is_called_back(fake: FakeCluster, wait_for: Callable[..., None]) -> None:
    fake.present = [A1, Place("b", "b", "b:1", 3)]
    launcher = launched(fake)
    wait_for(lambda: len(fake.sent) == 2, "both agents")
    launcher.close()
    assert fake.closed
    assert [(worker, command[-2:]) for worker, command in fake.sent] == [
        ("a:1", ["-m", "batchwork.workers.nodes.agent"]),
        ("b:1", ["--slots", "3"]),
    ]
    assert launcher.ended() is None
    assert launcher.describe() == "`dask://127.0.0.1:8786`"


def test_a_cluster_that_is_gone_is_told_in_a_sentence(fake: FakeCluster, wait_for: Callable[..., None]) -> None:
    def lost() -> None:
        with told_as("the scheduler is gone"):
            raise KeyError("tcp://u:hidden@h:1 went away\nand much more")

    fake.on_places = lost
    launcher = launched(fake)
    wait_for(launcher.ended, "the end")
    assert launcher.ended() == "the scheduler is gone: 'tcp://u:***@h:1 went away\\nand much more'"
    launcher.close()


def test_a_library_that_never_comes_back_holds_nothing_up(fake: FakeCluster, wait_for: Callable[..., None]) -> None:
    fake.patience_s = 0.05
    held = threading.Event()
    fake.on_connect = lambda: held.wait() and None
    launcher = launched(fake)
    wait_for(launcher.ended, "the end of patience")
    assert launcher.ended() == "what is at 127.0.0.1:8786 does not answer as a cluster does"
    launcher.close()
    held.set()


def test_agents_that_cannot_work_end_the_waiting(fake: FakeCluster, wait_for: Callable[..., None]) -> None:
    fake.fate = how_it_went(1, b"Traceback\nModuleNotFoundError: No module named 'batchwork'\n")
    launcher = launched(fake)
    wait_for(launcher.ended, "the end")
    assert launcher.ended() == "a: the agent ended with exit code 1: ModuleNotFoundError: No module named 'batchwork'"
    assert len(fake.sent) == TRIES
    launcher.close()


def test_what_may_be_the_matter_is_told_beside_what_is(fake: FakeCluster, wait_for: Callable[..., None]) -> None:
    fake.remark, fake.present = "the versions differ", []
    launcher = launched(fake)
    wait_for(lambda: "workers" in launcher.known(), "the first look")
    assert launcher.known() == "it has no workers; the versions differ"
    fake.fate, fake.present = Ended("bad"), [A1]
    wait_for(launcher.ended, "the end")
    assert launcher.ended() == "a: bad; the versions differ"
    launcher.close()


@pytest.mark.parametrize(
    ("theirs", "told"),
    [
        (("2026.8.0", "3.11.7.final.0"), ""),
        (("2026.8.0", "3.11.2.final.0"), ""),
        (
            ("2024.1.0", "3.11.7.final.0"),
            "the scheduler has distributed 2024.1.0 and Python 3.11.7, and here it is distributed",
        ),
        (
            ("2026.8.0", "3.10.1.final.0"),
            "Python 3.10.1, and here it is distributed 2026.8.0 and Python 3.11.7: they should",
        ),
    ],
)
def test_other_versions_on_a_scheduler_are_told(theirs: tuple[str, str], told: str) -> None:
    packages = dict(zip(("distributed", "python"), theirs, strict=True))
    said = apart(packages, {"distributed": "2026.8.0", "python": "3.11.7.final.0"})
    assert told in said
    assert bool(told) == bool(said)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (
            FileNotFoundError(2, "No such file or directory", "/x/python"),
            "[Errno 2] No such file or directory: '/x/python'",
        ),
        (ValueError(""), "ValueError"),
        (
            RuntimeError("Initialization failure:\nTraceback (most recent call last):\n  x\nE: the cause\n"),
            "E: the cause",
        ),
        (OSError("first\nsecond"), "first"),
    ],
)
def test_what_an_error_says_is_one_line(error: Exception, line: str) -> None:
    assert in_a_line(error) == line


def test_what_a_package_logs_does_not_come_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    chatty = logging.getLogger("chatty_cluster.worker")
    chatty.addHandler(logging.StreamHandler(sys.stderr))
    hush("chatty_cluster")
    for name in ("chatty_cluster", "chatty_cluster.worker", "chatty_cluster.later"):
        logging.getLogger(name).error("reconnecting")
    said = capsys.readouterr()
    assert said.err + said.out == ""


def test_a_sentence_that_is_one_already_stays() -> None:
    with pytest.raises(ClusterGone, match=r"^as it is$"), told_as("twice"):
        raise ClusterGone("as it is")
