"""YAML text to nodes: meaning of scalars, places, unquoted templates, limits."""

from __future__ import annotations

import re
import sys

import pytest

from batchwork.errors import Problem
from batchwork.spec.yaml.loader import MAX_SIZE, read_yaml
from batchwork.spec.yaml.nodes import ListNode, MapNode, Node, ScalarNode, json_of, place_in, text_place


def good(text: str) -> Node:
    problems: list[Problem] = []
    node = read_yaml("w.yaml", text, problems)
    assert problems == []
    assert node is not None
    return node


def bad(text: str) -> list[str]:
    problems: list[Problem] = []
    read_yaml("w.yaml", text, problems)
    return [f"{problem.place.line}:{problem.place.column} {problem.message}" for problem in problems]


def only(text: str) -> str:
    found = bad(text)
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("On", "On"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("007", 7),
        ('"007"', "007"),
        ("0o17", 15),
        ("017", 17),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2020-01-01", "2020-01-01"),
        ("+5", 5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-0.0", -0.0),
        ("1180591620717411303424", 2**70),
        ("-x", "-x"),
        ("=", "="),
        ("'it''s'", "it's"),
    ],
)
@pytest.mark.promise("2.12")
def test_plain_scalars_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    node = good(f"a:\n  {text}\n")
    found = json_of(node)["a"]  # type: ignore[index,call-overload]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", [".inf", "-.INF", ".nan", "1e999", "9" * 5000])
def test_numbers_that_json_cannot_hold_are_refused(text: str) -> None:
    assert only(f"a: {text}").startswith("1:4")


def test_everything_has_its_place() -> None:
    node = good("a:\n  - x\n  - {k: 'v'}\nb: |\n\n   one\n   {{ x }}\n")
    assert isinstance(node, MapNode)
    assert (node.entries["b"].place.line, node.entries["b"].place.column) == (4, 1)
    find = place_in(node)
    assert (find(("a", 0)).line, find(("a", 0)).column) == (2, 5)
    assert (find(("a", 1, "k")).line, find(("a", 1, "k")).column) == (3, 10)  # behind the quote
    block = node.entries["b"].node
    assert (text_place(block).line, text_place(block).column) == (5, 4)
    assert find(("nowhere",)) == node.place


def test_line_ends_of_other_systems_and_a_bom_do_not_matter() -> None:
    assert json_of(good("\ufeffa: 1\r\nb: 2\rc: 3\n")) == {"a": 1, "b": 2, "c": 3}


def test_unicode_line_separators_are_ordinary_characters() -> None:
    assert json_of(good('a: "x\u2028y"\nb: p\x85q\nc: [1]')) == {"a": "x\u2028y", "b": "p\x85q", "c": [1]}


@pytest.mark.promise("2.13")
def test_keys_are_text_and_must_not_repeat() -> None:
    assert json_of(good("1: a\ntrue: b\nno: c")) == {"1": "a", "true": "b", "no": "c"}
    assert only("a: 1\nb: 2\na: 3") == "3:1 duplicate key `a`: it is already at line 1"
    assert only("1: x\n'1': y").startswith("2:1 duplicate key `1`")
    assert "must be text" in only("? [a]\n: b")


def test_merge_keys_fill_what_is_not_written() -> None:
    node = good("base: &b {x: 1, y: 2}\na: {<<: *b, y: 3}\nb: {<<: [{y: 5}, *b]}")
    assert json_of(node) == {"base": {"x": 1, "y": 2}, "a": {"y": 3, "x": 1}, "b": {"y": 5, "x": 1}}
    assert "merges mappings" in only("a: {<<: 5}")


@pytest.mark.fault("L02")
@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system [ls]", "!!int 5", "!x y", "!!binary aGk=", "! 5"])
def test_tags_are_refused(tag: str) -> None:
    assert re.match(r"1:4 the tag `.*` is refused", only(f"a: {tag}"))


def test_a_second_document_is_refused() -> None:
    assert only("a: 1\n---\nb: 1").startswith("2:1 a second document")
    assert json_of(good("---\na: 1\n...\n")) == {"a": 1}


def test_an_empty_text_has_no_node() -> None:
    problems: list[Problem] = []
    assert read_yaml("w.yaml", "# nothing\n", problems) is None
    assert problems == []


# ---------------------------------------------------------------- what is no YAML


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a:\n\tb: c", "2:1 a tab is used for indentation"),
        ("a:\n  b: c\n\td: e", "3:1 a tab is used for indentation"),
        ("steps: [1, 2\n", "1:8 `[` is not closed: `]` is missing"),
        ("a: {b: c\n\n", "1:4 `{` is not closed: `}` is missing"),
        ("a: [b}", "1:6 `,` or `]` was expected here, in what `[` opens at line 1"),
        ("a: 'x\nb: c\n", "1:4 the text that begins with ' is not closed: its last ' is missing"),
        ("a: @x", '1:4 text cannot begin with "@"'),
        ("a: b: c", "1:5 `: ` is not possible here"),
        ('a: "\\q"', "1:5 unknown escape after `\\` in a text in double quotes"),
        ("x: a\x00b", "1:5 the character U+0000 is not allowed in YAML"),
        ("a: \ud800", "1:4 a character that is not valid Unicode (half of a surrogate pair)"),
        ("a: *x", "1:4 alias `*x` is unknown: there is no anchor `&x`"),
        ("a: &a [*a]", "1:8 alias `*a` stands inside what it names"),
        ("a: 1\n- b\n", "2:1 this does not fit its surroundings: a `key: value` was expected"),
    ],
)
def test_broken_yaml_is_explained_with_its_place(text: str, expected: str) -> None:
    assert only(text) == expected


# ---------------------------------------------------------------- limits


@pytest.mark.promise("2.18")
def test_deep_nesting_is_refused_before_it_costs_anything() -> None:
    assert "nested too deeply" in only("[" * 100_000)
    assert "nested too deeply" in only("".join(f"{' ' * n}a:\n" for n in range(150)))
    good("[" * 100 + "]" * 100)


@pytest.mark.parametrize("piece", ["{", "{{ ", "[{{ x ", "- ", "? ", "{{ x }}", "[{{ x }}, ", "a: {{ '", "{{ x }}: "])
def test_no_text_costs_more_than_its_length(piece: str) -> None:
    assert bad(piece * 30_000)


def test_long_runs_of_one_character_are_no_danger() -> None:
    for char in "&!#-|>'\"`%@*:,":
        problems: list[Problem] = []
        root = read_yaml("w.yaml", f"a: {{ b }}\n{char * 300_000}", problems)
        assert (root is None) == bool(problems), char


def test_nesting_through_aliases_counts() -> None:
    half = "[" * 60 + "1" + "]" * 60
    assert "goes beyond" in only(f"a: &a {half}\nb: {'[' * 60}*a{']' * 60}")


@pytest.mark.promise("2.18")
def test_a_billion_laughs_are_refused_by_name() -> None:
    lines = ["a0: &a0 [lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    assert re.match(r"\d+:\d+ alias `\*a\d+` makes the file stand for more than", only("\n".join(lines)))


def test_aliases_used_sanely_are_fine() -> None:
    node = good("big: &big [" + "1, " * 30_000 + "1]\n" + "".join(f"u{n}: *big\n" for n in range(3)))
    assert len(json_of(node)["u2"]) == 30_001  # type: ignore[index,call-overload,arg-type]


@pytest.mark.promise("2.18")
def test_a_file_that_is_too_large_is_refused() -> None:
    assert "larger than" in only("a" * (MAX_SIZE + 1))


def test_a_long_flat_file_does_not_recurse() -> None:
    node = good("\n".join("- x" for _ in range(sys.getrecursionlimit() * 3)))
    assert isinstance(node, ListNode)


# ---------------------------------------------------------------- unquoted templates


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: {{ x }}", {"a": "{{ x }}"}),
        ("a: {{ xs[0] }}  # why", {"a": "{{ xs[0] }}"}),
        ("a: {{ params['x'] }}", {"a": "{{ params['x'] }}"}),
        ('a: {{ b | default("x, ]}}") }}', {"a": '{{ b | default("x, ]}}") }}'}),
        ("- {{ x }}\n- - {{ y }}\n- k: {{ z }}", ["{{ x }}", ["{{ y }}"], {"k": "{{ z }}"}]),
        ("[{{ a }}, {{ b }}]", ["{{ a }}", "{{ b }}"]),
        ("{k: {{ {'a': {'b': 1}} }}, l: {{ y }}}", {"k": "{{ {'a': {'b': 1}} }}", "l": "{{ y }}"}),
        ("{k: {{ {'a': 1}}}, l: 1}", {"k": "{{ {'a': 1}}}", "l": 1}),
        ("a:\n  {{ x }}\nb: 1", {"a": "{{ x }}", "b": 1}),
        ("'a b': {{ x }}\n\"c\": {{ y }}", {"a b": "{{ x }}", "c": "{{ y }}"}),
        ("a: é {{ no }}\nb: {{ é }}", {"a": "é {{ no }}", "b": "{{ é }}"}),
        ("a: [\n  {{ x }},  # one\n  {{ y }}\n]\nb: {{ z }}", {"a": ["{{ x }}", "{{ y }}"], "b": "{{ z }}"}),
        ("a: &n {{ x }}\nb: *n", {"a": "{{ x }}", "b": "{{ x }}"}),
        ("a: {{ x }}\r\nb: {{ y }}\r\n", {"a": "{{ x }}", "b": "{{ y }}"}),
    ],
)
@pytest.mark.promise("2.10")
def test_a_value_that_is_one_unquoted_template_is_that_text(text: str, value: object) -> None:
    assert json_of(good(text)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: |\n  k: {{ x }}\n  - {{ y }}\nb: {{ z }}", {"a": "k: {{ x }}\n- {{ y }}\n", "b": "{{ z }}"}),
        ("- |\n  {{ x }}\n- {{ y }}", ["{{ x }}\n", "{{ y }}"]),
        ("- code: |\n    x = {\n      'a': {{ b }}\n    }\n  k: {{ y }}", None),
        ("a: >-\n\n   - {{ x }}\n\nb: {{ y }}", {"a": "\n- {{ x }}", "b": "{{ y }}"}),
        ('a: "\n  - {{ x }}"\nb: {{ y }}', {"a": " - {{ x }}", "b": "{{ y }}"}),
        ("a: some text\n  - {{ x }}\n  {{ y }}\nb: {{ z }}", {"a": "some text - {{ x }} {{ y }}", "b": "{{ z }}"}),
        ("# a: {{ x }}\nb: t # - {{ y }}\nc: {{ z }}", {"b": "t", "c": "{{ z }}"}),
        ("a: 'k: {{ x }}'\nb: {{ z }}", {"a": "k: {{ x }}", "b": "{{ z }}"}),
        ("a: {b: 'x: {{ y }}', c: \"- {{ z }}\"}\nd: {{ e }}", None),
    ],
)
@pytest.mark.promise("2.11")
def test_text_is_left_alone(text: str, value: object) -> None:
    found = json_of(good(text))
    assert value is None or found == value
    assert "T_" not in str(found)


def test_places_do_not_move_behind_a_template() -> None:
    node = good("{a: {{ x }}, b: 5}")
    assert isinstance(node, MapNode)
    assert node.entries["b"].place.column == 14
    first = node.entries["a"].node
    assert isinstance(first, ScalarNode)
    assert (first.style, first.place.column) == ("template", 5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: {{ x }}/y", "1:4 text that begins with `{{` and goes on after `}}` must be quoted"),
        ("a: {{ x }}\n  more", "1:4 text that begins with `{{` and goes on after `}}` must be quoted"),
        ("a: {{ x", "1:4 template is not closed: `}}` is missing on this line"),
        ("{{ x }}: 5", "1:1 a key cannot be a template"),
    ],
)
def test_an_unquoted_template_that_is_not_the_whole_value_is_explained(text: str, expected: str) -> None:
    assert only(text) == expected


def test_a_wrong_template_does_not_hide_what_else_is_wrong() -> None:
    assert len(bad("a: {{ x }}/y\nb: 1\nb: 2\nc: {{ z")) == 3
