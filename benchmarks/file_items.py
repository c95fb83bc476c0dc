"""Small files: copied, written, and rendered from a template, beside a Python pool that does just that, and a loop of the shell.

usage: python benchmarks/file_items.py [ROUNDS]
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from contest.alone import alone
from contest.works import Beside, Contender, Looks, Work, counted, ours, part, python_peer

COUNT, AT_ONCE = 20_000, 8
TEXT = "I am the file number {}, and small.\n"
FLOW = """
steps:
  - name: work
    task: batch
    inputs:
      items: {from: range, stop: %d}
      max_parallel: %d
      task: %s
"""
TASKS = {
    "copy_file": '{type: copy_file, source: "{folder}/{{ item }}.txt", destination: "out/{{ item }}.txt"}',
    "write_file": '{type: write_file, path: "out/{{ item }}.txt", content: "I am the file number {{ item }}, and small.\\n"}',
    "template": '{type: template, template: "I am the file number {{ item }}, and small.\\n", output: "out/{{ item }}.txt"}',
}
LOOPS = {
    "copy_file": 'mkdir out; n=0; while [ $n -lt {count} ]; do cp "{folder}/$n.txt" "out/$n.txt"; n=$((n+1)); done',
    "write_file": 'mkdir out; n=0; while [ $n -lt {count} ]; do echo "I am the file number $n, and small." > "out/$n.txt"; n=$((n+1)); done',
}


def works(share: float = 1.0) -> Iterator[Work]:
    """Each kind of task, with as many files."""
    count = part(COUNT, share)
    for kind, task in TASKS.items():
        needs = "jinja2" if kind == "template" else ""
        words = (kind, "{folder}", count, AT_ONCE)
        peers = [
            python_peer("a pool of threads, on disk too", "files.py", *words, "synced", least=1 / 3, needs=needs),
            python_peer("a pool of threads, perhaps lost", "files.py", *words, needs=needs),
        ]
        if kind in LOOPS:
            loop = LOOPS[kind].replace("{count}", str(count))
            peers.append(Contender("a loop of the shell", ("sh", "-c", loop), looks=all_there(count)))
        yield Work(
            f"files-{kind}",
            f"{count:,} small files by `{kind}`, {AT_ONCE} at once",
            count,
            ours(FLOW % (count, AT_ONCE, task), counted(succeeded=count, more=all_there(count))),
            tuple(peers),
            beside=folder_of(count),
        )


def all_there(count: int) -> Looks:
    """Looks whether there are so many files, and the last one is right."""

    def look(folder: Path, _output: str) -> Mapping[str, float]:
        found = sum(1 for _ in (folder / "out").iterdir())
        assert found == count, f"{found} files instead of {count}"
        last = (folder / "out" / f"{count - 1}.txt").read_text(encoding="utf-8")
        assert last == TEXT.format(count - 1), last
        return {}

    return look


def folder_of(count: int) -> Beside:
    """A folder with the files to copy, and the template."""

    @contextmanager
    def beside() -> Iterator[Mapping[str, str]]:
        with tempfile.TemporaryDirectory() as folder:
            for number in range(count):
                Path(folder, f"{number}.txt").write_text(TEXT.format(number), encoding="utf-8")
            Path(folder, "page.txt").write_text(TEXT.format("{{ item }}"), encoding="utf-8")
            yield {"folder": folder}

    return beside


if __name__ == "__main__":
    alone(works)
