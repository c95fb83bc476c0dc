#!/usr/bin/env python3
"""`make demo`: a run over some thousand files with failures, the report, the cause mended, the retry. Takes no input.

Works in a folder of its own, which is removed at the end. Exits with 0 if each command ended as it should.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
FILES = 2000
BROKEN_FILES = (7, 707, 1707)
RECORDS = 5000
BROKEN_RECORDS = (40, 1040, 2040, 4999)
WORDS = [
    "one",
    "line",
    "after",
    "the",
    "other",
    "until",
    "the",
    "page",
    "is",
    "full",
    "and",
    "another",
    "page",
    "begins",
]


def main() -> int:
    """The demonstration, step by step."""
    folder = Path(tempfile.mkdtemp(prefix="batchwork-demo-"))
    try:
        say(f"{FILES} small files and {RECORDS} records, a few of them broken, in {folder}")
        prepare(folder)
        batchwork(folder, "run", "demo.yaml", expect=3)
        say("Exit code 3: finished, with failures that the workflow tolerates. Which?")
        batchwork(folder, "errors", expect=0)
        say("The cause is mended: the files are readable now. Only what failed is run again, and what comes after it.")
        mend(folder)
        batchwork(folder, "retry", "--downstream", expect=3)
        say("All files are compressed. The broken records are still broken: they fail again.")
        batchwork(folder, "items", "--status", "failed", expect=0)
        batchwork(folder, "results", "--step", "total", "--format", "jsonl", expect=0)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def prepare(folder: Path) -> None:
    """The workflow and its input. A broken file is a folder with the name of a file: no rights help to compress that."""
    shutil.copy(HERE / "demo.yaml", folder)
    files = folder / "files"
    files.mkdir()
    for number in range(FILES):
        (files / f"page {number:04}.txt").write_text(" ".join(WORDS[number % len(WORDS) :]) + "\n")
    for number in BROKEN_FILES:
        path = files / f"page {number:04}.txt"
        path.unlink()
        path.mkdir()
    with (folder / "records.jsonl").open("w") as out:
        for number in range(RECORDS):
            text = None if number in BROKEN_RECORDS else " ".join(WORDS[: number % len(WORDS) + 1])
            out.write(json.dumps({"id": f"r{number}", "text": text}) + "\n")


def mend(folder: Path) -> None:
    """Make the broken files files."""
    for number in BROKEN_FILES:
        path = folder / "files" / f"page {number:04}.txt"
        path.rmdir()
        path.write_text("mended\n")


def batchwork(folder: Path, *args: str, expect: int) -> None:
    """Run the command for all to see; stop the demonstration if it ends with another exit code."""
    print(f"\n$ batchwork {' '.join(args)}", flush=True)
    command = Path(sys.executable).parent / "batchwork"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("BATCHWORK_")}
    code = subprocess.run(
        [str(command), *args], cwd=folder, env=environ, stdin=subprocess.DEVNULL, check=False
    ).returncode
    if code != expect:
        sys.exit(f"demo: `batchwork {args[0]}` ended with exit code {code}, not {expect}")


def say(text: str) -> None:
    """A line of the demonstration's own."""
    print(f"\n# {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
