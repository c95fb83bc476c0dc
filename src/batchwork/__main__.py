"""The command `batchwork`, also as `python -m batchwork`: a Ctrl-C while it is still being loaded ends it without a word."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # what `signal` is made of: it is there without looking for a file
import gc
import os
from typing import NoReturn

START_OBJECTS = 50_000
"""A start makes fewer that may be part of a circle, and none of them is garbage: looking for it costs milliseconds."""


def _leave(_number: int, _frame: object) -> NoReturn:
    """Nothing has been read or started yet."""
    os._exit(128 + _signal.SIGINT)


def program() -> NoReturn:
    """Load the command line and run it; loading takes about 60 ms, in which people do press Ctrl-C."""
    gc.set_threshold(START_OBJECTS)
    usual = _signal.getsignal(_signal.SIGINT)
    if usual is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _leave)
    from batchwork.cli.main import program as run

    _signal.signal(_signal.SIGINT, usual)
    run()


if __name__ == "__main__":
    program()
