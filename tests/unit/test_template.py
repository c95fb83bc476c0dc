"""Templates: typed alone, text otherwise, strict, sandboxed, with places."""

from __future__ import annotations

import subprocess
import sys
from collections import ChainMap
from collections.abc import Iterator, Sequence

import pytest

from batchwork.errors import Place, RenderError, WorkflowError
from batchwork.model import BatchView
from batchwork.template import Template, Value, compile_template, is_template, misplaced, unknown_names
from batchwork.template.forms import plain, text_of

SCOPE = {
    "item": {"id": 7, "name": "Ann", "items": [1, 2], "a": {"b": [{"k": "deep"}]}, "first name": "x", "it's": 1},
    "env": {"HOME": "/root", "TOKEN": "t"},
    "params": {"x": "007", "n": 5},
    "xs": [1, 2.5, None, True, "t"],
    "batch": BatchView(index=3, items=[1, 2], total=None),
    "big": 2**70,
}


def render(text: str, scope: object = SCOPE) -> object:
    return compile_template(text).render(scope)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ params.x }}", "007"),
        ("{{params.n}}", 5),
        ("{{ params['n'] }}", 5),
        ('{{ params["n"] }}', 5),
        ("{{ item.a.b[0]['k'] }}", "deep"),
        ("{{ item['first name'] }}", "x"),
        ('{{ item["it\'s"] }}', 1),
        ("{{ item.items }}", [1, 2]),
        ("{{ item.items | length }}", 2),
        ("{{ xs[-1] }}", "t"),
        ("{{ big }}", 2**70),
        ("{{ batch.index }}", 3),
        ("{{ batch.size }}", 2),
        ("{{ batch.total }}", None),
        ("{{ batch['index'] + 1 }}", 4),
        ("{{ 1 + 1 }}", 2),
        ("{{ true }}", True),
        ("{{ none }}", None),
        ("{{ {'a': {'b': 1}} }}", {"a": {"b": 1}}),
        ("{{ '}}' }}", "}}"),
        ('{{ "a\'}}" }}', "a'}}"),
        ("{{- params.n -}}", 5),
        ("{{ xs | map('string') }}", ["1", "2.5", "None", "True", "t"]),
        ("{{ (1, 2) }}", [1, 2]),
        ("{{ range(3) }}", [0, 1, 2]),
        ("{{ item.name | upper }}", "ANN"),
        ("{{ item.name | e }}", "Ann"),
        ("{{ nowhere | default(3) }}", 3),
        ("{{ item.nowhere | default('d') }}", "d"),
        ("{{ nowhere is defined }}", False),
        ("{{ '7' | int }}", 7),
        ("{{ 'x' | int(0) }}", 0),
        ("{{ xs | tojson }}", '[1,2.5,null,true,"t"]'),
        ("{{ '<&>' | tojson }}", '"<&>"'),
    ],
)
@pytest.mark.promise("3.04")
def test_a_lone_expression_keeps_its_type(text: str, value: object) -> None:
    found = render(text)
    assert found == value and type(found) is type(value)
    assert compile_template(text).lone


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x{{ params.x }}y", "x007y"),
        (" {{ params.n }}", " 5"),
        ("{{ xs }}.", '[1,2.5,null,true,"t"].'),
        ("{{ none }}/{{ true }}", "null/true"),
        ("{{ item.a }} ", '{"b":[{"k":"deep"}]} '),
        ("{{ big }}\n", f"{2**70}\n"),
        ("{{ 1e308 }},{{ -0.0 }}", "1e+308,-0.0"),
        ("a  {{- params.n -}}  b", "a5b"),
        ("a {# note #}{{ params.n }}", "a 5"),
        ("${#x} {{ params.n }}", "${#x} 5"),
        ("{% for x in xs %}{{ x }},{% endfor %}\n", "1,2.5,null,true,t,\n"),
        ("{% if params.n > 3 %}many{% endif %}", "many"),
        ("{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
        ("{{ batch.items }}!", "[1,2]!"),
    ],
)
@pytest.mark.promise("3.05")
def test_anything_else_is_text(text: str, expected: str) -> None:
    template = compile_template(text)
    assert template.render(SCOPE) == expected
    assert template.text(SCOPE) == expected
    assert not template.lone


@pytest.mark.parametrize(
    "item", ["007", "1e5", "None", "True", "[1]", "{{ 7*7 }}", "{% raw %}", "${7*7}", "\udcff", ""]
)
@pytest.mark.promise("3.07")
def test_values_stand_as_they_are_and_are_never_rendered_again(item: str) -> None:
    assert render("{{ item }}", {"item": item}) == item
    assert render("<{{ item }}>", {"item": item}) == f"<{item}>"
    assert render("{{ item | string }}", {"item": item}) == item


def test_an_object_with_a_text_of_its_own_is_that_text() -> None:
    class Error:
        type = "exit"

        def __str__(self) -> str:
            return "it broke"

    scope = {"error": Error()}
    assert render("failed: {{ error }}", scope) == "failed: it broke"
    assert render("{{ error.type }}", scope) == "exit"
    assert compile_template("{{ error }}").text(scope) == "it broke"


def test_lazy_sequences_pass_through_and_are_lists_in_text() -> None:
    class Lazy(Sequence[int]):
        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> int:  # type: ignore[override]
            return range(3)[index]

    lazy = Lazy()
    assert render("{{ users }}", {"users": lazy}) is lazy
    assert render("{{ users[1] }}", {"users": lazy}) == 1
    assert render("all: {{ users }}", {"users": lazy}) == "all: [0,1,2]"
    assert render("{{ users | sum }}", {"users": lazy}) == 3


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("{{ itme }}", ["no `itme`", "did you mean `item`", "`params`"]),
        ("{{ itme | upper }}", ["no `itme`", "did you mean `item`"]),
        ("{{ item.nmae }}", ["`item` has no `nmae`", "did you mean `name`", "`id`"]),
        ("{{ item.nmae | upper }}", ["no `nmae`", "did you mean `name`"]),
        ("{{ item['nmae'] }}", ["no `nmae`"]),
        ("{{ params.x.y }}", ["`params.x` is a text and has no `y`"]),
        ("{{ params.x.upper }}", ["`params.x` is a text and has no `upper`"]),
        ("{{ xs[9] }}", ["`xs` is a list of 5 and has no element 9"]),
        ("{{ env.NOWHERE }}", ["the environment variable `NOWHERE` is not set"]),
        ("{{ env['TOKENS'] }}", ["`TOKENS` is not set", "`TOKEN`"]),
        ("{{ batch.idx }}", ["no `idx`", "`index`"]),
        ("{{ 1 / 0 }}", ["division by zero"]),
        ("{{ 'x' | int }}", ["needs a number"]),
        ("{{ 'nan' | float }}", ["nan"]),
        ("{{ xs | args }}", ["`| args`", "shell"]),
        ("{% for x in item.nowhere %}{% endfor %}", ["no `nowhere`"]),
        ("{% if itme %}{% endif %}", ["no `itme`", "did you mean `item`"]),
    ],
)
@pytest.mark.promise("3.02")
def test_what_is_not_there_is_an_error_that_lists_what_is(text: str, parts: list[str]) -> None:
    with pytest.raises(RenderError) as caught:
        render(text)
    for part in parts:
        assert part in f"{caught.value.message} {caught.value.hint}"


ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ().__class__.__base__ }}",
    "{{ item.__init__.__globals__ }}",
    "{{ ''['__class__'] }}",
    "{{ ''['__cla' ~ 'ss__'] }}",
    "{{ ''['\\x5f\\x5fclass\\x5f\\x5f'] }}",
    "{{ '' | attr('__class__') }}",
    "{{ [''] | map(attribute='__class__') | list }}",
    "{{ '{0.__class__.__mro__}'.format('') }}",
    "{{ '{x.__class__}'.format_map({'x': ''}) }}",
    "{{ ('{0.__class__}' | attr('format'))('') }}",
    "{{ (['{0.__class__}'] | map(attribute='format') | first)('') }}",
    "{{ range.__init__ }}",
    "{{ namespace.__init__.__globals__.os.popen('touch PWN').read() }}",
    "{{ cycler.__init__.__globals__.os.popen('touch PWN').read() }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ lipsum.__globals__['os'].popen('touch PWN').read() }}",
    "{{ self.__init__.__globals__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ dict.mro() }}",
    "{{ (range(3) | map('upper')).gi_frame.f_globals }}",
    "{{ xs.append(1) }}",
    "{{ batch.__class__ }}",
    "{{ batch['__class__'] }}",
    "{% set x = ''.__class__ %}{{ x }}",
    "{% for c in ''.__class__.__mro__ %}{% endfor %}",
    "{% macro m() %}{{ caller.__globals__ }}{% endmacro %}{{ m.__globals__ }}",
]


@pytest.mark.fault("N12")
@pytest.mark.parametrize("text", ESCAPES)
@pytest.mark.promise("3.01")
def test_known_escapes_from_the_sandbox_are_refused(text: str, work: object) -> None:
    with pytest.raises(RenderError):
        render(text)


@pytest.mark.parametrize("text", ["{% include '/etc/passwd' %}", "{% import 'os' as os %}", "{% extends 'x' %}"])
def test_templates_cannot_load_files(text: str) -> None:
    with pytest.raises(WorkflowError, match="cannot load other files"):
        compile_template(text)


@pytest.mark.parametrize(
    "text",
    [
        "{{ 'a' * 10**10 }}",
        "{{ [0] * 10**10 }}",
        "{{ 10**10 * 'a' }}",
        "{{ range(10**9) }}",
        "{{ range(10**9) | list }}",
        "{{ 9 ** (9 ** 9) }}",
        "{{ '%999999999999d' % 1 }}",
        "{{ '%*d' % (10**10, 1) }}",
        "{{ '%10000000000d' | format(1) }}",
        "{{ '{:>9999999999}'.format(1) }}",
        "{{ '{:{}}'.format(1, 10**10) }}",
        "{{ 'x' | center(10**10) }}",
        "{{ 'x'.ljust(10**10) }}",
        "{{ 'x'.zfill(10**10) }}",
        "{{ 'x' | indent(10**10) }}",
        "{{ [1] | batch(10**10, 0) | list }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% for i in range(10**9) %}x{% endfor %}",
    ],
)
def test_resource_bombs_are_refused(text: str) -> None:
    with pytest.raises(RenderError):
        render(text)


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a\nb {{ x y }}", 11, 7, "template syntax"),
        ("{{ item ", 10, 5, "not closed"),
        ("{{ 'x }}", 10, 5, "not closed"),
        ("{{ (x }}", 10, 5, "not closed|template syntax"),
        ("{{ x) }}", 10, 5, "unexpected `\\)`"),
        ("{{ }}", 10, 5, "nothing"),
        ("{{ x | uper }}", 10, 5, "did you mean `upper`"),
        ("{{ x is nowhere }}", 10, 5, "template syntax"),
        ("{% for x in y %}", 10, 5, "template syntax"),
        ("a\n\n{% fi x %}", 12, 5, "template syntax"),
        ("{{ x | args | upper }}", 10, 5, "must be the last"),
        ("{{ x ~ (y | raw) }}", 10, 5, "must be the last"),
        ("{{ " + "(" * 5000 + "}}", 10, 5, "template syntax|nested"),
        ("{{ " + "-" * 100_000 + "1 }}", 10, 5, "template syntax|nested"),
    ],
)
def test_wrong_syntax_is_a_problem_with_its_place(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(WorkflowError, match=message) as caught:
        compile_template(text, Place("w.yaml", 10, 5))
    assert caught.value.problems[0].place == Place("w.yaml", line, column)


@pytest.mark.fault("L07")
@pytest.mark.promise("3.03")
def test_names_are_known_beforehand() -> None:
    template = compile_template("{{ itme }} {{ item.x }} {{ steps['a'].result[0] | length + n }} {{ q | default(1) }}")
    assert template.roots == {"itme", "item", "steps", "n", "q"}
    assert template.needs == template.roots - {"q"}
    assert {("item", "x"), ("steps", "a", "result", 0), ("n",), ("itme",)} <= template.paths
    problems = unknown_names(template, ["item", "steps", "n"])
    assert [problem.message for problem in problems] == ["there is no `itme`"]
    assert "did you mean `item`?" in problems[0].hint


def test_names_of_statements() -> None:
    template = compile_template("{% for x in steps.a.result %}{{ x.y }}{{ z }}{{ range(2) }}{% endfor %}")
    assert template.has_statements and template.roots == {"steps", "z"}
    assert ("steps", "a", "result") in template.paths


def test_expressions_say_their_filters_and_marks() -> None:
    args, raw, number, both = compile_template(
        "{{ xs | args }}{{ x.y | raw }}{{ n | int }}{{ a | b | upper | raw }}".replace("| b", "| lower")
    ).expressions
    assert (args.core, args.mark, args.filters) == ("xs", "args", ("args",))
    assert (raw.core, raw.mark) == ("x.y", "raw")
    assert (number.mark, number.filters) == ("", ("int",))
    assert (both.core, both.mark, both.filters) == ("a | lower | upper", "raw", ("lower", "upper", "raw"))
    assert compile_template("{{ (a or b) | raw }}").expressions[0].value({"a": 0, "b": 2}) == 2


def test_a_tree_of_values() -> None:
    tree = {"a": "{{ params.x }}", "b": ["x{{ params.n }}", 5, None], "c{{ params.n }}": {"d": "plain"}}
    value = Value.of(tree, Place("w.yaml", 3, 1))
    assert value.render(SCOPE) == {"a": "007", "b": ["x5", 5, None], "c5": {"d": "plain"}}
    assert value.roots == {"params"} and not value.is_constant and value.json == tree
    assert [template.source for template in value.templates()] == [
        "{{ params.x }}",
        "x{{ params.n }}",
        "c{{ params.n }}",
    ]
    assert Value.of([1, "a"]).is_constant
    assert Value.constant("{{ x }}").render({}) == "{{ x }}"
    assert Value.of("{{ params.n }}").text(SCOPE) == "5"


def test_a_tree_reports_all_its_problems_with_their_places() -> None:
    def place_at(path: tuple[str | int, ...]) -> Place:
        return Place("w.yaml", len(path) + 1, 1)

    with pytest.raises(WorkflowError) as caught:
        Value.of({"a": "{{ x", "b": ["{{ }}"]}, place_at)
    assert [problem.place.line for problem in caught.value.problems] == [2, 3]


def test_args_outside_of_a_command_is_found_beforehand() -> None:
    assert [problem.message[:8] for problem in misplaced(Value.of({"a": ["x {{ y | args }}"]}))] == ["`| args`"]
    assert misplaced(Value.of("{{ y | raw }}")) == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ 1 if false }}", ""),
        ("a{{ 1 if false }}b", "ab"),
        ("{{ [1 if false, 2] }}", ["", 2]),
        ("{{ {'a': (1 if false, 3)} }}", {"a": ["", 3]}),
    ],
)
def test_a_condition_without_else_gives_an_empty_text(text: str, value: object) -> None:
    assert render(text) == value
    assert type(render(text)) is type(value)


@pytest.mark.parametrize("inner", ["[1] | groupby('__class__')", "([1] | groupby('__class__'), 1)"])
def test_what_is_not_allowed_is_an_error_however_deep(inner: str) -> None:
    with pytest.raises(RenderError, match="not allowed in a template"):
        render("{{ " + inner + " }}")


def test_is_template() -> None:
    assert is_template("a {{ b }}") and is_template("{% if %}") and not is_template("{ { x } } {# #}")


def test_plain_templates_do_without_jinja2() -> None:
    code = (
        "import sys; from batchwork.template import compile_template as c;"
        "c('x {{ item.a[0] }} {{ xs | args }}').source; c('{{ item }}').render({'item': 1});"
        "assert 'jinja2' not in sys.modules; c('{{ item | upper }}'); assert 'jinja2' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_scope_may_be_any_mapping() -> None:
    scope = ChainMap({"item": 1}, {"params": {"n": 2}})
    assert render("{{ item }}{{ params.n }}{{ item + params.n }}", scope) == "123"


def test_values_as_data() -> None:
    def numbers() -> Iterator[int]:
        yield from (1, 2)

    assert plain({"a": (1, numbers())}) == {"a": [1, [1, 2]]}
    assert text_of({"b": {1: 2}.keys()}) == '{"b":[1]}'
    for wrong, at in (({"a": [float("nan")]}, "a\\[0\\]"), ({"a": object()}, "object"), ({"a": b"x"}, "bytes")):
        with pytest.raises(RenderError, match=at):
            plain(wrong)
    with pytest.raises(RenderError, match="keys of JSON data are text"):
        plain({1: 2})
    looped: list[object] = []
    looped.append(looped)
    with pytest.raises(RenderError, match="nested"):
        plain(looped)


def test_templates_compare_by_what_was_written() -> None:
    assert compile_template("a {{ b }}") == compile_template("a {{ b }}")
    assert isinstance(compile_template("{{ b }}"), Template)


@pytest.mark.parametrize(
    "path", ["in/x y/a.tar.gz", "b", "", ".", "/", "a/", "a//b/./c.txt", ".hidden", "x/.hidden.gz", "a.", "..", "é.ü"]
)
@pytest.mark.promise("3.20")
def test_path_filters_cut_as_pathlib_does(path: str) -> None:
    from pathlib import PurePosixPath

    whole = PurePosixPath(path)
    expected = {
        "basename": whole.name,
        "dirname": str(whole.parent),
        "stem": whole.stem,
        "suffix": whole.suffix,
        "without_suffix": str(whole.with_suffix("")) if whole.suffix else str(whole),
    }
    for name, cut in expected.items():
        assert compile_template(f"{{{{ item | {name} }}}}").render({"item": path}) == cut


@pytest.mark.parametrize("value", [5, None, ["a"], {"a": 1}])
def test_path_filters_need_a_text(value: object) -> None:
    with pytest.raises(RenderError, match="`stem` needs a path"):
        compile_template("{{ item | stem }}").render({"item": value})


@pytest.mark.parametrize(
    "text",
    ["docker inspect -f '{{.State}}' x", "{{ x", "{{json .}}", "a {{ }} b", "{{ x }", "awk '{{print $1}'", "{{ ) }}"],
)
@pytest.mark.promise("2.19")
def test_where_a_template_cannot_be_read_the_literal_way_is_said(text: str) -> None:
    with pytest.raises(WorkflowError) as caught:
        compile_template(text)
    assert "{{ '{{' }}" in caught.value.problems[0].hint


@pytest.mark.promise("2.19")
def test_literal_braces() -> None:
    assert compile_template("-f '{{ '{{' }}.State}}' {{ x }}").render({"x": 1}) == "-f '{{.State}}' 1"
    with pytest.raises(WorkflowError) as caught:
        compile_template("printf '{%s}'")
    assert "{{ '{%' }}" in caught.value.problems[0].hint
    assert compile_template("printf '{{ '{%' }}s}'").render({}) == "printf '{%s}'"
