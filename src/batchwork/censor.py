"""What leaves a run without its secrets: reports of executors, what the store keeps, events, and what a command prints.

The value of a declared secret in the workflow's text or its parameters is kept as `«secret:NAME»`, and a resume takes it
from the environment again. A password that has no name (in a URL, or an `Authorization` header) cannot be put back: that
it is lost is said, and a resume needs the workflow's file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from batchwork.events import Event
from batchwork.model import Checkpoint, Failure, Report, RunRecord, Successes, UnitNote, UnitRecord
from batchwork.ports import Running
from batchwork.secrets import SHORTEST, masker, url_passwords
from batchwork.text.jsontext import Json

AnyStruct = TypeVar("AnyStruct", bound=Struct)

_IDENTITY: Final = frozenset({"id"})
"""Fields by which a record is found again: they are what they are."""


class Censor:
    """Takes secrets out of values. `names` are the secrets that a workflow declares, `environ` holds what they are.

    `further` are credentials that it holds without declaring them.

    Keys of units are identity: they pass once, when they are made (`keys`), and are the same from then on.
    """

    hides = True
    """Whether there is anything to hide."""

    def __init__(
        self, names: Sequence[str] = (), environ: Mapping[str, str] | None = None, further: Iterable[str] = ()
    ) -> None:
        known = environ or {}
        # Longer ones first: a secret may hold another one.
        self._named = sorted(((name, known[name]) for name in names if known.get(name)), key=lambda pair: -len(pair[1]))
        self._mask = masker(names, known, further)

    # ------------------------------------------------------------ texts and values

    def text(self, text: str) -> str:
        """The text with `***` for each secret; JSON stays JSON."""
        return self._mask(text)

    def texts(self, texts: Sequence[str]) -> Sequence[str]:
        """Each text without secrets. One look at all of them together; only what has some is looked at again."""
        return list(map(self._mask, texts)) if self._mask.finds("\n".join(texts)) else texts

    def keys(self, keys: Sequence[str]) -> Sequence[str]:
        """The keys that units have, from what an item or a template says."""
        return self.texts(keys)

    def failure(self, failure: Failure) -> Failure:
        return self._fields(failure)

    # ------------------------------------------------------------ what comes from executors

    def report(self, report: Report) -> Report:
        return replace(
            report,
            results=self.texts(report.results),
            failures=[(offset, self.failure(failure), us) for offset, failure, us in report.failures],
            logs={offset: self._mask(text) for offset, text in report.logs.items()},
            setup=self._mask(report.setup),
        )

    def running(self, unit: Running) -> Running:
        return replace(unit, stdout=self._mask(unit.stdout), stderr=self._mask(unit.stderr))

    # ------------------------------------------------------------ what the store keeps

    def checkpoint(self, checkpoint: Checkpoint) -> Checkpoint:
        return replace(
            checkpoint,
            successes=[self._successes(rows) for rows in checkpoint.successes],
            records=[self.unit(record) for record in checkpoint.records],
            attempts=[self._fields(attempt) for attempt in checkpoint.attempts],
            logs=[self._fields(log) for log in checkpoint.logs],
            handled=[self._fields(handled) for handled in checkpoint.handled],
            values=[(seq, self._optional(value), members) for seq, value, members in checkpoint.values],
        )

    def unit(self, record: UnitRecord) -> UnitRecord:
        """The unit as it may be kept; noted where its value is not what it was, and so cannot be run again."""
        value = self._optional(record.value)
        note = record.note if value == record.value else record.note or UnitNote.MASKED
        failure = None if record.failure is None else self.failure(record.failure)
        return replace(record, value=value, result=self._optional(record.result), failure=failure, note=note)

    def run(self, record: RunRecord) -> RunRecord:
        return self._fields(record)

    def change(self, change: AnyStruct) -> AnyStruct:
        """A change of a run's or a step's record."""
        return self._fields(change)

    def workflow(self, text: str) -> tuple[str, bool]:
        """The workflow as it may be kept, and whether something was taken out that cannot be put back."""
        marked = self._marked(text)
        kept = self._mask(marked)
        return kept, kept != marked

    def params(self, params: Mapping[str, Json]) -> tuple[dict[str, Json], tuple[str, ...]]:
        """The parameters as they may be kept, and the names of those that lost something."""
        marked = {name: _mapped(value, self._marked) for name, value in params.items()}
        kept = {name: _mapped(value, self._mask) for name, value in marked.items()}
        return kept, tuple(name for name in params if kept[name] != marked[name])

    # ------------------------------------------------------------ what is told

    def event(self, event: Event) -> Event:
        return self._fields(event)

    # ------------------------------------------------------------

    def _successes(self, rows: Successes) -> Successes:
        values = rows.values
        if self._mask.finds("\n".join(filter(None, values))):
            values = [self._optional(value) for value in values]
        return replace(rows, values=values, results=self.texts(rows.results))

    def _optional(self, text: str | None) -> str | None:
        return None if text is None else self._mask(text)

    def _fields(self, value: AnyStruct) -> AnyStruct:
        """The same with its texts, and its failure's texts, masked."""
        changed: dict[str, object] = {}
        for name in value.__struct_fields__:
            was: object = getattr(value, name)
            if type(was) is str and name not in _IDENTITY and self._mask.finds(was):
                changed[name] = self._mask(was)
            elif isinstance(was, Failure):
                changed[name] = self._fields(was)
        return replace(value, **changed) if changed else value

    def _marked(self, text: str) -> str:
        for name, value in self._named:
            # A short one would be found by chance in the midst of a text.
            if value == text or (len(value) >= SHORTEST and value in text):
                text = text.replace(value, _mark(name))
        return text


class NoCensor(Censor):
    """Lets everything pass: for runs that have nothing to hide, whose units must not cost anything here."""

    hides = False

    def text(self, text: str) -> str:
        return text

    def texts(self, texts: Sequence[str]) -> Sequence[str]:
        return texts

    def failure(self, failure: Failure) -> Failure:
        return failure

    def report(self, report: Report) -> Report:
        return report

    def running(self, unit: Running) -> Running:
        return unit

    def checkpoint(self, checkpoint: Checkpoint) -> Checkpoint:
        return checkpoint

    def unit(self, record: UnitRecord) -> UnitRecord:
        return record

    def event(self, event: Event) -> Event:
        return event


def censor_of(
    names: Sequence[str],
    environ: Mapping[str, str],
    text: str,
    params: Mapping[str, Json],
    further: Sequence[str] = (),
) -> Censor:
    """The censor of a run: one that hides nothing where neither its secrets, its workflow nor its parameters give cause."""
    censor = Censor(names, environ, further)
    if names or further or url_passwords(environ.values()) or censor.text(text) != text or censor.params(params)[1]:
        return censor
    return NoCensor()


def put_back(value: Json, names: Sequence[str], environ: Mapping[str, str]) -> Json:
    """A kept workflow or parameter with the secrets in it that were taken out and are set now."""
    known = [(_mark(name), environ[name]) for name in names if name in environ]

    def restored(text: str) -> str:
        for mark, secret in known:
            text = text.replace(mark, secret)
        return text

    return _mapped(value, restored) if known else value


def _mark(name: str) -> str:
    return f"«secret:{name}»"


def _mapped(value: Json, change: Callable[[str], str]) -> Json:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_mapped(part, change) for part in value]
    if isinstance(value, dict):
        return {change(key): _mapped(part, change) for key, part in value.items()}
    return value
