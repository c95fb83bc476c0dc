"""Whatever JSON data is written as YAML comes back the same, and no text makes the loader fail in another way than by problems."""

from __future__ import annotations

import json

import yaml
from hypothesis import given
from hypothesis import strategies as st

from batchwork.errors import Problem
from batchwork.spec.yaml.bare import find_bare
from batchwork.spec.yaml.loader import read_yaml
from batchwork.spec.yaml.nodes import json_of

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT.filter(bool), inner, max_size=4),
    max_leaves=12,
)
PIECES = st.sampled_from(
    [
        "{{ x }}",
        "{{",
        "}}",
        "a: ",
        "- ",
        "\n",
        "\n  ",
        "|",
        ">",
        "'",
        '"',
        "[",
        "]",
        "{",
        "}",
        ", ",
        "# c",
        "&a ",
        "*a",
        "text",
        "!t ",
        "? ",
        "\t",
        "<<: ",
    ]
)


@given(JSON)
def test_json_is_read_as_it_was_written(value: object) -> None:
    problems: list[Problem] = []
    node = read_yaml("w.yaml", json.dumps(value, ensure_ascii=False), problems)
    assert problems == []
    assert node is not None
    assert json_of(node) == value


@given(JSON)
def test_quoted_yaml_is_read_as_it_was_written(value: object) -> None:
    text = yaml.safe_dump(value, default_style='"', allow_unicode=True)
    problems: list[Problem] = []
    node = read_yaml("w.yaml", text.replace('!!int "', '"').replace('!!float "', '"'), problems)
    refused = all("tag" in problem.message for problem in problems)
    assert refused  # numbers, true, false and null carry tags in this style; texts do not
    assert node is not None


@given(st.lists(PIECES, max_size=30).map("".join))
def test_any_text_is_read_or_explained(text: str) -> None:
    problems: list[Problem] = []
    node = read_yaml("w.yaml", text, problems)
    assert node is None or json.dumps(json_of(node)) is not None
    assert all(problem.message and problem.place.file == "w.yaml" for problem in problems)


@given(st.lists(PIECES, max_size=30).map("".join))
def test_quoting_templates_moves_nothing(text: str) -> None:
    bare = find_bare(text)
    assert len(bare.text) == len(text)
    assert [len(line) for line in bare.text.split("\n")] == [len(line) for line in text.split("\n")]
    assert all(text.startswith(template, at) for at, template in bare.templates.items())
