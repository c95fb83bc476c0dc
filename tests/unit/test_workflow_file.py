"""Files that a person names: read to their end, or a sentence why not; a pipe that nothing feeds keeps nobody waiting."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from batchwork.errors import UsageError
from batchwork.plan.resolve import read_params
from batchwork.spec import workflow_file
from batchwork.spec.workflow_file import workflow_text

READERS: list[Callable[[str], object]] = [workflow_text, read_params]


@pytest.mark.parametrize("read", READERS)
def test_a_pipe_to_which_nothing_writes(read: Callable[[str], object], work: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(workflow_file, "WRITER_S", 0.01)
    os.mkfifo("pipe")
    with pytest.raises(UsageError, match="pipe: a pipe to which nothing writes"):
        read("pipe")


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda: None, "No such file"),
        (lambda: os.mkdir("w"), "directory"),
        (lambda: Path("w").write_bytes(b"a: 1\nb: \xff\n"), "w:2: not UTF-8"),
    ],
)
def test_what_cannot_be_read(read: Callable[[str], object], write: Callable[[], object], message: str, work: Path):
    write()
    with pytest.raises(UsageError, match=message):
        read("w")


def _opens_late() -> None:
    with open("pipe", "w") as file:
        file.write("steps: ")
        file.flush()
        file.write("[]\n")


def test_a_pipe_whose_writer_comes_later(work: Path):
    os.mkfifo("pipe")
    writer = threading.Thread(target=_opens_late)
    later = threading.Timer(0.05, writer.start)
    later.start()
    assert workflow_text("pipe") == "steps: []\n"
    later.join()
    writer.join()


def test_a_pipe_whose_writer_is_there_and_takes_its_time(work: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(workflow_file, "WRITER_S", 0)
    reading, writing = os.pipe()
    begun = threading.Timer(0.05, lambda: (os.write(writing, b"steps: []\n"), os.close(writing)))
    begun.start()
    assert workflow_text(f"/dev/fd/{reading}") == "steps: []\n"
    begun.join()
    os.close(reading)
