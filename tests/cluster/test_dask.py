"""A Dask cluster of several machines: agents come to its workers, and what happens when workers, scheduler or run are killed."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hosts import Hosts, hosts, needs_namespaces
from rig import Rig, eventually, finish, foreign, send, while_running, whole

from dask_cluster import DaskCluster

pytestmark = needs_namespaces
LEASE = ("--node-lease", "2s", "--node-wait", "30s")


@pytest.fixture
def two() -> Iterator[Hosts]:
    with hosts(2) as made:
        yield made


@pytest.fixture
def dask(two: Hosts, tmp_path: Path) -> Iterator[DaskCluster]:
    """A scheduler on this machine, and no workers yet."""
    (tmp_path / "dask").mkdir()
    cluster = DaskCluster(tmp_path / "dask", two.here, {number: two.words(number) for number in two.numbers})
    try:
        cluster.start_scheduler()
        yield cluster
    finally:
        cluster.close()


def rig_on(dask: DaskCluster, folder: Path, count: int, item_s: float, *words: str) -> Rig:
    (folder / "work").mkdir()
    return Rig(folder / "work", f"{dask.url}?slots=1&insecure=1", count, item_s, *(words or LEASE))


# ---------------------------------------------------------------- who gets an agent


def test_each_host_has_one_agent_and_one_that_joins_later_gets_one(
    two: Hosts, dask: DaskCluster, tmp_path: Path
) -> None:
    dask.start_worker(1, two.address(1))
    dask.start_worker(1, two.address(1))
    rig = rig_on(dask, tmp_path, 400, 0.05)
    run = rig.start()
    while_running(run, lambda: len(rig.done()) >= 4, "some items")
    assert len(two.agents(1)) == 1
    dask.start_worker(2, two.address(2))
    eventually(lambda: two.agents(2), "an agent on the machine that joined")
    code, said = finish(run)
    assert code == 0, said
    whole(rig, 400, twice=0)
    eventually(lambda: not two.agents(1) + two.agents(2), "the end of all agents")


def test_nothing_is_sent_to_an_open_scheduler_elsewhere_unless_that_is_wanted(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "dask://10.1.2.3:8786", 3, 0.0)
    code, said = finish(rig.start())
    assert code == 2
    assert "the connection to dask://10.1.2.3:8786 would not be encrypted" in said
    assert "insecure=1" in said
    assert not (tmp_path / ".batchwork").exists()


# ---------------------------------------------------------------- kill -9


def test_a_killed_worker_takes_its_agent_along_and_the_next_one_gets_another(
    two: Hosts, dask: DaskCluster, tmp_path: Path
) -> None:
    dask.start_worker(1, two.address(1))
    dask.start_worker(2, two.address(2))
    rig = rig_on(dask, tmp_path, 120, 0.1)
    run = rig.start()
    while_running(run, lambda: two.agents(1) and two.agents(2) and len(rig.done()) >= 4, "some items")
    before = two.supervisors(1)
    send(dask.worker_processes(0)[-1:])
    eventually(lambda: not set(before) & set(two.supervisors(1)), "the end of its agent")
    eventually(lambda: two.agents(1), "another agent")
    code, said = finish(run)
    assert code == 0, said
    whole(rig, 120, twice=1)


def test_without_its_scheduler_a_run_goes_on(two: Hosts, dask: DaskCluster, tmp_path: Path) -> None:
    dask.start_worker(1, two.address(1))
    dask.start_worker(2, two.address(2))
    rig = rig_on(dask, tmp_path, 60, 0.1)
    run = rig.start()
    while_running(run, lambda: two.agents(1) and two.agents(2) and len(rig.done()) >= 4, "some items")
    dask.kill_scheduler()
    code, said = finish(run)
    assert code == 0, said
    whole(rig, 60, twice=0)
    assert foreign(said) == []


def test_without_scheduler_and_workers_it_ends_and_goes_on_later(two: Hosts, dask: DaskCluster, tmp_path: Path) -> None:
    dask.start_worker(1, two.address(1), "--no-nanny")
    rig = rig_on(dask, tmp_path, 40, 0.1)
    run = rig.start()
    while_running(run, lambda: len(rig.done()) >= 4, "some items")
    dask.kill_scheduler()
    send([dask.workers[0].pid])
    code, said = finish(run)
    assert code == 4, said
    assert f"none will come: the Dask scheduler at {two.here}:{dask.port} is gone" in said
    assert "batchwork resume" in said
    assert foreign(said) == []
    dask.start_scheduler()
    dask.start_worker(2, two.address(2))
    code, said = finish(rig.resume())
    assert code == 0, said
    whole(rig, 40, twice=1)


def test_a_killed_run_goes_on_at_once_on_workers_that_have_one_thread(
    two: Hosts, dask: DaskCluster, tmp_path: Path
) -> None:
    dask.start_worker(1, two.address(1))
    rig = rig_on(dask, tmp_path, 30, 0.1)
    run = rig.start()
    while_running(run, lambda: len(rig.done()) >= 4, "some items")
    run.send_signal(signal.SIGKILL)
    run.wait()
    code, said = finish(rig.resume())
    assert code == 0, said
    whole(rig, 30, twice=1)


# ---------------------------------------------------------------- no way


@pytest.mark.parametrize("there", ["nobody", "nobody who answers", "no workers"])
def test_where_no_agent_can_be_started_one_sentence_says_why(there: str, tmp_path: Path) -> None:
    (tmp_path / "dask").mkdir()
    cluster = DaskCluster(tmp_path / "dask", "127.0.0.1")
    server = None
    sentence = "(it has no workers)"
    if there == "nobody":
        sentence = (
            f"none will come: there is no way to the Dask scheduler at 127.0.0.1:{cluster.port}: Connection refused"
        )
    elif there == "nobody who answers":
        server = socket.create_server(("127.0.0.1", cluster.port))
        sentence = f"none will come: what is at 127.0.0.1:{cluster.port} does not answer as a cluster does"
    else:
        cluster.start_scheduler()
    rig = rig_on(cluster, tmp_path, 3, 0.0, "--node-wait", "40s" if server else "3s")
    try:
        code, said = finish(rig.start())
    finally:
        cluster.close()
        if server is not None:
            server.close()
    assert code == 4, said
    assert sentence in said
    assert foreign(said) == []
    assert said.count("\n") < 8, said
    assert "batchwork resume" in said


# ---------------------------------------------------------------- TLS


def test_a_scheduler_that_wants_certificates_gets_ours(tmp_path: Path) -> None:
    authority, certificate, key = certificates(tmp_path, "127.0.0.1")
    (tmp_path / "dask").mkdir()
    cluster = DaskCluster(tmp_path / "dask", "127.0.0.1")
    cluster.secure(authority, certificate, key)
    try:
        cluster.start_scheduler()
        cluster.start_worker(0, "127.0.0.1")
        rig = Rig(tmp_path, f"{cluster.url}?tls={authority}&cert={certificate}&key={key}", 5, 0.0)
        code, said = finish(rig.start())
        assert code == 0, said
        whole(rig, 5, twice=0)
        rig = Rig(tmp_path, f"{cluster.url}?tls={authority}", 5, 0.0)
        code, said = finish(rig.start())
        assert code == 4
        assert "Dask wants to know who we are: add cert=me.pem&key=me.key to the executor" in said
    finally:
        cluster.close()


def certificates(folder: Path, host: str) -> tuple[Path, Path, Path]:
    """An authority, a certificate of it for a host, and its key."""
    own, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "t")])
    now = dt.datetime.now(dt.UTC)

    def signed(public: ec.EllipticCurvePublicKey, subject: x509.Name, *, ca: bool) -> bytes:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(name).public_key(public)
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - dt.timedelta(days=1))
        builder = builder.not_valid_after(now + dt.timedelta(days=2))
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
        return (
            builder.add_extension(names, critical=False)
            .sign(own, hashes.SHA256())
            .public_bytes(serialization.Encoding.PEM)
        )

    key = ec.generate_private_key(ec.SECP256R1())
    files = folder / "ca.pem", folder / "me.pem", folder / "me.key"
    files[0].write_bytes(signed(own.public_key(), name, ca=True))
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    files[1].write_bytes(signed(key.public_key(), subject, ca=False))
    files[2].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    os.chmod(files[2], 0o600)
    return files
