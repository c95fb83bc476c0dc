"""How many threads the numeric libraries of one worker may start: without a word, each starts one for every processor."""

from __future__ import annotations

from collections.abc import Mapping

_OF_OPENMP = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
"""What libraries look at before OMP_NUM_THREADS."""
_OTHERS = ("VECLIB_MAXIMUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS", "POLARS_MAX_THREADS")


def with_thread_limits(environ: Mapping[str, str], workers: int, cpus: int) -> dict[str, str]:
    """The environment of one of so many workers: each has its share of the processors, as far as nothing else is set.

    Where OMP_NUM_THREADS is set, what would come before it is not.
    """
    names: tuple[str, ...] = _OTHERS
    if "OMP_NUM_THREADS" not in environ:
        names = ("OMP_NUM_THREADS", *_OF_OPENMP, *_OTHERS)
    return {**dict.fromkeys(names, str(max(1, cpus // workers))), **environ}
