"""Every seam on one screen: Task, Program, SourceType, ItemSource, Executor, Store, EventSink. Each is defined in the file of its name.

    Task        a task type: its fields, and what a task as written is compiled to      batchwork.tasks
    Program     a task made ready: a part for each worker, a payload for each unit   batchwork.tasks
    SourceType  a kind of item source: its fields, and what opens it                 batchwork.items
    ItemSource  a stream of items that says where it is                              batchwork.items
    Executor    workers of one step                                                  batchwork.workers
    Store       runs, steps, units, attempts, claims, logs, samples                  batchwork.store
    EventSink   takes the facts that are on disk                                     batchwork.view

Each has a contract test in `batchwork.testing`, published for third parties.
"""

from __future__ import annotations

from batchwork.ports.executors import Elsewhere, Executor, ExecutorFactory, PageQuery, Pager, Running, Staffing
from batchwork.ports.items import (
    WORKFLOW_DIR,
    BadRow,
    FieldFault,
    ItemSource,
    NarrowingFields,
    Reading,
    Row,
    Rows,
    SourceType,
    any_bad,
)
from batchwork.ports.sinks import EventSink, Fanout
from batchwork.ports.store import (
    Committed,
    Durability,
    Lease,
    Opening,
    Purpose,
    RunChange,
    StepChange,
    Store,
    StorePlace,
    UnitPage,
    UnitView,
)
from batchwork.ports.tasks import Compiled, Exposed, FieldValue, Program, Scope, Setting, Task, WorkerKind, Written

__all__ = [
    "WORKFLOW_DIR",
    "BadRow",
    "Committed",
    "Compiled",
    "Durability",
    "Elsewhere",
    "EventSink",
    "Executor",
    "ExecutorFactory",
    "Exposed",
    "Fanout",
    "FieldFault",
    "FieldValue",
    "ItemSource",
    "Lease",
    "NarrowingFields",
    "Opening",
    "PageQuery",
    "Pager",
    "Program",
    "Purpose",
    "Reading",
    "Row",
    "Rows",
    "RunChange",
    "Running",
    "Scope",
    "Setting",
    "SourceType",
    "Staffing",
    "StepChange",
    "Store",
    "StorePlace",
    "Task",
    "UnitPage",
    "UnitView",
    "WorkerKind",
    "Written",
    "any_bad",
]
