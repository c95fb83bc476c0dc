"""How much one template may go through: the data of one item must not stop all others."""

from __future__ import annotations

import pytest

from batchwork.errors import RenderError
from batchwork.template import compile_template, rounds

MANY = {"item": {"xs": list(range(80_000)), "pair": [1, 2], "text": "a " * 40_000}}
FEW = {"item": {"xs": list(range(2000)), "pair": [1, 2], "text": "a " * 1000}}


def render(text: str) -> object:
    return compile_template(text).render(MANY)


@pytest.mark.parametrize(
    "text",
    [
        "{% for a in item.xs %}{% for b in item.xs %}{% endfor %}{% endfor %}",
        "{% for a in item.xs %}{% for b in item.xs if a == b %}{{ b }}{% endfor %}{% endfor %}",
        "{% for a in item.xs if a in item.xs %}{{ a }}{% endfor %}",
        "{% for a in item.xs if a not in item.xs %}{{ a }}{% endfor %}",
        "{% for a in item.xs %}{{ item.xs | sum }}{% endfor %}",
        "{% for a in item.xs %}{{ item.text | upper | length }}{% endfor %}",
        "{% for a in item.xs %}{{ item.xs.count(a) }}{% endfor %}",
        "{% for a in item.xs %}{{ item.text.split('b') | length }}{% endfor %}",
        "{% for a in item.xs %}{{ (item.xs + [a]) | length }}{% endfor %}",
        "{% for a in item.xs %}{{ range(90000) | sum }}{% endfor %}",
        "{% for a in item.xs %}{% if a is in(item.xs) %}{% endif %}{% endfor %}",
        "{{ item.xs | select('in', item.xs) | list }}",
        "{{ item.xs | reject('in', item.xs) | list }}",
        "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(40) }}",
        "{% for a in item.pair recursive %}{% if loop.depth < 60 %}{{ loop(item.pair) }}{% endif %}{% endfor %}",
        "{% macro m() %}{{ caller() }}{% endmacro %}{% for a in item.xs * 40 %}{% call m() %}{% endcall %}{% endfor %}",
        "{% for a in item.xs %}{% block b scoped %}{% for b in item.xs %}{% endfor %}{% endblock %}{% endfor %}",
        "{% set found %}{% for a in item.xs %}{% for b in item.xs %}{% endfor %}{% endfor %}{% endset %}{{ found }}",
    ],
)
def test_what_would_take_for_ever_fails(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "ROUNDS_MAX", 20_000)
    with pytest.raises(RenderError, match="more than 20,000 rounds"):
        compile_template(text).render(FEW)


@pytest.mark.promise("3.09")
def test_the_limit_is_a_million() -> None:
    with pytest.raises(RenderError, match="more than 1,000,000 rounds"):
        render("{% for a in item.xs %}{% for b in item.xs %}{% endfor %}{% endfor %}")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{% for i in range(90000) %}{% endfor %}" * 3 + "x", "x"),
        ("{% for a in range(900) %}{% for b in range(900) %}{% endfor %}{% endfor %}x", "x"),
        ("{{ item.xs | sum }}", 3_199_960_000),
        ("{{ item.xs | select('in', [1, 2]) | list }}", [1, 2]),
        ("{% for a in range(1000) if a in item.xs[:1000] %}{{ loop.last and a or '' }}{% endfor %}", "999"),
        ("{% for a in item.pair %}{{ a }}{% else %}none{% endfor %}", "12"),
        ("{% for a in [] %}{{ a }}{% else %}none{% endfor %}", "none"),
        ("{% for a in item.pair if a > 1 %}{{ loop.index }}{{ a }}{% endfor %}", "12"),
        ("{% for a in item.pair recursive %}{{ a }}{% endfor %}", "12"),
        ("{% macro m(n) %}<{{ n }}>{% endmacro %}{{ m(1) }}{{ m(2) }}", "<1><2>"),
        ("{% macro m() %}[{{ caller(3) }}]{% endmacro %}{% call(x) m() %}{{ x }}{% endcall %}", "[3]"),
        ("{{ 1 in item.pair and 3 not in item.pair }}", True),
        ("{{ item.nothing | default('d') }}{{ item.pair | join('-') }}", "d1-2"),
        ("{% filter upper %}a{% endfilter %}", "A"),
    ],
)
def test_what_is_long_or_ordinary_works_as_before(text: str, value: object) -> None:
    assert render(text) == value


def test_each_value_has_its_own_count() -> None:
    template = compile_template("{% for a in range(90000) %}{% endfor %}" * 8 + "x")
    assert [template.render(MANY) for _ in range(3)] == ["x", "x", "x"]
