"""From the plan's `notify:` entries to a Notifier that is ready: values are bound when it speaks."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from batchwork.clock import Clock
from batchwork.errors import BatchworkError, RunRefused
from batchwork.events import Warned
from batchwork.plan.model import NotifyPlan, Plan
from batchwork.ports import EventSink, Scope, Store
from batchwork.proctree import COOKIE
from batchwork.report import Summary, summarize
from batchwork.telling.deliver import Delivery, Message, command_delivery, url_delivery
from batchwork.telling.notify import Notifier
from batchwork.template import Value


class Bureau(Struct, frozen=True):
    """What deliveries need of the run. `scope` gives the names as they are when something is said."""

    run: str
    store: Store
    sink: EventSink
    clock: Clock
    scope: Callable[[], Scope]
    environ: dict[str, str]
    cwd: str
    cookie: str

    def notifier(self, plan: Plan) -> Notifier:
        """The sink that speaks for all entries of `notify:`."""
        entries = [(entry, self._delivery(entry)) for entry in plan.notify]
        return Notifier(entries, self._summary, self._warn, self.clock)

    def _delivery(self, entry: NotifyPlan) -> Delivery:
        command = entry.command

        def deliver(message: Message) -> None:
            scope = self.scope()
            if command is None:
                assert entry.url is not None
                url_delivery(_text(entry.url, scope))(message)
                return
            environ = {**self.environ, COOKIE: self.cookie, **command.bind(scope)}
            command_delivery(["/bin/sh", "-c", command.text(scope)], environ, self.cwd)(message)

        return deliver

    def _summary(self) -> Summary:
        record = self.store.run(self.run)
        if record is None:
            raise RunRefused(f"there is no run `{self.run}`")
        return summarize(record, self.store.steps(self.run), now_ms=self.clock.wall_ms())

    def _warn(self, text: str) -> None:
        self.sink.emit(Warned(text))


def _text(url: Value, scope: Scope) -> str:
    text = url.text(scope).strip()
    if not text:
        raise BatchworkError("its URL is empty")
    return text
