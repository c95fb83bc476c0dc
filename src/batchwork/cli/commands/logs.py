"""`batchwork logs`: all that is known of one unit — its attempts, errors, output."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import click

from batchwork.cli.failures import error_line
from batchwork.cli.look import item_text, looking, note_words, readable, the_steps, units_of_key
from batchwork.cli.options import HelpfulCommand, step_option, store_option
from batchwork.engine.run.find_run import find_run
from batchwork.errors import RunRefused, UsageError
from batchwork.model import AttemptRecord, Failure, LogRecord, StepRecord, UnitRecord
from batchwork.ports.store import Store, UnitView
from batchwork.text.jsontext import decode
from batchwork.text.wording import duration, only_if, plural, short, visible, when
from batchwork.view.streams import Stdout


@click.command("logs", cls=HelpfulCommand)
@click.argument("words", nargs=-1, required=True, metavar="[RUN] KEY")
@step_option("Only the item of this step. Default: all steps.")
@store_option
def logs_command(words: tuple[str, ...], step: str | None, store: str | None) -> None:
    """Show one item of RUN (the latest run by default): its attempts, errors and output.

    KEY is a key as `items` shows it, or the item itself where that is a text.
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


def _lines(store: Store, step: StepRecord, unit: UnitView) -> Iterator[str]:
    record = unit.record
    yield f"step {visible(step.name)}{_whereabouts(record)}: {unit.status} after {plural(record.attempts, 'attempt')}"
    if record.key:
        yield f"  item: {short(visible(readable(item_text(unit))), 2000)}"
    if record.started_ms:
        worker = only_if(record.worker, f", on {visible(record.worker)}")
        yield f"  last attempt: {when(record.started_ms)}, took {duration(record.duration_us / 1e6)}{worker}"
    if words := note_words(record):
        yield f"  note: {words}"
    failed = {attempt.attempt: attempt for attempt in store.attempts(step.number, record.seq)}
    yield from _attempts(failed, store.logs(step.number, record.seq))
    if record.attempts not in failed:
        yield from _outcome(unit)
    elif unit.handler_failure is not None:
        yield _handler_line(unit.handler_failure)


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
