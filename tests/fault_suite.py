"""The fault suite: which faults batchwork survives, how, and which tests show it. Tests say so with `@pytest.mark.fault("A01")`.

`make faults` runs them all and writes docs/faults.md from what they said. A fault without a test here is one that is shown
by a measurement (`benchmarks/`), which is named instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).parent
DOCUMENT = TESTS.parent / "docs" / "faults.md"


class Row(NamedTuple):
    """A fault in a few words, what comes of it, and what shows it where that is no test."""

    fault: str
    outcome: str
    measured: str = ""


SECTIONS: Mapping[str, Mapping[str, Row]] = {
    "Crashes, and what is on disk": {
        "A01": Row(
            "`kill -9` at random moments, commands", "`resume` finishes; nothing recorded is lost or runs again"
        ),
        "A02": Row("the same, Python items", "the same"),
        "A03": Row("`kill -9` at each point of the way of an outcome", "only what was claimed there runs twice"),
        "A04": Row("one write of the store fails, whichever", "it is made again; or exit 4, and `resume` finishes"),
        "A05": Row("a commit takes place and is reported as failed", "noticed: nothing is recorded or counted twice"),
        "A06": Row("`kill -9` while the source is still being read", "`resume` reads on; no item is left out"),
        "A08": Row("a power cut: the log torn anywhere", "whole groups up to some point; `resume` finishes"),
        "A09": Row("a power cut after a report", "what was reported had been synced before"),
        "A11": Row("batchwork stands still for a while", "the time does not count for timeouts"),
        "A13": Row("results too large for memory", "the item fails; batchwork lives"),
    },
    "Signals": {
        "B01": Row("Ctrl-C", "what runs finishes and is recorded; exit 130"),
        "B02": Row("Ctrl-C twice", "what runs is ended: interrupted, no attempt used"),
        "B03": Row("Ctrl-C three times, SIGTERM ignored", "killed at once; no process is left"),
        "B04": Row("SIGTERM", "as Ctrl-C, for 20 s; exit 143"),
        "B05": Row("the terminal goes away", "as SIGTERM"),
        "B07": Row("Ctrl-Z, then `fg`", "what runs stands still too; no time is lost to it"),
        "B09": Row("many graceful stops", "nothing runs twice"),
        "B11": Row("SIGQUIT, SIGUSR1", "stacks on standard error; the run goes on"),
    },
    "Commands": {
        "C01": Row("a command exceeds its timeout", "it fails as `timeout`; others are not affected"),
        "C02": Row("… with children in the background", "they are gone too"),
        "C03": Row("… with children in sessions of their own", "killed and noted; never a hang"),
        "C05": Row("hundreds of detached children", "none is left"),
        "C07": Row("a command ignores SIGTERM", "SIGKILL after the grace"),
        "C12": Row("any exit code, any signal", "recorded as it is; 126 and 127 with a hint"),
        "C13": Row("a command that is not there, no program, a folder", "fails with the reason; not retried"),
        "C15": Row("`kill -9` of batchwork while commands run", "they end within 2 s, or at the resume"),
        "C17": Row("the system has no room for processes for a while", "the start is made again; no attempt is used"),
    },
    "Python workers": {
        "D01": Row("`os._exit(0)` in an item", "that item fails as `worker died`; others succeed"),
        "D02": Row("a segmentation fault", "the same, with the signal"),
        "D03": Row("a worker is killed from outside", "only what it ran fails"),
        "D04": Row("an item takes all memory", "that item fails; batchwork and others live"),
        "D05": Row("SystemExit, KeyboardInterrupt, BaseException", "the item fails with that type"),
        "D06": Row("an endless loop, also one in C that holds the GIL", "killed from outside at its timeout"),
        "D11": Row("an item that always kills its worker", "no more attempts after the second death"),
        "D13": Row("an error in a module", "its file and line are named; no endless restarts"),
        "D14": Row("an interpreter that is not there or ends at once", "one clear error; the step fails"),
        "D15": Row("eight items that sleep, eight workers", "they sleep at the same time"),
    },
    "Output and results": {
        "E01": Row("an item prints 1 GiB", "head and tail are kept; memory stays flat"),
        "E02": Row("output without line ends", "the same"),
        "E03": Row("bytes that are not UTF-8", "nothing is lost; letters stay whole"),
        "E05": Row("results that are not JSON", "the item fails, the place in the value is named"),
        "E06": Row("NaN, Infinity", "the same"),
    },
    "Nasty items": {
        "F01": Row("quotes, `$(…)`, `; rm` in shell commands", "they arrive byte for byte; nothing is executed"),
        "F02": Row("the same in Python, URLs, headers, bodies", "unchanged, or refused with the reason"),
        "F04": Row("`007`, `1e5`, `None`, `True`", "text stays text"),
        "F05": Row("items that begin with `-`", "fail as `option-like value` before anything starts"),
        "F06": Row("NUL in an item for a command", "that item fails; others go on"),
        "F07": Row("items longer than an environment string", "that item fails; the message names `stdin:`"),
        "F11": Row("no item, one item", "0 items, exit 0; one runs"),
    },
    "HTTP": {
        "G01": Row("a server that never answers", "`timeout`, in time"),
        "G02": Row("headers or a body that drip", "the deadline is for all of it"),
        "G03": Row("500, 502, 503, 504, then an answer", "attempts with growing delays; success"),
        "G04": Row("400, 401, 403, 404, 422", "fails at once; an excerpt without credentials"),
        "G05": Row("`Retry-After`", "no attempt before that time"),
        "G07": Row("a body that is huge or endless", "given up at `max_body`"),
        "G09": Row("redirects in a circle or without end", "fails after five"),
        "G11": Row("redirects to other schemes", "refused"),
        "G12": Row("`file://` and the like from an item", "refused"),
        "G13": Row("private addresses in any spelling, with `deny_private`", "not connected to"),
        "G15": Row("answers cut, reset, garbled, too short", "failures, never a success with half of a body"),
        "G16": Row(
            "a POST took place and its answer is lost", "not sent again, unless `idempotent`: with the same key"
        ),
    },
    "The store": {
        "H01": Row("the disk is full", "30 s of patience, exit 4; with room `resume` finishes; it can be looked at"),
        "H02": Row("a limit of the file size", "the same"),
        "H04": Row("no permission, read-only, a file in the way", "exit 4 before any item runs; it can be looked at"),
        "H06": Row(
            "`-wal` removed; any state file emptied, replaced, garbled", "noticed; exit 4, nothing runs again unsaid"
        ),
        "H07": Row("a store of a newer version", "exit 4; it is left as it is"),
        "H08": Row("a store of an older version, also killed meanwhile", "migrated whole, with a copy of the old one"),
        "H10": Row("fsync fails", "not believed the second time: opened anew, or exit 4"),
        "H12": Row("somebody reads for a long time", "writing goes on; the log shrinks afterwards"),
        "H13": Row("another process keeps it locked", "waited for, said after 5 s"),
        "H16": Row("any umask", "folders 0700, files 0600"),
        "H17": Row("the database opened beside SQLite", "never in this program"),
    },
    "A store on a server": {
        "J01": Row("no server, no database, a wrong password", "exit 4 at once with the server's words, no password"),
        "J02": Row("the server restarted in the middle, again and again", "waited for; nothing is lost or runs twice"),
        "J03": Row("the server stays away", "a warning, then exit 4; `resume` finishes"),
        "J05": Row("a server process that says nothing", "told after 12 s, left after 60 s; a dead line after 11 s"),
        "J06": Row("deadlocks, conflicts, locks of other programs", "tried again; said"),
        "J07": Row("full, read-only, no right, another version", "exit 4 with the server's words"),
        "J08": Row("a pool that gives each transaction another connection", "works: nothing is kept in a connection"),
        "J09": Row("machines whose clocks differ", "leases go by the clock of the database"),
        "J10": Row("all commands", "say the same as over SQLite"),
    },
    "Two at once": {
        "I01": Row("the same run started twice at once", "one works; exit 4 for the other, the owner named"),
        "I02": Row("`resume` of a run that goes on", "exit 4"),
        "I04": Row("the owner of a run is killed", "`resume` works at once"),
        "I09": Row("an owner stands still, its run is taken over", "what it writes later is refused; exit 4 for it"),
        "I05": Row("… and a worker of it lives on", "it is ended first; nothing runs twice at once"),
    },
    "Resume": {
        "K01": Row("nothing changed", "runs what was not done, and nothing else"),
        "K02": Row("the run has finished", "nothing to do; the same exit code"),
        "K03": Row("the command changed", "exit 4 with the difference; `--accept-changes` keeps what is done"),
        "K04": Row("items come, go and move", "matched by key, never by position"),
        "K06": Row("limits, timeouts, retries changed", "accepted"),
        "K08": Row("a Python function's file changed", "exit 4, the function named"),
        "K12": Row("items in doubt", "`on_in_doubt` says what is done"),
    },
    "The workflow file": {
        "L01": Row("wrong workflows of all kinds", "all problems with line, reason and advice; exit 2"),
        "L02": Row("tags, commands, modules in a file that is validated", "nothing is executed"),
        "L07": Row("a wrong name in `when`", "an error with its line, never a skip"),
        "L08": Row("all items fail, tolerated", "exit 3 and the counts"),
    },
    "Size": {
        "M01": Row("a million items", "flat memory, descriptors and threads", "benchmarks/noop_items.py"),
        "M02": Row(
            "a million items, `kill -9` at half", "the first new item within 5 s", "benchmarks/resume_million.py"
        ),
        "M10": Row("few file descriptors", "the run works, or ends with a message that names the limit"),
    },
    "Secrets and sandboxes": {
        "N01": Row("a secret in every place where one can be", "masked in store, logs, messages; in no argument list"),
        "N02": Row("a secret too short to be masked", "warned of, once"),
        "N12": Row("ways out of the template sandbox", "refused"),
        "N17": Row("a password in the URL of a store", "in no message, record or file; a warning where `ps` shows it"),
        "N14": Row("values in `sh -c`, `eval`, `awk`, `ssh` …", "refused, with what to write instead"),
    },
    "Time": {
        "P01": Row("the clock is put back or forth", "durations, timeouts and delays do not notice"),
    },
}

ROWS: Mapping[str, Row] = {name: row for rows in SECTIONS.values() for name, row in rows.items()}

HEAD = """# Faults, and what comes of them

The faults that batchwork is tested against. This page is written by `make faults`, which runs the tests that it names; who
adds one says `@pytest.mark.fault("…")` and runs it again.
"""


def document(tests: Mapping[str, Sequence[str]], failed: Sequence[str] = ()) -> str:
    """The page. `failed` are the faults with a test that failed."""
    parts = [HEAD]
    for title, rows in SECTIONS.items():
        parts.append(f"\n## {title}\n\n| id | fault | outcome | shown by |\n|---|---|---|---|\n")
        for name, row in rows.items():
            shown = "<br>".join(
                [f"`{test}`" for test in tests.get(name, ())] + [f"`{row.measured}`"] * bool(row.measured)
            )
            outcome = f"**FAILS**: {row.outcome}" if name in failed else row.outcome
            fault = row.fault.replace("|", "\\|")
            parts.append(f"| {name} | {fault} | {outcome} | {shown} |\n")
    return "".join(parts)
