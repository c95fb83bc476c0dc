"""What the command line does not load, because nothing that it makes needs it."""

from __future__ import annotations

import subprocess
import sys

import pytest

WRITE = """
import sys
{before}
from batchwork.export.arrow import ArrowRows
ArrowRows("a test")
import pyarrow
pyarrow.array([1])
print(*(name in sys.modules for name in ("numpy", "pandas")), pyarrow.default_memory_pool().backend_name == "system")
if "pandas" in sys.modules:
    print(pyarrow.table({{"n": [1, 2]}}).to_pandas()["n"].sum())
"""


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("import batchwork.cli.main", ["False False True"]),
        ("import batchwork", ["True True False", "3"]),
        ("import batchwork.cli.main, pandas", ["True True False", "3"]),
    ],
)
def test_only_the_command_line_writes_tables_without_numpy_and_pandas(before: str, said: list[str]) -> None:
    pytest.importorskip("pandas", reason="no pandas here")
    command = [sys.executable, "-W", "ignore", "-c", WRITE.format(before=before)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.stdout.splitlines() == said, done.stderr
