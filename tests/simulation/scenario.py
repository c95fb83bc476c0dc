"""What a history is about, drawn by its seed: the workflow, the items, how workers behave, and what goes wrong in each execution."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

from at_rest import keys_of
from crew import HANG_S, Outcome, SimTask, Temper
from disk import StoreFaults
from msgspec.structs import replace
from step_plans import batch_plan, step_plan, task_plan, workflow

from batchwork.errors import NOWHERE, SourceError
from batchwork.model import Failure
from batchwork.plan.model import BatchPlan, ItemsPlan, Plan, StepPlan
from batchwork.spec.fields.retry import RetryPolicy
from batchwork.spec.written import Rate, Threshold
from batchwork.template import compile_template
from batchwork.text.jsontext import Json

EXECUTIONS_MOST = 5


class Given:
    """Items that are there already, for a plan."""

    def __init__(self, items: Any) -> None:
        self._items = items

    def render(self, scope: Any) -> Any:
        return self._items


class BreakingItems:
    """A sequence that cannot be read from a position on."""

    def __init__(self, items: list[Json], at: int) -> None:
        self._items, self._at = items, at

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, part: slice) -> list[Json]:
        if part.stop > self._at:
            raise SourceError(f"row {self._at} cannot be read")
        return self._items[part]


@dataclass
class Manner:
    """How the attempts of units come out: shares of failures, and how long they take, in seconds."""

    fails: float = 0.0
    stubborn: float = 0.0  # share of the units that never succeed
    hopeless: float = 0.0  # share of the failures that are not worth another attempt
    hangs: float = 0.0
    scale_s: float = 0.01


class Nature:
    """Implements crew.Nature. `healed`: from now on everything succeeds."""

    def __init__(self, random: Random, manner: Manner) -> None:
        self._random, self.manner = random, manner
        self.healed = False
        self._stubborn: dict[str, bool] = {}

    def __call__(self, role: str, key: str, value: Json) -> Outcome:
        random, manner = self._random, self.manner
        duration_s = manner.scale_s * random.random() ** 3 * (20 if random.random() < 0.05 else 1) + 1e-5
        if self.healed:
            return Outcome("done", 0.001 * random.random())
        if key not in self._stubborn:
            self._stubborn[key] = random.random() < manner.stubborn
        if random.random() < manner.hangs:
            return Outcome("hangs", HANG_S)
        if random.random() < manner.fails or (self._stubborn[key] and role == "unit"):
            worth = random.random() >= manner.hopeless
            return Outcome("failed", duration_s, Failure("ValueError", "it did not work", retryable=worth))
        return Outcome("done", duration_s)


@dataclass
class StepShape:
    """One step, as all executions have it; `items` change between them."""

    name: str
    items: list[Json]
    settings: dict[str, Any]
    retry: RetryPolicy
    timeout_s: float | None
    hook: bool
    after: tuple[str, ...] = ()
    single: bool = False  # a step without items
    breaks_at: int | None = None  # the row that cannot be read in this execution

    def positions(self) -> dict[str, int]:
        """Where each key stands, if units are items."""
        if self.settings["each"] == "batch" or self.single:
            return {}
        return {key: index for index, key in enumerate(keys_of(self.items, self.settings["key"] is not None))}

    def plan(self, calm: bool) -> StepPlan:
        settings = dict(self.settings)
        if calm:
            settings["on_in_doubt"] = "retry"
        if self.hook:
            settings["on_item_error"] = task_plan(SimTask("hook", says=True))
        if self.single:
            return step_plan(
                self.name, *self.after, task=task_plan(SimTask()), retry=self.retry, timeout_s=self.timeout_s
            )
        source: Any = self.items
        if self.breaks_at is not None and not calm:
            source = BreakingItems(self.items, self.breaks_at)
        elif len(self.items) % 3 == 0:
            source = BreakingItems(self.items, len(self.items) + 1_000_000)
        views = settings.pop("views")
        batch: BatchPlan = replace(batch_plan([], **settings), items=ItemsPlan("template", Given(source)))  # type: ignore[arg-type]
        task = task_plan(SimTask(views=views))
        return step_plan(self.name, *self.after, batch=batch, task=task, retry=self.retry, timeout_s=self.timeout_s)


@dataclass
class Trouble:
    """What goes wrong in one execution. `crash_op` and `stop_ops` count the touches of the world, the others are seconds."""

    crash_op: int | None = None
    crash_s: float | None = None
    stop_ops: list[int] = field(default_factory=list)
    stops_s: list[float] = field(default_factory=list)
    power_cut: bool = False
    store: StoreFaults = field(default_factory=StoreFaults)
    temper: Temper = field(default_factory=Temper)

    def words(self) -> str:
        """For the story."""
        said = {
            "killed at touch": self.crash_op,
            "killed after s": self.crash_s,
            "stopped at touches": self.stop_ops,
            "stopped after s": self.stops_s,
            "power cut": self.power_cut,
            "transaction that fails": self.store.breaks_at,
        }
        return ", ".join(f"{what} {value}" for what, value in said.items() if value) or "nothing"


@dataclass
class Scenario:
    """A history before it happens."""

    steps: list[StepShape]
    manner: Manner
    troubles: list[Trouble]
    fast: bool
    random: Random

    def plan(self, calm: bool) -> Plan:
        steps = [shape.plan(calm) for shape in self.steps]
        # What is done stays the same, as far as a resume looks: the items are in files, so to speak.
        return workflow(*steps, fingerprint={shape.name: {} for shape in self.steps})

    def words(self) -> list[str]:
        """The workflow, for the story."""
        said = [f"durability {'fast' if self.fast else 'full'}; {self.manner}"]
        for shape in self.steps:
            if shape.single:
                said.append(f"step {shape.name} after {shape.after}, without items, {shape.retry}, {shape.timeout_s}")
                continue
            said.append(
                f"step {shape.name} after {shape.after}: {len(shape.items)} items, {shape.settings}, {shape.retry}, "
                f"timeout {shape.timeout_s}, on_item_error {shape.hook}"
            )
            said.append(f"  items {shape.items}")
        return said

    def change_sources(self, read: set[str]) -> list[str]:
        """Between two executions: items come, go, move, come twice, in the steps that are `read` again. What was done, in words."""
        said = []
        for shape in self.steps:
            if shape.name not in read or shape.single:
                continue
            shape.breaks_at = None
            if self.random.random() < 0.1 and shape.items:
                shape.breaks_at = self.random.randrange(len(shape.items))
                said.append(f"row {shape.breaks_at} of {shape.name} cannot be read")
            if self.random.random() < 0.5:
                shape.items = changed(self.random, shape.items, shape.settings["key"] is not None)
                said.append(f"the items of {shape.name} are now {shape.items}")
        return said


def changed(random: Random, items: list[Json], written: bool) -> list[Json]:
    """The same source, a little later."""
    items = list(items)
    for _ in range(random.randint(1, 3)):
        kind = random.choice(["insert", "remove", "move", "append", "again", "shuffle", "cut", "value"])
        at = random.randrange(len(items) + 1)
        if kind in ("insert", "append"):
            more = [_item(random, 1000 + random.randrange(1000), written) for _ in range(random.randint(1, 4))]
            at = len(items) if kind == "append" else at
            items[at:at] = [item for item in more if not (written and _has(items, item))][: 4 if not written else 1]
        elif kind == "remove" and items:
            del items[at : at + random.randint(1, 3)]
        elif kind == "move" and items:
            items.insert(at, items.pop(random.randrange(len(items))))
        elif kind == "again" and items and not written:
            items.insert(at, random.choice(items))
        elif kind == "shuffle" and random.random() < 0.3:
            random.shuffle(items)
        elif kind == "cut" and random.random() < 0.3:
            del items[at:]
    return items


def _has(items: list[Json], item: Json) -> bool:
    return any(isinstance(other, dict) and isinstance(item, dict) and other["id"] == item["id"] for other in items)


def _item(random: Random, number: int, written: bool) -> Json:
    if written:
        return {"id": f"k{number}", "size": random.randrange(5)}
    kind = number % 5
    if kind == 3:
        return f"text {number}"
    if kind == 4:
        return {"n": number, "more": "x" * (200 if number % 2 else 3)}
    return number


def drawn(seed: int) -> Scenario:
    """The scenario of a seed."""
    random = Random(f"scenario {seed}")
    manner = Manner(
        fails=random.choice([0, 0, 0.1, 0.4]),
        stubborn=random.choice([0, 0, 0.05, 0.2]),
        hopeless=random.choice([0, 0.3]),
        scale_s=random.choice([0.0005, 0.005, 0.05, 0.5]),
    )
    steps = [_shape(random, "a", ())]
    if random.random() < 0.25:
        steps.append(_shape(random, "b", ("a",) if random.random() < 0.5 else ()))
    if all(shape.timeout_s is not None for shape in steps):
        manner.hangs = random.choice([0, 0.05])
    fast = random.random() < 0.3
    troubles = [_trouble(random, fast) for _ in range(random.randint(1, EXECUTIONS_MOST))]
    return Scenario(steps, manner, troubles, fast, random)


def _shape(random: Random, name: str, after: tuple[str, ...]) -> StepShape:
    written = random.random() < 0.25
    count = random.choice([0, 1, 2, random.randint(3, 12), random.randint(5, 40), random.randint(5, 40)])
    items = [_item(random, number, written) for number in range(count)]
    if not written and random.random() < 0.3:
        items = changed(random, items, written)
    parallel = random.random() < 0.7
    tolerant = random.random() < 0.7
    settings: dict[str, Any] = {
        "key": compile_template("{{ item.id }}", NOWHERE) if written else None,
        "on_duplicate": random.choice(["keep", "keep", "skip"]),
        "each": random.choice(["item", "item", "item", "batch"]),
        "batch_size": random.choice([1, 2, 3, 5]),
        "parallel": parallel,
        "slots": random.choice([1, 2, 3, 4, 8]) if parallel else 1,
        "rate_limit": random.choice([None, None, None, Rate(5, 1.0), Rate(30, 1.0), Rate(100, 60.0)]),
        "continue_on_error": tolerant,
        "max_failures": random.choice([None, None, Threshold(count=3), Threshold(share=0.2)]) if tolerant else None,
        "on_in_doubt": random.choice(["retry", "retry", "retry", "fail", "stop"]),
        "queue_size": random.choice([None, None, 1, 4]),
        "views": random.random() < 0.2,
    }
    retry = RetryPolicy(
        max_attempts=random.choice([1, 1, 2, 3, 5]),
        delay_s=random.choice([0, 0, 0.01, 1.0]),
        backoff=random.choice([1, 2]),
        jitter=random.random() < 0.3,
    )
    timeout_s = random.choice([None, None, 0.2, 2.0])
    single = random.random() < 0.1
    return StepShape(name, items, settings, retry, timeout_s, random.random() < 0.25, after, single)


def _trouble(random: Random, fast: bool) -> Trouble:
    trouble = Trouble()
    trouble.temper = Temper(
        kind=random.choice(["python", "python", "reactor"]),
        latency_s=random.choice([0, 0, 0.001, 0.08]),
        deaths=random.choice([0, 0, 0.02, 0.1]),
        late=random.choice([0, 0.3]),
        twice=random.choice([0, 0, 0.2]),
        gives_back=random.choice([0, 0, 0.3]),
        cannot_start_at=random.randint(2, 60) if random.random() < 0.03 else None,
    )
    trouble.store = StoreFaults(latency_s=random.choice([0.0001, 0.002, 0.02]))
    what = random.random()
    if what < 0.35:
        trouble.crash_op = int(10 ** random.uniform(0.5, 3.2))
    elif what < 0.5:
        trouble.crash_s = random.choice([0.01, 0.1, 1.0]) * random.random()
    elif what < 0.6:
        trouble.stop_ops = sorted(int(10 ** random.uniform(0.5, 3.2)) for _ in range(random.randint(1, 3)))
    elif what < 0.72:
        trouble.stops_s = sorted(random.choice([0.05, 0.5, 3.0]) * random.random() for _ in range(random.randint(1, 3)))
    elif what < 0.85:
        trouble.store.breaks_at, trouble.store.executed = random.randint(1, 60), random.random() < 0.5
    if (trouble.crash_op or trouble.crash_s) and random.random() < 0.4:
        trouble.power_cut = True
    return trouble
