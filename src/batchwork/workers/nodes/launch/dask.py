"""Starts agents on the workers of a Dask cluster: `dask://HOST:PORT?slots=N&tls=ca.pem&cert=me.pem&key=me.key`."""

from __future__ import annotations

import socket
import subprocess
import sys
import uuid
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct

from batchwork.errors import UsageError
from batchwork.plugins import needed, package_problem
from batchwork.workers.nodes.launch.address import Address, Kind, address_of
from batchwork.workers.nodes.launch.cluster import ClusterGone, ClusterLauncher, how_it_went, hush, in_a_line, told_as
from batchwork.workers.nodes.launch.roster import Ended, Place

DASK: Final = Kind("dask", 8786, ("slots", "tls", "cert", "key", "insecure"))
_PURPOSE = "running items on a Dask cluster"
_ANSWER_S = 10.0
"""How long a scheduler may take to let us in, also again."""


def dask_launcher(text: str) -> ClusterLauncher:
    """The launcher for such a URL. Raises UsageError."""
    address = address_of(text, DASK)
    _check_secrecy(address)
    if (problem := package_problem("distributed", _PURPOSE)) is not None:
        raise problem
    return ClusterLauncher(address, DaskCluster(address, Papers.of(address)))


def _check_secrecy(address: Address) -> None:
    """Whoever can read along, or speak to an open scheduler, can take part in a run: that must be wanted. Raises UsageError."""
    for name in ("cert", "key"):
        if name in address.options and "tls" not in address.options:
            raise UsageError(f"`{name}` of the executor {address} is of no use without `tls`", "add tls=ca.pem")
    if "tls" in address.options or address.is_here or address.may_be_open:
        return
    raise UsageError(
        f"the connection to {address} would not be encrypted: who reads along can take part in the run",
        "add ?tls=ca.pem&cert=me.pem&key=me.key, or ?insecure=1 where only machines that you trust are on the way",
    )


class Papers(Struct, frozen=True):
    """Files in PEM: the authority that the scheduler is known by, what we are known by, and its key. None: as Dask is configured."""

    authority: str | None
    certificate: str | None
    key: str | None

    @classmethod
    def of(cls, address: Address) -> Papers:
        """Raises UsageError where a file cannot be read."""
        return cls(address.file("tls"), address.file("cert"), address.file("key"))


class _Job(Struct, frozen=True):
    future: Any
    worker: str


class DaskCluster:
    """See cluster.Cluster. Each of Dask's workers is asked by a task that is pinned to it; one on each host."""

    patience_s = 25.0

    def __init__(self, address: Address, papers: Papers) -> None:
        self._address, self._papers = address, papers
        self._workers: list[str] = []
        self.remark = ""

    def connect(self) -> None:
        place = self._address.place
        with told_as(f"there is no way to the Dask scheduler at {place}"):
            socket.create_connection((self._address.host, self._address.port), _ANSWER_S).close()
            distributed = _quiet_dask()
            security = self._security(distributed) if self._papers.authority else None
            scheme = "tcp" if security is None else "tls"
            self._client = distributed.Client(
                f"{scheme}://{place}", timeout=_ANSWER_S, security=security, set_as_default=False
            )
            versions = self._client.get_versions()
            self.remark = apart(versions["scheduler"]["packages"], versions["client"]["packages"])

    def _security(self, distributed: Any) -> Any:
        papers = self._papers
        given = {
            "tls_ca_file": papers.authority,
            "tls_client_cert": papers.certificate,
            "tls_client_key": papers.key,
        }
        security = distributed.Security(
            require_encryption=True, **{name: file for name, file in given.items() if file is not None}
        )
        if security.tls_client_cert is None:
            raise ClusterGone("Dask wants to know who we are: add cert=me.pem&key=me.key to the executor")
        return security

    def places(self) -> Sequence[Place]:
        if self._client.status == "closed":
            raise ClusterGone(f"the Dask scheduler at {self._address.place} is gone")
        with told_as(f"the Dask scheduler at {self._address.place} does not say who its workers are"):
            try:
                self._workers = sorted(self._client.nthreads())
            except OSError:  # the connection is lost; whether for good is known when the client gives up
                self._workers = []
        return [_place(worker, self._address.slots) for worker in self._workers]

    def start(self, place: Place, command: Sequence[str], letter: bytes) -> _Job:
        with told_as(f"an agent cannot be sent to {place.name}"):
            future = self._client.submit(
                subprocess.run,
                list(command),
                input=letter,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                key=f"batchwork-agent-{uuid.uuid4().hex}",
                workers=[place.worker],
                allow_other_workers=False,
                retries=0,
                pure=False,
            )
        return _Job(future, place.worker)

    def ended(self, started: _Job) -> Ended | None:
        future = started.future
        if future.status == "finished":
            with told_as("what an agent had to say cannot be read"):
                done = future.result(timeout=_ANSWER_S)
            return how_it_went(done.returncode, done.stderr)
        if future.status == "error":
            return self._failed(future)
        if future.status in {"cancelled", "lost"}:
            return Ended("") if self._client.status == "running" else None
        if started.worker not in self._workers and self._client.status == "running":
            future.cancel()
            return Ended("")
        return None

    def _failed(self, future: Any) -> Ended:
        with told_as("what went wrong with an agent cannot be read"):
            error = future.exception(timeout=_ANSWER_S)
        if type(error).__name__ == "KilledWorker":
            return Ended("")
        return Ended(f"the agent cannot be started: {in_a_line(error)}")

    def close(self, started: Sequence[_Job]) -> None:
        with told_as("the connection to Dask cannot be closed"):
            self._client.cancel([job.future for job in started])
            self._client.close(_ANSWER_S)


def _place(worker: str, slots: int | None) -> Place:
    """A worker at an address such as tcp://10.0.0.2:41239."""
    host = urlsplit(worker).hostname or worker
    return Place(host, host, worker, slots)


def apart(theirs: Mapping[str, str], ours: Mapping[str, str]) -> str:
    """What may be the matter with versions of Dask and Python on the scheduler and here; empty where nothing is."""
    pythons = [packages["python"].split(".") for packages in (theirs, ours)]
    if theirs["distributed"] == ours["distributed"] and pythons[0][:2] == pythons[1][:2]:
        return ""
    there, here = (
        f"distributed {packages['distributed']} and Python {'.'.join(python[:3])}"
        for packages, python in zip((theirs, ours), pythons, strict=True)
    )
    return f"the scheduler has {there}, and here it is {here}: they should be the same"


def _quiet_dask() -> Any:
    """The package, which says nothing on the terminal; where it was in use already, it is as it was."""
    fresh = "distributed" not in sys.modules
    distributed = needed("distributed", _PURPOSE)
    if fresh:
        warnings.filterwarnings("ignore", module=r"distributed(\.|$)")
        hush("distributed", "tornado")
    return distributed
