"""`batchwork logs`: all that is known of one unit — its attempts, errors, output."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence

import click

from batchwork.cli.failures import error_line
from batchwork.cli.look import looking, note_words, readable, seconds_taken, the_steps, units_of_key
from batchwork.cli.options import HelpfulCommand, offered, step_option, store_option
from batchwork.engine.run.find_run import find_run
from batchwork.errors import RunRefused, UsageError
from batchwork.model import AttemptRecord, Failure, LogRecord, StepRecord, UnitRecord
from batchwork.ports.recorded import value_text
from batchwork.ports.store import Store, UnitView
from batchwork.text.jsontext import decode
from batchwork.text.wording import duration, only_if, plural, short, visible, when
from batchwork.view.streams import Stdout

FOLLOW_EVERY_S = 0.5
OVERLAP = 200
"""Characters by which the end of an older output is found in a newer one."""


@click.command("logs", cls=HelpfulCommand)
@click.argument("words", nargs=-1, required=True, metavar="[RUN] KEY", shell_complete=offered("runs"))
@step_option("Only the item of this step. Default: all steps.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what it prints, until it does not run any more.")
@store_option
def logs_command(words: tuple[str, ...], step: str | None, follow: bool, store: str | None) -> None:
    """Show one item of RUN (the latest run by default): its attempts, errors and output.

    KEY is a key as `items` shows it, or the item itself where that is a text. Of one that is running there is what it has
    printed so far.
    """
    if len(words) > 2:
        raise UsageError(f"`logs` takes a run and a key, not {len(words)} words", "put a key with spaces into quotes")
    run, key = words[0] if len(words) == 2 else None, words[-1]
    out = Stdout()
    with looking(store) as opened:
        record = find_run(opened, run)
        found = units_of_key(opened, the_steps(opened, record, step), key)
        if not found:
            raise RunRefused(
                f"run `{record.id}` has no item with key `{key}` that has been started",
                f"`batchwork items {record.id}` lists the keys",
            )
        for place, unit in found:
            for line in _lines(opened, place, unit):
                out.line(line)
        out.flush()
        if follow:
            _follow(opened, [(place, unit) for place, unit in found if unit.status == "running"], out)


def _follow(store: Store, running: list[tuple[StepRecord, UnitView]], out: Stdout) -> None:
    """Print what running units print, and in the end how they ended."""
    shown = {unit.record.seq: store.logs(step.number, unit.record.seq) for step, unit in running}
    while running:
        threading.Event().wait(FOLLOW_EVERY_S)
        still = []
        for step, unit in running:
            seq = unit.record.seq
            logs = store.logs(step.number, seq)
            for line in news(shown[seq], logs):
                out.line(f"      {line}")
            shown[seq] = logs
            now = [found for found in store.units(step.number, key=unit.record.key) if found.record.seq == seq]
            if now and now[0].status == "running":
                still.append((step, unit))
            elif now:
                out.line(f"{visible(unit.record.key)}: {now[0].status} {error_line(now[0].record.failure)}".rstrip())
        out.flush()
        running = still


def news(before: Sequence[LogRecord], now: Sequence[LogRecord]) -> Iterator[str]:
    """The lines that `now` has more than `before`, log by log; where only tails are known, those after the old one's end."""
    for number, log in enumerate(now):
        old = before[number].text if number < len(before) else ""
        new = log.text.removeprefix(old)
        if old and len(new) == len(log.text):
            new = log.text.rpartition(old[-OVERLAP:])[2]
        if new.strip("\n"):
            yield from new.rstrip("\n").split("\n")


def _lines(store: Store, step: StepRecord, unit: UnitView) -> Iterator[str]:
    record = unit.record
    yield f"step {visible(step.name)}{_whereabouts(record)}: {_standing(unit)}"
    if record.key and (value := value_text(record)):  # of one that runs it may not be recorded yet
        yield f"  item: {short(visible(readable(value)), 2000)}"
    if record.started_ms:
        worker = only_if(record.worker, f", on {visible(record.worker)}")
        took = only_if(unit.status != "running", f", took {duration(record.duration_us / 1e6)}")
        yield f"  last attempt: {when(record.started_ms)}{took}{worker}"
    if words := note_words(record):
        yield f"  note: {words}"
    failed = {attempt.attempt: attempt for attempt in store.attempts(step.number, record.seq)}
    yield from _attempts(failed, store.logs(step.number, record.seq))
    if unit.status == "running":
        return
    if record.attempts not in failed:
        yield from _outcome(unit)
    elif unit.handler_failure is not None:
        yield _handler_line(unit.handler_failure)


def _standing(unit: UnitView) -> str:
    if unit.status == "running":
        return f"running for {duration(seconds_taken(unit))}, attempt {unit.record.attempts}"
    return f"{unit.status} after {plural(unit.record.attempts, 'attempt')}"


def _whereabouts(record: UnitRecord) -> str:
    index = only_if(record.index is not None, f", index {record.index}")
    return index + only_if(record.key, f", key {visible(record.key)}")


def _attempts(failed: Mapping[int, AttemptRecord], logs: Iterable[LogRecord]) -> Iterator[str]:
    """All attempts of which something is known, by their number."""
    outputs: dict[int, list[LogRecord]] = {}
    for log in logs:
        outputs.setdefault(log.attempt, []).append(log)
    for number in sorted({*failed, *outputs}):
        yield from _attempt_lines(number, failed.get(number), outputs.get(number, []))


def _outcome(unit: UnitView) -> Iterator[str]:
    """How the last attempt ended, where no failed one says it."""
    record = unit.record
    if record.failure is not None:
        yield f"  error: {visible(error_line(record.failure))}"
    if unit.handler_failure is not None:
        yield _handler_line(unit.handler_failure)
    if record.result is not None:
        yield "  result:"
        yield from _result_lines(record.result)


def _handler_line(failure: Failure) -> str:
    return f"  on_item_error failed: {visible(error_line(failure))}"


def _attempt_lines(number: int, failed: AttemptRecord | None, logs: list[LogRecord]) -> Iterator[str]:
    if failed is None:
        yield f"  attempt {number}:"
    else:
        took = duration(failed.duration_us / 1e6)
        yield f"  attempt {number}: {when(failed.started_ms)}, failed after {took}: {visible(error_line(failed.failure))}"
        if failed.failure.traceback:
            yield from _indented(failed.failure.traceback)
        if failed.failure.result is not None:
            yield from _result_lines(failed.failure.result)
    for log in logs:
        yield "    output:"
        yield from _indented(log.text)


def _result_lines(text: str) -> Iterator[str]:
    """A result: a command's output as it was printed, anything else as JSON."""
    value = decode(text)
    if isinstance(value, dict) and value.keys() == {"stdout", "stderr", "exit_code"}:
        if value["exit_code"] is not None:  # it had none where it was ended before its time
            yield f"    exit code {value['exit_code']}"
        for name in ("stdout", "stderr"):
            if value[name]:
                yield f"    {name}:"
                yield from _indented(str(value[name]))
        return
    yield f"    {visible(readable(text))}"


def _indented(text: str) -> Iterator[str]:
    for line in text.rstrip("\n").split("\n"):
        yield f"      {visible(line)}"
