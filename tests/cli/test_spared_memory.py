"""What the command line does not load, because nothing that it makes needs it."""

from __future__ import annotations

import subprocess
import sys

import pytest

WRITE = """
import io, sys
{before}
from batchwork.export.arrow import ArrowRows
import pyarrow
pool = pyarrow.default_memory_pool().backend_name
rows = ArrowRows("a test")
pyarrow.array([1])
print("pandas" in sys.modules, pyarrow.default_memory_pool().backend_name == pool)
print(pyarrow.table({{"n": [1, 2]}}).to_pandas()["n"].sum(), "pandas" in sys.modules)
"""


@pytest.mark.parametrize(
    ("before", "loaded", "same_pool"),
    [("import batchwork.cli.main", False, False), ("import batchwork", True, True), ("import pandas", True, True)],
)
def test_only_the_command_line_writes_tables_without_pandas(before: str, loaded: bool, same_pool: bool) -> None:
    pytest.importorskip("pandas", reason="no pandas here")
    command = [sys.executable, "-W", "ignore", "-c", WRITE.format(before=before)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.stdout.splitlines() == [f"{loaded} {same_pool}", "3 True"], done.stderr
