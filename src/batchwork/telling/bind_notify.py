"""`notify:` of a plan bound to a run: its commands, URLs and values are rendered when there is something to say."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from batchwork.clock import Clock
from batchwork.errors import BatchworkError, RunRefused
from batchwork.events import Warned
from batchwork.plan.model import NotifyPlan, Plan
from batchwork.ports import EventSink, Scope, Store
from batchwork.proctree import COOKIE
from batchwork.quoting import ShellCommand
from batchwork.report import Summary, summarize
from batchwork.telling.deliver import Delivery, Message, command_delivery, url_delivery
from batchwork.telling.notify import Notifier
from batchwork.template import Value


class NotifyContext(Struct, frozen=True):
    """What notifications need of their run. `scope` gives the names as they are when something is said."""

    run: str
    store: Store
    sink: EventSink
    clock: Clock
    scope: Callable[[], Scope]
    environ: dict[str, str]
    cwd: str
    cookie: str

    def summary(self) -> Summary:
        """The run's figures as they are now."""
        record = self.store.run(self.run)
        if record is None:
            raise RunRefused(f"there is no run `{self.run}`")
        return summarize(record, self.store.steps(self.run), now_ms=self.clock.wall_ms())

    def warn(self, text: str) -> None:
        self.sink.emit(Warned(text))


def bound_notifier(plan: Plan, context: NotifyContext) -> Notifier:
    """The sink that speaks for all entries of `notify:`."""
    entries = [(entry, _delivery(entry, context)) for entry in plan.notify]
    return Notifier(entries, context.summary, context.warn, context.clock)


def _delivery(entry: NotifyPlan, context: NotifyContext) -> Delivery:
    command, url = entry.command, entry.url
    if command is not None:
        return _by_command(command, context)
    assert url is not None
    return _by_url(url, context)


def _by_url(url: Value, context: NotifyContext) -> Delivery:
    def deliver(message: Message) -> None:
        url_delivery(_text(url, context.scope()))(message)

    return deliver


def _by_command(command: ShellCommand, context: NotifyContext) -> Delivery:
    def deliver(message: Message) -> None:
        scope = context.scope()
        environ = {**context.environ, COOKIE: context.cookie, **command.bind(scope)}
        command_delivery(["/bin/sh", "-c", command.text(scope)], environ, context.cwd)(message)

    return deliver


def _text(url: Value, scope: Scope) -> str:
    text = url.text(scope).strip()
    if not text:
        raise BatchworkError("its URL is empty")
    return text
