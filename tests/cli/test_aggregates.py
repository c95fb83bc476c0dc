"""The field `aggregate` of a batch step: what is computed of all units, with and without groups, and what does not fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

Command = Callable[..., "CompletedProcess[str]"]

FLOW = r"""
params: {factor: 2}
secrets: [TOKEN]
steps:
  - name: orders
    task: batch
    inputs:
      items: ITEMS
      continue_on_error: true
      task:
        type: python
        code: |
          with open("ran", "a") as file:
              file.write("x\n")
          if item["amount"] == 13:
              raise ValueError("no")
          return {"net": item["amount"], "big": item["amount"] > 4}
      aggregate: AGGREGATE
  - name: say
    task: python
    inputs: {code: "return [steps.orders.aggregate, steps['orders']['aggregate']]"}
"""
ITEMS = "[{country: de, amount: 5}, {country: fr, amount: 7}, {country: de, amount: 2.5}, {country: it, amount: 13}]"


@pytest.fixture
def computed(batchwork: Command, work: Path) -> Callable[..., Any]:
    """What is computed, as a later step sees it."""

    def of(aggregate: str, items: str = ITEMS, expect: int = 3) -> Any:
        (work / "flow.yaml").write_text(FLOW.replace("ITEMS", items).replace("AGGREGATE", aggregate))
        done = batchwork("run", "flow.yaml", expect=expect, env={"TOKEN": "sesame-1234"})
        if expect not in (0, 3):
            return done.stderr
        out = batchwork("results", "--step", "say", "--format", "jsonl").stdout
        attribute, subscript = json.loads(out)["result"]
        assert attribute == subscript
        return attribute

    return of


@pytest.mark.promise("8.12")
@pytest.mark.parametrize(
    ("aggregate", "found"),
    [
        ("{count: '{{ key }}'}", 4),
        ("{count: 1}", 4),
        ("{count: '{{ result.big }}'}", 2),
        ("{count: '{{ key }}', by: '{{ status }}'}", {"succeeded": 3, "failed": 1}),
        ("{count: '{{ key }}', by: '{{ result.big }}'}", {"true": 2, "false": 1}),
        ("{sum: '{{ result.net * factor }}'}", 29.0),
        ("{sum: '{{ item.amount }}', by: '{{ item.country }}'}", {"de": 7.5, "fr": 7, "it": 13}),
        ("{min: '{{ result.net }}'}", 2.5),
        ("{max: '{{ item.country }}'}", "it"),
        ("{mean: '{{ result.net }}', by: '{{ item.country }}'}", {"de": 3.75, "fr": 7.0}),
        ("{collect: '{{ result.net }}'}", [5, 7, 2.5]),
        ("{collect: '{{ error }}', by: '{{ error.type if error else none }}'}", {"ValueError": ["no"]}),
        ("{max: '{{ result.net if false else none }}'}", None),
    ],
)
def test_of_all_units(computed: Callable[..., Any], aggregate: str, found: Any) -> None:
    assert computed(f"{{a: {aggregate}}}") == {"a": found}


def test_of_no_units(computed: Callable[..., Any]) -> None:
    functions = ("count", "sum", "min", "max", "mean", "collect")
    entries = ", ".join(f"{name}: {{{name}: '{{{{ item.amount }}}}'}}" for name in functions)
    found = computed(f"{{{entries}, by: {{count: 1, by: '{{{{ key }}}}'}}}}", "[]", expect=0)
    assert found == {"count": 0, "sum": 0, "min": None, "max": None, "mean": None, "collect": [], "by": {}}


def test_large_whole_numbers_stay_exact(computed: Callable[..., Any]) -> None:
    items = f"[{{amount: {2**70}}}, {{amount: 1}}]"
    assert computed("{a: {sum: '{{ item.amount }}'}}", items, expect=0) == {"a": 2**70 + 1}


def test_secrets_are_masked(computed: Callable[..., Any], work: Path) -> None:
    assert computed("{a: {collect: '{{ env.TOKEN }}'}}") == {"a": ["***"] * 4}
    assert b"sesame-1234" not in (work / ".batchwork/state.db").read_bytes()


def test_what_does_not_fit_fails_the_step_and_a_resume_only_computes(
    computed: Callable[..., Any], batchwork: Command, work: Path
) -> None:
    said = computed("{a: {sum: '{{ item.country }}'}}", expect=1)
    assert "`a` of `aggregate`, index 0, key " in said and "it is no number" in said
    text = (work / "flow.yaml").read_text().replace("{sum: '{{ item.country }}'}", "{max: '{{ item.country }}'}")
    (work / "flow.yaml").write_text(text)
    batchwork("resume", expect=3, env={"TOKEN": "x"})
    assert len((work / "ran").read_text().splitlines()) == 4
    assert '"a":"it"' in batchwork("results", "--step", "say", "--format", "jsonl").stdout


def test_texts_and_numbers_are_not_compared(computed: Callable[..., Any]) -> None:
    items = "[{amount: 1}, {amount: x}]"
    assert "it cannot be compared with 1" in computed("{a: {max: '{{ item.amount }}'}}", items, expect=1)


@pytest.mark.parametrize(
    ("aggregate", "said"),
    [
        ("[]", "`aggregate` must be a mapping of names"),
        ("{a: x}", "`aggregate.a` must be a mapping"),
        ("{a: {by: '{{ key }}'}}", "`a` of `aggregate` needs exactly one of count, sum, min, max, mean, collect"),
        ("{a: {sum: 1, max: 2}}", "needs exactly one of"),
        ("{a: {avg: 1}}", "unknown field `avg` in `a` of `aggregate`"),
        ("{a: {sum: '{{ resul.x }}'}}", "there is no `resul`"),
        ("{a: {sum: 1, by: '{{ resul.x }}'}}", "there is no `resul`"),
    ],
)
def test_what_validate_finds(batchwork: Command, work: Path, aggregate: str, said: str) -> None:
    (work / "flow.yaml").write_text(FLOW.replace("ITEMS", ITEMS).replace("AGGREGATE", aggregate))
    assert said in batchwork("validate", "flow.yaml", expect=2, env={"TOKEN": "x"}).stderr


@pytest.mark.parametrize(
    ("aggregate", "more", "said"),
    [
        ("{far: {mean: '{{ item * 10 ** 400 }}'}}", "2", "the mean is beyond"),
        ("{far: {sum: '{{ item * 8e307 }}'}}", "2, 2", "the sum is beyond"),
        ("{far: {sum: '{{ item * 8e307 }}', by: '{{ item - item }}'}}", "2, 2", "the sum of the group 0 is beyond"),
        ("{far: {sum: '{{ item * 10 ** 400 if item > 1 else 0.5 }}'}}", "2", "index 1, key 2"),
    ],
)
def test_numbers_that_are_too_large_fail_the_step(
    batchwork: Command, work: Path, aggregate: str, more: str, said: str
) -> None:
    task = "task: {type: echo, message: ok}"
    (work / "flow.yaml").write_text(
        f"steps: [{{name: s, task: batch, inputs: {{items: [1, {more}], on_duplicate: keep, aggregate: {aggregate}, {task}}}}}]"
    )
    done = batchwork("run", "flow.yaml", expect=1)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_row_that_cannot_be_read_has_no_item_in_aggregates_and_columns(batchwork: Command, work: Path) -> None:
    (work / "in.csv").write_text("id,v\n1,a\n2\n3,c\n")
    (work / "flow.yaml").write_text(
        """
steps:
  - name: s
    task: batch
    inputs:
      items: {from: csv, path: in.csv}
      key: "{{ item.id }}"
      continue_on_error: true
      aggregate: {seen: {collect: "{{ item.v }}"}, groups: {count: "{{ key }}", by: "{{ item.v }}"}}
      results: {to: out.csv, columns: {v: "{{ item.v }}", e: "{{ error.type if error else 'none' }}"}}
      task: {type: echo, message: ok}
  - {name: say, task: python, inputs: {code: "return steps.s.aggregate"}}
"""
    )
    batchwork("run", "flow.yaml", expect=3)
    rows = (work / "out.csv").read_text().splitlines()
    assert rows == [
        "index,key,status,v,e",
        "0,1,succeeded,a,none",
        "1,in.csv:3,failed,,bad row",
        "2,3,succeeded,c,none",
    ]
    [said] = batchwork("results", "--step", "say", "--format", "jsonl").stdout.splitlines()
    assert json.loads(said)["result"] == {"seen": ["a", "c"], "groups": {"a": 1, "c": 1}}
    chosen = batchwork("results", "--step", "s", "--columns", "v={{ item.v }}", "--format", "csv").stdout.splitlines()
    assert chosen[2] == "1,in.csv:3,failed,"
    for shape, expected in (
        ("jsonl", '{"index":2,"key":"3","status":"succeeded","result":"ok"}'),
        ("csv", "2,3,succeeded,ok"),
    ):
        found = batchwork("results", "--step", "s", "--where", "item.v == 'c'", "--format", shape).stdout.splitlines()
        assert found == ["index,key,status,result", expected][shape == "jsonl" :]
