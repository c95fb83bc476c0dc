"""The censor: each kind of value without its secrets; the gates where it stands; what is kept and put back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from msgspec import to_builtins

import batchwork
from batchwork.censor import Censor, NoCensor, censor_of, put_back
from batchwork.engine.run.censored import CensoredSink, CensoredStore
from batchwork.engine.unit.stored_value import own_text
from batchwork.events import RunFinished, RunStarted, Said, StepFinished, Stopping, Warned
from batchwork.model import (
    AttemptRecord,
    Checkpoint,
    Counts,
    Failure,
    Handled,
    LogRecord,
    Report,
    RunRecord,
    RunStatus,
    StepStatus,
    Successes,
    UnitNote,
    UnitRecord,
    Units,
    UnitStatus,
)
from batchwork.ports import RunChange, StepChange
from batchwork.testing.fakes import Collected

SECRET = "s3cret!"
ENVIRON = {"TOKEN": SECRET}
TEXT = f"it is {SECRET}"
JSON = f'{{"a":"{SECRET}"}}'
FAILURE = Failure("exit", TEXT, f"Traceback {TEXT}", result=JSON)
RECORD = UnitRecord(0, 0, "k", UnitStatus.FAILED, 1, value=JSON, result=JSON, failure=FAILURE)


@pytest.fixture
def censor() -> Censor:
    return Censor(["TOKEN"], ENVIRON)


def told(value: Any) -> str:
    return repr(to_builtins(value, str_keys=True))


def test_a_report_loses_its_secrets(censor: Censor) -> None:
    report = Report(1, [0, 1], [JSON, '"plain"'], [1, 1], [(2, FAILURE, 5)], logs={0: TEXT, 2: "fine"}, worker="w")
    seen = censor.report(report)
    assert SECRET in told(report)
    assert SECRET not in told(seen)
    assert seen.results == ['{"a":"***"}', '"plain"']
    assert (seen.logs[2], seen.worker, seen.failures[0][2]) == ("fine", "w", 5)


def test_a_checkpoint_loses_its_secrets(censor: Censor) -> None:
    checkpoint = Checkpoint(
        1,
        successes=[Successes(1, 0, "w", [0, 1], [0, 1], ["a", "b"], [JSON, None], [JSON, "1"], [1, 1])],
        records=[RECORD],
        attempts=[AttemptRecord(0, 1, FAILURE, 0, 0)],
        logs=[LogRecord(0, 1, TEXT)],
        handled=[Handled(0, FAILURE)],
        values=[(3, JSON, None), (4, None, None)],
    )
    kept = censor.checkpoint(checkpoint)
    assert SECRET not in told(kept)
    assert kept.successes[0].values == ['{"a":"***"}', None]
    assert kept.values == [(3, '{"a":"***"}', None), (4, None, None)]


@pytest.mark.parametrize(
    "event",
    [
        RunStarted("r", TEXT, False, TEXT),
        StepFinished("a", StepStatus.FAILED, Counts(), 1.0, TEXT),
        Said("a", TEXT),
        Warned(TEXT, TEXT),
        Stopping(1, TEXT, 0),
        RunFinished("r", RunStatus.FAILED, 1.0, TEXT),
    ],
)
def test_events_lose_their_secrets(event: Any, censor: Censor) -> None:
    sink = Collected()
    CensoredSink(sink, censor).emit(event)
    (seen,) = sink.events
    assert type(seen) is type(event)
    assert SECRET not in told(seen)


def test_what_is_changed_in_a_record_is_censored(censor: Censor) -> None:
    assert SECRET not in told(censor.change(StepChange(result=JSON, failure=FAILURE)))
    assert SECRET not in told(censor.change(RunChange(workflow=TEXT, fingerprint=JSON, options=JSON, window=TEXT)))
    record = RunRecord(SECRET, TEXT, TEXT, TEXT, JSON, JSON, RunStatus.RUNNING, 0, options=JSON)
    kept = censor.run(record)
    assert kept.id == SECRET  # it is found by it
    assert told(kept).count(SECRET) == 1


class Written:
    """A store that keeps what is written to it."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def submit(self, checkpoint: Checkpoint, committed: Any) -> None:
        self.seen.append(checkpoint)

    def create_run(self, run: RunRecord, steps: Any) -> None:
        self.seen.append(run)

    def update_run(self, run: str, change: RunChange) -> None:
        self.seen.append(change)

    update_step = update_run

    def claims(self, step: int) -> str:
        return f"claims of {step}"


def test_whatever_is_written_to_the_store_passes_the_censor(censor: Censor) -> None:
    store = Written()
    gate: Any = CensoredStore(store, censor)  # type: ignore[arg-type]
    gate.submit(Checkpoint(1, records=[RECORD]), None)
    gate.create_run(RunRecord("r", TEXT, "f", TEXT, JSON, JSON, RunStatus.RUNNING, 0), [])
    gate.update_run("r", RunChange(workflow=TEXT))
    gate.update_step(1, StepChange(failure=FAILURE))
    assert len(store.seen) == 4
    assert not [value for value in store.seen if SECRET in told(value)]
    assert gate.claims(3) == "claims of 3"


# ---------------------------------------------------------------- values and keys


def test_a_value_that_was_changed_is_noted_unless_there_is_a_note(censor: Censor) -> None:
    assert censor.unit(RECORD).note == UnitNote.MASKED
    assert censor.unit(UnitRecord(0, 0, "k", UnitStatus.SKIPPED, 0, JSON, note=UnitNote.DUPLICATE)).note == "duplicate"
    assert censor.unit(UnitRecord(0, 0, "k", UnitStatus.FAILED, 0, '"fine"')).note is None


@pytest.mark.parametrize(
    ("value", "key", "written", "text"),
    [
        (7, "7", False, None),
        ("a", '"a"', False, None),
        ({"b": 1, "a": 2}, '{"a":2,"b":1}', False, None),
        (None, "", False, None),
        (SECRET, '"***"', False, f'"{SECRET}"'),
        ("a", '"a"#1', False, '"a"'),
        (7, "7", True, "7"),
    ],
)
def test_a_value_is_recorded_unless_its_key_says_it(value: Any, key: str, written: bool, text: str | None) -> None:
    assert own_text(Units([0], [0], [key], [value]), written) == text


def test_keys_are_the_same_however_often_they_are_made(censor: Censor) -> None:
    keys = censor.keys([f'"{SECRET}"', f"k{SECRET}", "plain"])
    assert keys == ['"***"', "k***", "plain"]
    assert censor.keys(keys) is keys


# ---------------------------------------------------------------- what is kept


def test_declared_secrets_are_kept_by_name_and_put_back(censor: Censor) -> None:
    kept, lost = censor.workflow(f"url: {SECRET}")
    assert (kept, lost) == ("url: «secret:TOKEN»", False)
    assert put_back(kept, ["TOKEN"], ENVIRON) == f"url: {SECRET}"
    params, lost_names = censor.params({"a": [SECRET], "b": "http://me:hunter22@h/", "c": 1})
    assert params == {"a": ["«secret:TOKEN»"], "b": "http://me:***@h/", "c": 1}
    assert lost_names == ("b",)


def test_a_short_secret_is_kept_by_name_only_where_it_is_the_whole_text() -> None:
    censor = Censor(["T"], {"T": "ab"})
    assert censor.params({"x": "ab", "y": "cab"})[0] == {"x": "«secret:T»", "y": "cab"}


@pytest.mark.parametrize(
    ("names", "environ", "text", "params", "hides"),
    [
        ((), {}, "name: a", {}, False),
        (("TOKEN",), ENVIRON, "name: a", {}, True),
        ((), {"DB": "postgres://me:hunter22@h/"}, "name: a", {}, True),
        ((), {}, "url: http://me:hunter22@h/", {}, True),
        ((), {}, "name: a", {"url": "http://me:hunter22@h/"}, True),
    ],
)
def test_units_cost_nothing_where_there_is_nothing_to_hide(
    names: tuple[str, ...], environ: dict[str, str], text: str, params: Any, hides: bool
) -> None:
    assert censor_of(names, environ, text, params).hides is hides


def test_no_censor_lets_the_very_same_values_pass() -> None:
    censor = NoCensor()
    report, checkpoint = Report(1, [0], ["1"], [1]), Checkpoint(1, records=[RECORD])
    assert censor.report(report) is report
    assert censor.checkpoint(checkpoint) is checkpoint
    assert censor.unit(RECORD) is RECORD
    assert censor.event(Warned(TEXT)) == Warned(TEXT)
    keys = ["a"]
    assert censor.keys(keys) is keys
    assert (censor.text(TEXT), censor.failure(FAILURE)) == (TEXT, FAILURE)


# ---------------------------------------------------------------- the gates

KNOW_SECRETS = {
    "censor.py": "the censor",
    "engine/run/censored.py": "store and sinks: what is kept, what is told",
    "engine/run/lifecycle.py": "makes the censor of a run",
    "engine/run/request.py": "hands it on",
    "engine/run/outcome/hidden.py": "columns of files of results",
    "engine/run/resume_check.py": "compares what is kept",
    "engine/step/desk.py": "what comes from executors",
    "engine/unit/brief.py": "hands it on to steps, and for keys",
    "export/sink.py": "names of files behind URLs, in errors",
    "export/target.py": "names of files behind URLs",
    "items/tables/database.py": "what databases say",
    "items/web/requests.py": "what web services are asked, in errors",
    "items/files/remote.py": "names of files behind URLs, and what their servers say",
    "plan/credentials/given.py": "passwords of URLs in parameters",
    "plan/credentials/written.py": "passwords of URLs in the file",
    "plan/resolve.py": "problems that a command prints",
    "cli/commands/plan.py": "what a command prints",
    "plan/commands.py": "refuses secrets in argument lists",
    "store/__init__.py": "passwords of URLs of stores, in what can be typed next",
    "store/postgres/server/address.py": "passwords of URLs of stores",
    "store/postgres/server/trouble.py": "what servers say",
    "tasks/http_request/task.py": "keeps bodies with secrets from other origins",
    "tasks/shell/task.py": "refuses secrets in argument lists",
    "engine/unit/stored_value.py": "knows a mask in a stored value",
    "workers/nodes/launch/address.py": "passwords in addresses of clusters, in errors",
}


def test_only_the_gates_know_of_secrets() -> None:
    house = Path(batchwork.__file__).parent
    importers = {
        str(path.relative_to(house))
        for path in house.rglob("*.py")
        if re.search(r"^\s*(from|import) batchwork\.(censor|secrets)\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert importers == set(KNOW_SECRETS)
