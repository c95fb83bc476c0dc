"""Golden files: what the program prints, kept in tests/cli/golden. BATCHWORK_GOLDEN=write writes them anew."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "golden"

Golden = Callable[[str, str], None]


def steady(text: str) -> str:
    """`text` without what differs from run to run: ids, times, durations, speeds, folders."""
    text = re.sub(r"\d{8}-\d{6}-[0-9a-f]{6}", "RUN", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "WHEN", text)
    text = re.sub(r"(/tmp|/var|/private)\S*/(?=\S)", "FOLDER/", text)
    text = re.sub(r"\b\d+(\.\d+)? (µs|ms|s|min \d\d s)\b(?! apart)", "TIME", text)
    text = re.sub(r"\b[\d,.]+/(s|min|h)\b", "RATE", text)
    text = re.sub(r"\b(python/|reactor-)\d+", r"\1PID", text)
    text = re.sub(r"^  (CPU \d+ %|machine  |speed  ).*\n", "", text, flags=re.M)
    return re.sub(r" +(?=TIME|RATE|duration|rate\b)", " ", text)


@pytest.fixture
def golden() -> Golden:
    """`golden(name, text)`: the text, made steady, is what the golden file holds."""

    def check(name: str, text: str) -> None:
        path = FOLDER / f"{name}.txt"
        found = steady(text)
        if os.environ.get("BATCHWORK_GOLDEN") == "write":
            path.write_text(found)
        assert path.exists(), f"{path} is not there; BATCHWORK_GOLDEN=write writes it"
        assert found == path.read_text()

    return check
