"""`make demo` runs without a terminal, and ends as it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo" / "demo.py"


def test_the_demonstration_ends_well() -> None:
    done = subprocess.run(
        [sys.executable, str(DEMO)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=170, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "compress: 3 failures" in done.stdout
    end = done.stdout.split("$ batchwork retry")[1]
    assert "compress: 3 failures" not in end
    assert '{"records":4996,' in end
