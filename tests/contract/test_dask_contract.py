"""Workers on a Dask cluster keep the contract of executors: two workers, on two hosts as far as Dask can tell."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from batchwork.workers.nodes.hub.hub import Hub
from batchwork.workers.nodes.launch.dask import dask_launcher
from batchwork.workers.nodes.muster import Muster, Remarks
from dask_cluster import dask_cluster
from executor_deeds import PythonOnNodes


@pytest.fixture(scope="module")
def muster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Muster]:
    """Two nodes that offer two slots each."""
    with dask_cluster(tmp_path_factory.mktemp("dask"), 2) as cluster:
        warnings: list[str] = []
        mustered = Muster(Hub(), dask_launcher(f"{cluster.url}?slots=2"), Remarks(warnings.append))
        yield mustered
        mustered.close()


class TestPythonOnDask(PythonOnNodes):
    """See executor_deeds."""
