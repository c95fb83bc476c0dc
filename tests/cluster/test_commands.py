"""Nodes that a command of the user starts: `ssh` to a real server on another machine, with keys of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hosts import Hosts, hosts, needs_namespaces
from rig import Rig, eventually, finish, send

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin:/sbin:/usr/local/sbin")
pytestmark = [
    needs_namespaces,
    pytest.mark.skipif(SSHD is None or shutil.which("ssh") is None, reason="there is no ssh server (openssh-server)"),
]
PORT = 2222


class Ssh:
    """Servers on machines, and the command that reaches one of them; all keys and settings lie in a folder."""

    def __init__(self, machines: Hosts, folder: Path) -> None:
        self._machines, self._folder = machines, folder
        self._servers: list[subprocess.Popen[bytes]] = []
        for key in ("host", "me"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True)
        (folder / "allowed").write_text((folder / "me.pub").read_text())
        known = (folder / "host.pub").read_text()
        lines = [f"[{machines.address(number)}]:{PORT} {known}" for number in machines.numbers]
        (folder / "known").write_text("".join(lines))
        (folder / "sshd_config").write_text(
            f"Port {PORT}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/allowed\nPidFile none\n"
            "StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n"
        )
        (folder / "ssh_config").write_text(
            f"Port {PORT}\nUser root\nIdentityFile {folder}/me\nIdentitiesOnly yes\nUserKnownHostsFile {folder}/known\n"
            "GlobalKnownHostsFile none\nBatchMode yes\nStrictHostKeyChecking yes\nConnectTimeout 20\n"
        )

    def start(self, number: int) -> None:
        """Serve on a machine. Its /run is the server's own, so that none of this one's changes."""
        serve = f"mount -t tmpfs none /run && mkdir /run/sshd && exec {SSHD} -D -e -f {self._folder}/sshd_config"
        log = self._folder / f"sshd-{number}.log"
        with open(log, "wb") as file:
            words = [*self._machines.words(number), "sh", "-c", serve]
            self._servers.append(subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=file, stderr=file))
        eventually(lambda: b"Server listening" in log.read_bytes(), "the ssh server")

    def executor(self, *numbers: int) -> str:
        addresses = ",".join(map(self._machines.address, numbers))
        where = f"{{{addresses}}}" if len(numbers) > 1 else addresses
        return f"command:ssh -F {self._folder}/ssh_config {where} {{agent}} --slots 1"

    def close(self) -> None:
        for server in self._servers:
            server.kill()
            server.wait()


@pytest.fixture
def two() -> Iterator[Hosts]:
    with hosts(2) as made:
        yield made


@pytest.fixture
def ssh(two: Hosts, tmp_path: Path) -> Iterator[Ssh]:
    (tmp_path / "ssh").mkdir()
    reached = Ssh(two, tmp_path / "ssh")
    yield reached
    reached.close()


def test_items_run_on_machines_that_ssh_reaches(two: Hosts, ssh: Ssh, tmp_path: Path) -> None:
    ssh.start(1)
    ssh.start(2)
    rig = Rig(tmp_path, ssh.executor(1, 2), 60, 0.1)
    run = rig.start()
    eventually(lambda: two.agents(1) and two.agents(2), "an agent on each machine")
    code, said = finish(run)
    assert code == 0, said
    assert [item["result"] for item in rig.items()] == [3 * number for number in range(60)]
    assert rig.never_two_at_once()
    eventually(lambda: not two.agents(1) + two.agents(2), "the end of the agents")


def test_an_ssh_that_is_killed_costs_what_its_machine_ran(two: Hosts, ssh: Ssh, tmp_path: Path) -> None:
    ssh.start(1)
    ssh.start(2)
    rig = Rig(tmp_path, ssh.executor(1, 2), 60, 0.1, "--node-lease", "2s", "--node-wait", "20s")
    run = rig.start()
    eventually(lambda: two.agents(1) and two.agents(2) and len(rig.done()) >= 4, "some items")
    sessions = [pid for pid in two.processes(1, "sshd: root") if pid not in two.agents(1)]
    send(sessions[-1:])
    code, said = finish(run)
    assert code == 0, said
    assert [item["status"] for item in rig.items()] == ["succeeded"] * 60
    assert rig.never_two_at_once()
    eventually(lambda: not two.agents(1), "the end of the agent there")


def test_a_machine_that_ssh_does_not_reach_is_told_in_its_own_words(ssh: Ssh, tmp_path: Path) -> None:
    rig = Rig(tmp_path, ssh.executor(1), 3, 0.0)
    code, said = finish(rig.start())
    assert code == 4, said
    assert "none will come: the command ended with exit code 255: ssh: connect to host" in said
    assert "Connection refused" in said
    assert sys.executable not in said.splitlines()[-1]
