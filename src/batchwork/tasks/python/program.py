"""A Python task made ready: what each worker is told once, and the payload of each unit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct, field
from msgspec.structs import asdict

from batchwork.model import BatchView
from batchwork.plan.code import steps_used
from batchwork.ports import FieldValue, Scope, Setting
from batchwork.template import Value
from batchwork.text.jsontext import Json

_WITH_ATTRIBUTES = frozenset({"params", "args", "run"})

WORKER = "worker"
"""The number of the worker, from 0: a name in code, unless something else has that name."""

Getter = Callable[[Scope], Any]


class PythonProgram(Struct):
    """The payload is the item itself, or the list of the values that stand for `prepare["names"]`."""

    prepare: Mapping[str, Any]
    uses: frozenset[str]
    takes_item: bool
    getters: Sequence[Getter] = ()

    worker = "python"
    says = False

    def bind(self, scope: Scope) -> Json:
        return [getter(scope) for getter in self.getters]


def make_program(
    told: dict[str, Any], names: Iterable[str], inputs: Mapping[str, FieldValue], setting: Setting, code: str
) -> PythonProgram:
    """A program that gives its code `names`: further inputs first, else the unit's names, else constants.

    `told` is what the worker is told beside that (kind, code, interpreter …).
    """
    supply = _Supply(inputs, setting, code)
    for name in sorted(set(names)):
        supply.add(name)
    getters = supply.getters
    if not getters and "item" in setting.unit_names and told["kind"] == "code":
        getters["item"] = _plain("item")  # handing the item over costs less than binding nothing
    takes_item = list(getters) == ["item"] and ("item" not in inputs or _is_item("item", inputs["item"]))
    prepare: dict[str, Any] = {
        **told,
        "names": list(getters),
        "fixed": supply.fixed,
        "views": {name: name for name in supply.views},
        "takes_item": takes_item,
        "path": [setting.workflow_dir, setting.cwd],
    }
    if "batch" in supply.views:
        prepare["batch_slot"] = list(getters).index("batch")
    return PythonProgram(prepare, frozenset(supply.uses), takes_item, tuple(getters.values()))


class _Supply(Struct):
    """How names reach the code: got for each unit by one of `getters`, or told once, `fixed`."""

    inputs: Mapping[str, FieldValue]
    setting: Setting
    code: str
    getters: dict[str, Getter] = field(default_factory=dict)
    fixed: dict[str, Any] = field(default_factory=dict)
    views: list[str] = field(default_factory=list)
    uses: set[str] = field(default_factory=set)
    """The unit's names that are needed."""

    def add(self, name: str) -> None:
        value = self.inputs.get(name)
        if value is None:
            self._add_known(name)
            return
        used = value.roots & self.setting.unit_names
        if used and _is_item(name, value):
            self._add_known(name)
        elif used:
            self.getters[name] = value.render
            self.uses.update(used)
        else:
            self.fixed[name] = _told(name, value.render(self.setting.constants), self.setting, self.code)

    def _add_known(self, name: str) -> None:
        if name in self.setting.unit_names:
            self.uses.add(name)
            self.getters[name] = _VIEWS.get(name, _plain)(name)
            if name in _VIEWS:
                self.views.append(name)
        elif name == WORKER and name not in self.setting.constants:
            self.fixed[name] = {"worker": None}
        elif name in self.setting.constants:
            self.fixed[name] = _told(name, self.setting.constants[name], self.setting, self.code)


def told_constants(names: Iterable[str], setting: Setting, code: str) -> dict[str, Any]:
    """The constants among `names` as a worker is told them."""
    known = sorted(set(names) & setting.constants.keys())
    told = {name: _told(name, setting.constants[name], setting, code) for name in known}
    if WORKER in names and WORKER not in setting.names:
        told[WORKER] = {"worker": None}
    return told


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
        told: dict[str, Any] = {"index": batch.index, "items": batch.items, "total": batch.total}
        if item is not batch.items:
            told["item"] = item
        return told

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
    """One value under a tag that says what the worker makes of it."""
    reference = _reference(value)
    if reference is not None:
        return {"sequence": reference}
    if name in ("env", "steps") and value is setting.constants.get(name):
        return _told_own(name, value, code)
    if name == "error" and not isinstance(value, str | int | float | list | dict):
        return {"error": _error_fields(value) or {}}
    if name in _WITH_ATTRIBUTES and isinstance(value, Mapping):
        return {"names": value}
    return {"json": value}


def _told_own(name: str, value: object, code: str) -> dict[str, Any]:
    """`env`, which the worker has as its environment, and `steps`, of which it gets what the code names."""
    if name == "env":
        return {"env": None}
    if isinstance(value, Mapping):
        return {"steps": _steps(value, code)}
    return {"json": value}


def _steps(steps: Mapping[str, Any], code: str) -> dict[str, Any]:
    """The steps that the code names, all of them where it does not say which."""
    used, others = steps_used(code)
    return {name: _step(steps[name]) for name in steps if others or not used or name in used}


def _step(view: Mapping[str, Any]) -> dict[str, Any]:
    told = {"status": view["status"], "error": _error_fields(view["error"])}
    if view.get("aggregate"):
        told["aggregate"] = view["aggregate"]
    reference = _reference(view["result"])
    if reference is None:
        return {**told, "result": view["result"]}
    return {**told, "sequence": reference}


def _reference(value: object) -> Any:
    """What stands for a lazy sequence of results, None for anything else."""
    reference = getattr(value, "reference", None)
    return reference() if callable(reference) and not isinstance(value, Mapping) else None
