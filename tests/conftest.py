"""What all tests share: where the founding documents are, a folder to work in, the command, waiting for a fact."""

from __future__ import annotations

import faulthandler
import glob
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import HealthCheck, settings

import fault_suite
import postgres
from batchwork.ports.journals import Owner
from batchwork.workers.journals.folder import is_held, owner_of, remove_folder
from batchwork.workers.journals.keeper import SHARED_MEMORY
from marks import shown_by
from places import BIN

ROOT = Path(__file__).resolve().parent.parent

# No deadline: two cores are shared, and a slow example is not a wrong one.
settings.register_profile("batchwork", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", parent=settings.get_profile("batchwork"), max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "batchwork"))

STUCK_S = int(os.environ.get("BATCHWORK_STUCK_S", "180"))
"""A test that takes so long waits for something that will not come: it fails, with the stacks of all threads."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-faults", action="store_true", help="write docs/faults.md from what the tests have shown")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--write-faults") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(FaultPage())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.user_properties += [("fault", name) for mark in item.iter_markers("fault") for name in mark.args]


class FaultPage:
    """Remembers which faults have a test that failed, and writes the page at the end."""

    def __init__(self) -> None:
        self.failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed |= {str(name) for kind, name in report.user_properties if kind == "fault"}

    def pytest_sessionfinish(self) -> None:
        page = fault_suite.document(shown_by("fault"), sorted(self.failed))
        fault_suite.DOCUMENT.write_text(page, encoding="utf-8")


@pytest.fixture(autouse=True)
def _never_stuck() -> Iterator[None]:
    def give_up(_number: int, _frame: FrameType | None) -> None:
        faulthandler.dump_traceback(sys.__stderr__ or 2)
        pytest.fail(f"stuck: not finished after {STUCK_S} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(STUCK_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session", autouse=True)
def _no_journals_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Journals in memory are left by runs that were killed and not resumed, and by nothing else. They are taken away."""
    yield
    base = f"{tmp_path_factory.getbasetemp()}{os.sep}"
    folders = glob.glob(os.path.join(SHARED_MEMORY, f"batchwork-{os.geteuid()}-*"))
    left = {folder: owner for folder in folders if (owner := owner_of(folder)).folder.startswith(base)}
    living = [folder for folder in left if is_held(folder)]
    unasked = [folder for folder, owner in left.items() if not _asked_for(owner, folder)]
    for folder in left:
        remove_folder(folder)
    assert not living, "executions go on that a test has begun"
    assert not unasked, f"nobody will ask for these: { {folder: left[folder] for folder in unasked} }"


def _asked_for(owner: Owner, folder: str) -> bool:
    """Whether the store, if it is there still and whole, knows of a run that may be resumed with these journals."""
    path = owner.store if os.path.isabs(owner.store) else os.path.join(owner.folder, "state.db")
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            options = connection.execute("select options from run").fetchall()
    except sqlite3.Error:
        return True
    return any(folder in str(text) for (text,) in options)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """A PostgreSQL server that all tests of a session share."""
    with postgres.server() as server:
        yield server


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of the founding documents, which stands beside the project on developers' machines and in CI."""
    folder = ROOT.parent / "shared"
    if not (folder / "faultkit").is_dir():
        pytest.skip("the founding documents (../shared) are not here")
    return folder


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the working directory during the test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def environ() -> dict[str, str]:
    """This process's environment with the `batchwork` of this Python first on PATH, and nothing that changes what it prints."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BATCHWORK_", "PYTEST_"))}
    return {**kept, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "100", "NO_COLOR": "1"}


Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def batchwork(work: Path, environ: Mapping[str, str]) -> Command:
    """Runs the real command in the test's folder: `batchwork("run", "w.yaml", expect=3, env={…}, cwd=…)`."""

    def command(
        *args: str,
        expect: int | None = 0,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: str = "",
        program: str = str(BIN / "batchwork"),
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [program, *args],
            cwd=cwd or work,
            env={**environ, **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if expect is not None:
            assert done.returncode == expect, f"exit {done.returncode}, expected {expect}\n{done.stdout}\n{done.stderr}"
        return done

    return command


@pytest.fixture(scope="session")
def wait_for() -> Callable[..., None]:
    """Waits until `fact()` is true; fails, naming it, when it has not become so in `within_s` seconds."""

    def wait(fact: Callable[[], object], what: str = "", within_s: float = 30.0) -> None:
        deadline = time.monotonic() + within_s
        while not fact():
            assert time.monotonic() < deadline, f"waited {within_s} s in vain for {what or fact}"
            time.sleep(0.01)

    return wait


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `cert.pem` for localhost, signed by itself, and its `key.pem`."""
    folder = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost"]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no openssl to make a certificate with")
    return folder
