"""The share of the processors that the libraries of one worker may use."""

from __future__ import annotations

import pytest

from batchwork.workers.python.threads import with_thread_limits

OPENMP = {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "NUMEXPR_NUM_THREADS"}


@pytest.mark.parametrize(("workers", "cpus", "threads"), [(4, 4, "1"), (1, 8, "8"), (3, 8, "2"), (16, 8, "1")])
@pytest.mark.promise("5.38")
def test_processors_are_shared_among_workers(workers: int, cpus: int, threads: str) -> None:
    made = with_thread_limits({"HOME": "/h"}, workers, cpus)
    assert made.pop("HOME") == "/h"
    assert made.keys() > OPENMP and set(made.values()) == {threads}


@pytest.mark.promise("5.38")
def test_what_is_set_stays() -> None:
    made = with_thread_limits({"MKL_NUM_THREADS": "5"}, 2, 4)
    assert (made["MKL_NUM_THREADS"], made["OMP_NUM_THREADS"], made["OPENBLAS_NUM_THREADS"]) == ("5", "2", "2")


def test_where_openmp_is_set_nothing_comes_before_it() -> None:
    made = with_thread_limits({"OMP_NUM_THREADS": "5"}, 2, 4)
    assert OPENMP & made.keys() == {"OMP_NUM_THREADS"} and made["OMP_NUM_THREADS"] == "5"
    assert made["NUMBA_NUM_THREADS"] == "2"
