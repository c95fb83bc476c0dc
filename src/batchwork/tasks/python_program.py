"""A Python task made ready: what each worker is told once, and the payload of each unit. The task type is in python.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from batchwork.model import BatchView
from batchwork.plan.code import steps_used
from batchwork.ports import FieldValue, Scope, Setting, WorkerKind
from batchwork.template import Value
from batchwork.text.jsontext import Json

_WITH_ATTRIBUTES = frozenset({"params", "args", "run"})

Getter = Callable[[Scope], Any]


class PythonProgram(Struct):
    """The payload is the item itself, or the list of the values that stand for `prepare["names"]`."""

    prepare: Mapping[str, Any]
    uses: frozenset[str]
    takes_item: bool
    getters: Sequence[Getter] = ()
    worker: WorkerKind = "python"
    says: bool = False

    def bind(self, scope: Scope) -> Json:
        return [getter(scope) for getter in self.getters]


def make_program(
    told: dict[str, Any], names: Iterable[str], inputs: Mapping[str, FieldValue], setting: Setting, code: str
) -> PythonProgram:
    """A program that gives its code `names`: further inputs first, else the unit's names, else constants.

    `told` is what the worker is told beside that (kind, code, interpreter …).
    """
    per_unit: dict[str, Getter] = {}
    fixed: dict[str, Any] = {}
    views: dict[str, str] = {}
    uses: set[str] = set()
    for name in sorted(set(names)):
        value = inputs.get(name)
        if value is not None and not value.roots & setting.unit_names:
            fixed[name] = _told(name, value.render(setting.constants), setting, code)
        elif value is not None and not _is_item(name, value):
            per_unit[name] = value.render
            uses |= value.roots & setting.unit_names
        elif name in setting.unit_names:
            uses.add(name)
            per_unit[name] = _VIEWS.get(name, _plain)(name)
            if name in _VIEWS:
                views[name] = name
        elif name in setting.constants:
            fixed[name] = _told(name, setting.constants[name], setting, code)
    if not per_unit and "item" in setting.unit_names and told["kind"] == "code":
        per_unit["item"] = _plain("item")  # handing the item over costs less than binding nothing
    takes_item = list(per_unit) == ["item"] and ("item" not in inputs or _is_item("item", inputs["item"]))
    prepare: dict[str, Any] = {
        **told,
        "names": list(per_unit),
        "fixed": fixed,
        "views": views,
        "takes_item": takes_item,
        "path": [setting.workflow_dir, setting.cwd],
    }
    if "batch" in views:
        prepare["batch_slot"] = list(per_unit).index("batch")
    return PythonProgram(prepare, frozenset(uses), takes_item, tuple(per_unit.values()))


def told_constants(names: Iterable[str], setting: Setting, code: str) -> dict[str, Any]:
    """The constants among `names` as a worker is told them."""
    known = sorted(set(names) & setting.constants.keys())
    return {name: _told(name, setting.constants[name], setting, code) for name in known}


def _is_item(name: str, value: FieldValue) -> bool:
    """Whether it is `item: "{{ item }}"`, which says what is so anyway."""
    if name != "item" or not isinstance(value, Value) or value.template is None:
        return False
    template = value.template
    return template.lone and template.expressions[0].source.strip() == "item"


# ---------------------------------------------------------------- values of units


def _plain(name: str) -> Getter:
    return lambda scope: scope[name]


def _batch(name: str) -> Getter:
    def get(scope: Scope) -> dict[str, Any]:
        batch, item = scope[name], scope["item"]
        assert isinstance(batch, BatchView)
        told = {"index": batch.index, "items": batch.items, "total": batch.total}
        return told if item is batch.items else {**told, "item": item}

    return get


def _error(name: str) -> Getter:
    return lambda scope: _error_fields(scope[name])


_VIEWS: dict[str, Callable[[str], Getter]] = {"batch": _batch, "error": _error}


def _error_fields(error: object) -> dict[str, Any] | None:
    if error is None:
        return None
    if isinstance(error, Struct):
        return asdict(error)
    return {"message": str(error)}


# ---------------------------------------------------------------- values that are the same for all units


def _told(name: str, value: object, setting: Setting, code: str) -> dict[str, Any]:
    """One value under a tag that says what the worker makes of it (see workers/python/program/programs.py)."""
    reference = _reference(value)
    if reference is not None:
        return {"sequence": reference}
    if name == "env" and value is setting.constants.get("env"):
        return {"env": None}  # the worker has it as its environment
    if name == "steps" and value is setting.constants.get("steps") and isinstance(value, Mapping):
        return {"steps": _steps(value, code)}
    if name == "error" and not isinstance(value, str | int | float | list | dict):
        return {"error": _error_fields(value) or {}}
    if name in _WITH_ATTRIBUTES and isinstance(value, Mapping):
        return {"names": value}
    return {"json": value}


def _steps(steps: Mapping[str, Any], code: str) -> dict[str, Any]:
    """The steps that the code names, all of them where it does not say which."""
    used, others = steps_used(code)
    chosen = steps if others or not used else {name: steps[name] for name in used if name in steps}
    return {name: _step(view) for name, view in chosen.items()}


def _step(view: Mapping[str, Any]) -> dict[str, Any]:
    told = {"status": view["status"], "error": _error_fields(view["error"])}
    reference = _reference(view["result"])
    return {**told, "sequence": reference} if reference is not None else {**told, "result": view["result"]}


def _reference(value: object) -> Any:
    """What stands for a lazy sequence of results, None for anything else."""
    reference = getattr(value, "reference", None)
    return reference() if callable(reference) and not isinstance(value, Mapping) else None
