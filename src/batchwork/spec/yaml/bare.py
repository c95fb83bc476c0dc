"""Unquoted `{{ … }}` values, which plain YAML lacks: finds them, so that the loader can read them as text. Nothing else of YAML.

Each one found is replaced by a plain scalar of the same length, so that no line and no column moves. Block scalars,
quoted strings, comments and continued plain scalars are left alone, so this has to follow YAML's lexical structure.
"""

from __future__ import annotations

import re

from msgspec import Struct

from batchwork.text.patterns import pattern

_SUSPECT = pattern(r"(?:^|[-?:,\[{]|[&!]\S{1,64})[ \t]*\{\{", re.MULTILINE)


class Bare(Struct, frozen=True):
    """The text to parse in place of the original, and what stands where: templates by their offset, bad ones and why."""

    text: str
    templates: dict[int, str]
    wrong: dict[int, str]


def find_bare(text: str) -> Bare:
    """All unquoted templates of a YAML text."""
    if not _SUSPECT.search(text):
        return Bare(text, {}, {})
    from batchwork.spec.yaml.bare_scan import Scan  # compiles a dozen expressions, which most workflows do without

    scan = Scan(text)
    scan.run()
    pieces: list[str] = []
    done = 0
    for start, end in scan.spans:
        pieces += [text[done:start], stand_in(text[start:end])]
        done = end
    pieces.append(text[done:])
    return Bare("".join(pieces), scan.templates, scan.wrong)


def stand_in(template: str) -> str:
    """The plain scalar that YAML sees in a template's place."""
    return "T" + "_" * (len(template) - 1)
