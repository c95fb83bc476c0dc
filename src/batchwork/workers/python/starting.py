"""The command that starts a Python process with the worker's program in it. What the program does stands in its own folder."""

from __future__ import annotations

import os

_PROGRAM_FOLDER = os.path.join(os.path.dirname(os.path.realpath(__file__)), "program")
# The program is a package of a name that nobody else has, so that no module of a task is taken for a part of it.
_START = """import sys
if sys.version_info < (3, 8):
    sys.exit("this is Python %%d.%%d, and a worker needs 3.8 or newer" %% sys.version_info[:2])
sys.path[:] = filter(None, sys.path)
package = sys.modules["batchwork_worker"] = type(sys)("batchwork_worker")
package.early = frozenset(sys.modules)
package.__path__ = [sys.argv[1]]
from batchwork_worker.%s import %s
%s(sys.argv[2:])
"""


def starting(interpreter: str, module: str, function: str) -> tuple[str, ...]:
    """The command that calls a function of the program with the arguments that are added to it."""
    return (interpreter, "-u", "-c", _START % (module, function, function), _PROGRAM_FOLDER)
