"""Spec to plan: parameters, defaults, decisions, dependencies, warnings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from task_fakes import fake_find, fake_names

from batchwork.errors import UsageError, WorkflowError
from batchwork.plan import resolve, tasks
from batchwork.plan.knowns import Circumstances
from batchwork.plan.model import BatchPlan, Plan
from batchwork.plugins import find_task
from batchwork.spec.fields.retry import RetryPolicy
from batchwork.spec.written import Rate, Threshold
from batchwork.text.jsontext import Json


@pytest.fixture(autouse=True)
def _fake_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "find_task", fake_find)
    monkeypatch.setattr(tasks, "task_names", fake_names)


def plan(
    text: str,
    *given: str,
    file: Mapping[str, Json] | str | None = None,
    environ: Mapping[str, str] | None = None,
    most: int | None = None,
    lenient: bool = False,
) -> Plan:
    return resolve.load_plan("w.yaml", text, Circumstances(given, file, environ or {}, most, 6, lenient))


def wrong(text: str, *given: str, **more: object) -> list[str]:
    with pytest.raises(WorkflowError) as caught:
        plan(text, *given, **more)  # type: ignore[arg-type]
    return [problem.message for problem in caught.value.problems]


ONE = "steps: [{name: s, task: echo, inputs: {message: x}}]\n"


def batch(inputs: str, top: str = "", task: str = "{type: echo, message: x}", **more: object) -> BatchPlan:
    text = f"{top}\nsteps: [{{name: s, task: batch, inputs: {{items: [1, 2], {inputs} task: {task}}}}}]\n"
    found = plan(text, **more).steps[0].batch  # type: ignore[arg-type]
    assert found is not None
    return found


# ---------------------------------------------------------------- parameters


@pytest.mark.promise("3.11")
def test_parameters_come_from_the_command_line_then_the_file_then_the_defaults() -> None:
    text = "params: {a: 1, b: 2, c: 3}\n" + ONE
    assert plan(text, "a=10", file={"a": 20, "b": 20}).params == {"a": 10, "b": 20, "c": 3}
    assert resolve.load_plan("w.yaml", text, Circumstances({"a": "7"}, None, {}, None, 1)).params["a"] == 7


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("5", 5),
        ("1.50", 1.5),
        ("no", "no"),
        ("true", True),
        ("", None),
        ("[1, 'a']", [1, "a"]),
        ('{"a": [1.0, null]}', {"a": [1.0, None]}),
        ("{a: 1}", {"a": 1}),
        ("a: b: c", "a: b: c"),
        ("[1, 2", "[1, 2"),
        ("*x", "*x"),
        ("!t x", "!t x"),
        ("[NaN]", ["NaN"]),
        ("{{ x }}", "{{ x }}"),
        ("a=b", "a=b"),
        ("x # y", "x"),
    ],
)
@pytest.mark.promise("3.12")
def test_a_value_is_yaml_or_else_text(word: str, value: Json) -> None:
    found = plan(ONE, f"p={word}").params["p"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.promise("3.12")
def test_a_parameter_of_type_string_takes_the_text() -> None:
    text = "params: {p: {type: string}}\n" + ONE
    assert [plan(text, f"p={word}").params["p"] for word in ("007", "", "x # y")] == ["007", "", "x # y"]


@pytest.mark.parametrize(
    ("declared", "word", "value"),
    [
        ('"01234"', "08540", "08540"),
        ("latest", "1.10", "1.10"),
        ("latest", "", ""),
        ("x", "[1, 2]", "[1, 2]"),
        ("x", "null", "null"),
        ("no", "true", "true"),
        ("2026-01-01", "2026-01-02", "2026-01-02"),
        ("{{ x }}", "5", "5"),
        ('{default: "00000"}', "08540", "08540"),
        ('{choices: ["01", "02"]}', "01", "01"),
        ("50", "60", 60),
        ("50", "2.5", 2.5),
        ("0.5", "1", 1),
        ("true", "false", False),
        ("[a]", "[b, 1]", ["b", 1]),
        ("{a: 1}", "{b: 2}", {"b": 2}),
        ("null", "08540", 8540),
        ("{default: null}", "", None),
        ("{choices: [1, b]}", "1", 1),
        ("{default: 5}", "[1]", [1]),
    ],
)
@pytest.mark.promise("2.03")
def test_a_default_gives_the_type(declared: str, word: str, value: Json) -> None:
    found = plan(f"params: {{p: {declared}}}\n" + ONE, f"p={word}").params["p"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("declared", "word", "message"),
    [
        ("50", "many", "parameter `p` must be a number, but it is the text 'many'"),
        ("50", "", "parameter `p` must be a number, but it is null"),
        ("50", "true", "parameter `p` must be a number, but it is true"),
        ("true", "yes", "parameter `p` must be true or false, but it is the text 'yes'"),
        ("[a]", "b", "parameter `p` must be a list, but it is the text 'b'"),
        ("{a: 1}", "[b]", "parameter `p` must be a mapping, but it is a list"),
    ],
)
@pytest.mark.promise("2.03")
def test_what_does_not_fit_the_default_is_refused(declared: str, word: str, message: str) -> None:
    assert wrong(f"params: {{p: {declared}}}\n" + ONE, f"p={word}") == [message]


def test_a_number_in_a_parameters_file_is_no_text() -> None:
    with pytest.raises(WorkflowError, match=r"must be text, but it is 1234\n.*into quotes"):
        plan("params: {p: x}\n" + ONE, file={"p": 1234})


@pytest.mark.promise("3.13")
def test_undeclared_parameters_are_errors_where_there_is_a_block() -> None:
    assert wrong("params: {limit: 5}\n" + ONE, "limt=3") == ["parameter `limt` is not declared under `params:`"]
    assert plan(ONE, "limt=3").params == {"limt": 3}
    assert "must be an identifier" in wrong(ONE, "a b=3")[0]
    assert wrong(ONE, "limit") == ["`limit` is not a parameter"]


@pytest.mark.parametrize(
    ("declared", "word", "message"),
    [
        ("{type: integer}", "x", "parameter `p` must be an integer, but it is the text 'x'"),
        ("{type: integer}", "1.5", "parameter `p` must be an integer, but it is 1.5"),
        ("{type: integer}", "true", "parameter `p` must be an integer, but it is true"),
        ("{type: list}", "5", "parameter `p` must be a list, but it is 5"),
        ("{type: boolean}", "yes", "parameter `p` must be true or false, but it is the text 'yes'"),
        ("{choices: [1, b]}", "true", "parameter `p` must be one of `1` or `b`, but it is true"),
    ],
)
@pytest.mark.promise("2.02")
def test_types_and_choices_are_checked(declared: str, word: str, message: str) -> None:
    assert wrong(f"params: {{p: {declared}}}\n" + ONE, f"p={word}") == [message]


def test_required_parameters_are_errors_except_when_validating() -> None:
    text = "params: {p: {type: integer}}\n" + ONE.replace("x}", "'{{ p }}'}")
    assert wrong(text) == ["parameter `p` is required"]
    assert plan(text, lenient=True).params == {}


def test_a_parameters_file(tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    file.write_text('{"a": "\\ud83d\\ude00"}')
    assert plan(ONE, file=str(file)).params == {"a": "😀"}
    file.write_text("a: [1]\n")
    assert plan(ONE, file=str(file)).params == {"a": [1]}
    file.write_text("- a\n")
    assert "must be a mapping" in wrong(ONE, file=str(file))[0]
    with pytest.raises(UsageError, match="No such file"):
        plan(ONE, file=str(tmp_path / "none"))


# ---------------------------------------------------------------- levels and settings


def test_what_is_retried_may_come_from_a_parameter() -> None:
    text = """
params: {again: %s}
steps:
  - {name: a, task: shell, retry: {max_attempts: 2, on: %s}, inputs: {command: x}}
"""
    assert plan(text % ("[75, timeout]", "'{{ again }}'")).step("a").retry.on == (75, "timeout")
    assert plan(text % ("75", "'{{ again }}'")).step("a").retry.on == (75,)
    for written in ("{a: 1}", "'{{ again }}'"), ("75", "['{{ again }}']"):
        with pytest.raises(WorkflowError, match="error types, exit codes or HTTP statuses"):
            plan(text % written)


@pytest.mark.promise("4.11")
def test_the_nearest_retry_and_timeout_win() -> None:
    text = """
defaults: {retry: {max_attempts: 2}, timeout: 20}
steps:
  - {name: a, task: shell, inputs: {command: x}}
  - {name: b, task: shell, retry: 3, timeout: 30s, inputs: {command: x}}
  - {name: c, task: batch, retry: 3, timeout: 30, inputs: {items: [1], retry: 4, timeout: 40, task: {type: shell, command: x}}}
  - name: d
    task: batch
    inputs: {items: [1], retry: 4, timeout: 40, task: {type: shell, command: x, timeout: 50, retry: {max_attempts: 5, delay: 1}}}
  - {name: e, task: echo, for_each: [1], retry: {max_attempts: 6, max_delay: 2m}, inputs: {message: x}}
"""
    found = {step.name: (step.retry.max_attempts, step.timeout_s) for step in plan(text).steps}
    assert found == {"a": (2, 20.0), "b": (3, 30.0), "c": (4, 40.0), "d": (5, 50.0), "e": (6, 20.0)}
    assert plan(text).step("e").retry == RetryPolicy(6, max_delay_s=120.0)


def test_a_timeout_that_is_the_tasks_own_field_reaches_both() -> None:
    inner = "{type: http_request, url: x, timeout: 7}"
    step = plan(f"steps: [{{name: s, task: batch, inputs: {{items: [1], task: {inner}}}}}]").steps[0]
    assert (step.timeout_s, sorted(step.task.fields)) == (7.0, ["timeout", "url"])
    inner = "{type: http_request, url: x, timeout: '{{ item }}'}"
    assert plan(f"steps: [{{name: s, task: batch, inputs: {{items: [1], task: {inner}}}}}]").steps[0].timeout_s is None


def test_settings_are_rendered_over_parameters_and_the_environment() -> None:
    top = "params: {n: 3}\nenv: {SIZE: '{{ n }}0'}"
    found = batch("batch_size: '{{ n * 2 }}', max_parallel: '{{ env.SIZE | int }}', rate_limit: '{{ n }}/s',", top)
    assert (found.batch_size, found.slots, found.rate_limit) == (6, 30, Rate(3, 1.0))
    assert batch("batch_size: '{{ env.N | int }}',", environ={"N": "4"}).batch_size == 4


@pytest.mark.parametrize(
    ("inputs", "task", "expected"),
    [
        ("", "echo", (False, 1)),
        ("parallel: true,", "echo", (True, 8)),
        ("parallel: true,", "python", (True, 6)),
        ("parallel: true, max_parallel: 3,", "python", (True, 3)),
        ("max_parallel: 3,", "echo", (True, 3)),
        ("max_parallel: 1,", "echo", (False, 1)),
        ("parallel: true, max_parallel: 1,", "echo", (True, 1)),
        ("parallel: false, max_parallel: 3,", "echo", (False, 1)),
        ("parallel: {max_parallel: 3},", "echo", (True, 3)),
        ("max_parallel: 10000,", "echo", (True, 10_000)),
    ],
)
@pytest.mark.promise("6.16")
def test_how_many_attempts_at_once(inputs: str, task: str, expected: tuple[bool, int]) -> None:
    body = "{type: echo, message: x}" if task == "echo" else "{type: python, code: return 1}"
    found = batch(inputs, task=body)
    assert (found.parallel, found.slots) == expected
    lowered = batch(inputs, task=body, most=2)
    assert lowered.slots == min(expected[1], 2)


@pytest.mark.promise("2.01")
def test_max_parallel_of_the_defaults_holds_for_all_batches() -> None:
    assert batch("", "defaults: {max_parallel: 4}").slots == 4
    assert batch("max_parallel: 2,", "defaults: {max_parallel: 4}").slots == 2


@pytest.mark.promise("2.01")
def test_the_shell_of_the_defaults_holds_for_all_shell_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "find_task", find_task)
    text = """
defaults: {shell: bash -euo pipefail}
steps:
  - {name: a, task: shell, inputs: {command: x}}
  - {name: b, task: shell, inputs: {command: x, shell: dash}}
  - {name: c, task: shell, inputs: {argv: [x]}}
  - {name: d, task: echo, inputs: {message: x}}
  - {name: e, task: batch, inputs: {items: [1], task: {type: shell, command: x}, on_item_error: {type: shell, command: x}}}
"""
    made = plan(text)
    shells = {step.name: step.task.fields.get("shell") for step in made.steps}
    assert {name: value and value.json for name, value in shells.items()} == {
        "a": "bash -euo pipefail",
        "b": "dash",
        "c": None,
        "d": None,
        "e": "bash -euo pipefail",
    }
    assert wrong("defaults: {shell: [bash, -e]}\n" + ONE) == ["`shell` must be text, but it is a list"]


@pytest.mark.promise("6.04", "6.25")
def test_failures_and_duplicates() -> None:
    plain = batch("")
    assert (plain.continue_on_error, plain.max_failures, plain.on_duplicate, plain.on_in_doubt) == (
        (False, None, "keep", "retry")
    )
    found = batch("max_failures: 5%, key: '{{ item }}', on_in_doubt: stop,")
    assert (found.continue_on_error, found.max_failures, found.on_duplicate) == (True, Threshold(None, 0.05), "error")
    assert batch("key: '{{ item }}', on_duplicate: skip,").on_duplicate == "skip"


# ---------------------------------------------------------------- each


ITERATES = "{type: python, code: 'return [r for r in item]'}"


@pytest.mark.promise("6.32")
def test_each_is_told_from_the_code() -> None:
    found = batch("batch_size: 3,", task=ITERATES)
    assert (found.each, found.each_inferred is not None) == ("batch", True)
    assert (batch("batch_size: 1,", task=ITERATES).each, batch("", task=ITERATES).each) == ("item", "item")
    said = batch("batch_size: 3, each: item,", task=ITERATES)
    assert (said.each, said.each_inferred) == ("item", None)
    assert batch("batch_size: 3,", task="{type: python, function: 'a:b'}").each == "item"


@pytest.mark.promise("6.33")
def test_the_decision_is_said_with_its_line() -> None:
    text = """
steps:
  - name: s
    task: batch
    inputs:
      items: [1]
      batch_size: 2
      task:
        type: python
        code: |
          x = 1

          return len(item)
"""
    [decision] = plan(text).decisions
    assert (decision.place.line, decision.excerpt) == (13, "return len(item)")
    assert "each: batch" in decision.message


# ---------------------------------------------------------------- items


@pytest.mark.parametrize(
    ("items", "kind"),
    [
        ("[1, '{{ params.x }}']", "literal"),
        ("[]", "literal"),
        ("{{ params.x }}", "template"),
        ("$(ls *.csv)", "command"),
        ("{from: range, stop: 5}", "from"),
        ("{from: lines, path: '{{ params.x }}'}", "from"),
    ],
)
@pytest.mark.promise("6.01")
def test_kinds_of_items(items: str, kind: str) -> None:
    text = f"steps: [{{name: s, task: batch, inputs: {{items: {items}, task: {{type: echo, message: x}}}}}}]"
    found = plan(text, "x=1").steps[0].batch
    assert found is not None
    assert found.items.kind == kind


def test_values_in_a_command_for_items_are_bound() -> None:
    text = "steps: [{name: s, task: echo, for_each: \"$(ls -- {{ d }} '{{ d }}')\", inputs: {message: x}}]"
    found = plan(text, "d='$(id) it''s'").steps[0].batch
    assert found is not None
    assert found.items.source == "command"
    text = str(found.items.fields["command"].render({"d": "$(id) it's"}))
    assert text.splitlines()[0] == "BW_1='$(id) it'\"'\"'s'"
    assert "$(id)" not in text.splitlines()[1]


def test_secrets_do_not_enter_the_command_for_items() -> None:
    text = "secrets: [TOKEN]\nsteps: [{name: s, task: echo, for_each: '$(f {{ env.TOKEN }})', inputs: {message: x}}]"
    assert "argument list" in wrong(text, environ={"TOKEN": "abcdef"})[0]


# ---------------------------------------------------------------- dependencies


def depends(text: str) -> dict[str, tuple[tuple[str, ...], list[str]]]:
    return {step.name: (step.depends_on, sorted(step.references)) for step in plan(text).steps}


@pytest.mark.promise("4.02")
def test_steps_follow_the_one_written_before_and_what_they_refer_to() -> None:
    found = depends("""
steps:
  a: {task: echo, inputs: {message: x}, outputs: first}
  b: {task: echo, inputs: {message: x}}
  c: {task: echo, inputs: {message: "{{ first }}"}}
  d: {task: echo, depends_on: [], inputs: {message: "{{ steps.a.result }}"}}
  e: {task: echo, depends_on: b, when: "{{ steps['d'].status == 'succeeded' }}", inputs: {message: x}}
  f: {task: echo, depends_on: [], inputs: {message: x}}
""")
    assert found == {
        "a": ((), []),
        "b": (("a",), []),
        "c": (("b", "a"), ["a"]),
        "d": (("a",), ["a"]),
        "e": (("b", "d"), ["d"]),
        "f": ((), []),
    }


def test_references_in_code_items_keys_and_hooks_count() -> None:
    found = depends("""
steps:
  a: {task: echo, inputs: {message: x}, outputs: users}
  b: {task: python, depends_on: [], inputs: {code: "return [u for u in users]"}}
  c: {task: python, depends_on: [], inputs: {code: "return users", users: [1]}}
  d: {task: python, depends_on: [], inputs: {code: "return steps['a'].result"}}
  e: {task: echo, depends_on: [], for_each: "{{ users }}", inputs: {message: x}}
  f: {task: batch, depends_on: [], inputs: {items: [1], key: "{{ item }}{{ users }}", task: {type: echo, message: x}}}
  g: {task: echo, depends_on: [], on_error: {type: echo, message: "{{ users }}"}, inputs: {message: x}}
  h: {task: python, depends_on: [], inputs: {code: "return [steps[n] for n in ['a']]"}}
""")
    assert [found[name][1] for name in "bcdefgh"] == [["a"], [], ["a"], ["a"], ["a"], ["a"], []]
    assert found["h"][0] == tuple("abcdefg")


def test_finalizers_follow_each_other_and_stand_last() -> None:
    text = """
finally:
  - {name: y, task: echo, inputs: {message: "{{ steps.a.result }} {{ run.status }}"}}
  - {name: z, task: echo, inputs: {message: x}}
steps: [{name: a, task: echo, inputs: {message: x}}]
"""
    assert depends(text) == {"a": ((), []), "y": (("a",), ["a"]), "z": (("y",), [])}
    assert [step.finalizer for step in plan(text).steps] == [False, True, True]


# ---------------------------------------------------------------- the rest


def test_names_of_an_item_are_there_where_there_are_items() -> None:
    names = "{{ item }}{{ key }}{{ index }}{{ attempt }}{{ batch.index }}{{ idempotency_key }}{{ row }}"
    assert batch("arg_name: row,", task=f"{{type: echo, message: '{names}'}}").arg_name == "row"
    hook = "on_item_error: {type: echo, message: '{{ error }} {{ item }}'},"
    assert batch(hook).on_item_error is not None


def test_secrets_must_be_set_and_long_enough() -> None:
    text = "secrets: [TOKEN]\n" + ONE
    assert wrong(text) == ["the secret `TOKEN` is not set"]
    assert plan(text, lenient=True).secrets == ("TOKEN",)
    assert "too short" in plan(text, environ={"TOKEN": "abc"}).warnings[0].message
    assert plan(text, environ={"TOKEN": "abcd"}).warnings == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("params: {a: '{{ b }}'}\n" + ONE, "looks like a template"),
        ("params: {item: 5}\n" + ONE, "its value is `params.item`"),
        ("steps: [{name: s, task: shell, inputs: {command: risky}}]", "risky"),
        ("steps: [{name: s, task: shell, retry: {delay: 5}, inputs: {command: x}}]", "without `max_attempts`"),
        ("steps: [{name: s, task: python, inputs: {code: return 1, setpu: x}}]", "taken as an input"),
        (
            ONE.replace("x}", "'{{ env.A }}{{ env.B | default(1) }}{{ env.C if env.C is defined else 0 }}'}"),
            "`A` is not set",
        ),
    ],
)
def test_what_is_legal_but_risky_is_a_warning(text: str, message: str) -> None:
    [warning] = plan(text).warnings
    assert message in warning.message


def test_contradicting_settings_are_warnings() -> None:
    text = (
        "steps: [{name: s, task: batch, inputs: {items: [1], parallel: false, max_parallel: 3, max_failures: 3,"
        " continue_on_error: false, task: {type: echo, message: x}}}]"
    )
    assert ["max_failures" in str(one) or "max_parallel" in str(one) for one in plan(text).warnings] == [True, True]


def test_the_plan_has_its_name_and_folder() -> None:
    found = plan("name: n\ndescription: d\n" + ONE)
    assert (found.name, found.description, found.text.endswith(ONE)) == ("n", "d", True)
    assert plan(ONE).name == "w"
    assert Path(found.folder).is_absolute()
    assert plan("notify: {command: x, on: [finished, failed]}\n" + ONE).notify[0].on == ("failed", "finished")


def test_an_unsafe_notify_command_is_a_problem() -> None:
    (problem,) = wrong("""notify: {command: "sh -c 'echo {{ run.id }}'", on: [finished]}\n""" + ONE)
    assert "sh -c" in problem


@pytest.mark.promise("2.14")
def test_problems_of_a_file_come_all_at_once_in_its_order() -> None:
    with pytest.raises(WorkflowError) as caught:
        plan("nam: x\nsteps:\n  - {name: a, task: nope}\n  - {name: b, task: echo, inputs: {message: '{{ x }}'}}\n")
    assert [problem.place.line for problem in caught.value.problems] == [1, 3, 4]


# ---------------------------------------------------------------- fingerprint


FIRST = """
name: n
steps:
  - name: a
    task: batch
    inputs:
      items: [a, b]
      key: "{{ item }}"
      task: {type: shell, command: "echo {{ item }}", env: {A: x, B: y}}
  - {name: b, task: python, inputs: {function: "m:f"}}
"""


@pytest.mark.fault("K06")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: n", "name: other # comment"),
        ('"{{ item }}"', "{{ item }}"),
        ("{A: x, B: y}", "{B: y, A: x}"),
        ('"echo {{ item }}"', "'echo {{ item }}', timeout: 5, retry: 3, capture_limit: 7"),
        (
            "      items: [a, b]",
            "      items: [a, 'b']\n      max_parallel: 9\n      rate_limit: 5/s\n      max_failures: 3",
        ),
        ("task: python", "type: python"),
        ("    task: batch", "    outputs: xs\n    task: batch"),
    ],
)
@pytest.mark.promise("9.35")
def test_what_may_change_does_not_show_in_the_fingerprint(old: str, new: str) -> None:
    assert old in FIRST
    assert plan(FIRST.replace(old, new, 1)).fingerprint == plan(FIRST).fingerprint


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("echo {{ item }}", "printf {{ item }}"),
        ("[a, b]", "[a, c]"),
        ('key: "{{ item }}"', 'key: "x{{ item }}"'),
        ("A: x", "A: z"),
        ("m:f", "m:g"),
        ("task: {type: shell", "each: batch\n      task: {type: shell"),
        ("name: n", "env: {X: y}"),
        ("task: python", "depends_on: []\n    when: true\n    task: python".replace("\n    ", ", ")),
    ],
)
@pytest.mark.promise("9.33")
def test_what_is_done_shows_in_the_fingerprint(old: str, new: str) -> None:
    assert old in FIRST
    assert plan(FIRST.replace(old, new, 1)).fingerprint != plan(FIRST).fingerprint


@pytest.mark.fault("K08")
def test_the_identity_of_code_elsewhere_is_part_of_the_fingerprint() -> None:
    found = plan(FIRST).fingerprint["b"]
    assert isinstance(found, dict)
    assert found["source"] == "hash of the function"


def test_long_lists_stand_in_the_fingerprint_by_hash() -> None:
    numbers = ", ".join(map(str, range(1000)))
    found = plan(FIRST.replace("[a, b]", f"[{numbers}]")).fingerprint["a"]
    assert isinstance(found, dict)
    assert str(found["items"]).startswith("1,000 items, sha256:")
