"""The faultkit's wrong workflows, in-process and with the real task types: each gives the message that its table asks for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from batchwork.errors import WorkflowError
from batchwork.plan.knowns import Circumstances
from batchwork.plan.resolve import load_plan

RIGHT_NOW = {"tmpl_in_backticks.yaml"}
"""Files of the table that are right by the contract of today: templates in backticks are compiled as `$( )`."""

BAD = Path(__file__).resolve().parents[3] / "shared" / "faultkit" / "bad"


def cases() -> list[tuple[str, str, list[str]]]:
    """(file, exit code, patterns), as run_bad.sh reads them."""
    table = BAD / "expected.tsv"
    if not table.exists():
        return []
    rows = [line.split("\t") for line in table.read_text().splitlines()]
    rows = [row for row in rows if row[0] not in RIGHT_NOW]
    return [(row[0], row[1], [pattern for pattern in row[2:] if pattern]) for row in rows]


def said(file: str) -> tuple[str, str]:
    """The exit code that `validate` would have, and all that it would say."""
    try:
        plan = load_plan(file, (BAD / file).read_text(), Circumstances([], None, {}, None, 2, lenient=True))
    except WorkflowError as error:
        return str(error.exit_code), str(error)
    return "0", "\n".join(f"warning: {problem}" for problem in plan.warnings)


@pytest.mark.fault("L01")
@pytest.mark.skipif(not cases(), reason="the founding documents (../shared) are not here")
@pytest.mark.parametrize(("file", "code", "patterns"), cases(), ids=[case[0] for case in cases()])
def test_a_wrong_workflow_is_explained(file: str, code: str, patterns: list[str]) -> None:
    found, text = said(file)
    assert found in code.split("|"), text
    assert file in text
    message = text.replace(file, "")
    missing = [pattern for pattern in patterns if not re.search(pattern, message, re.IGNORECASE)]
    assert missing == [], text


@pytest.mark.skipif(not cases(), reason="the founding documents (../shared) are not here")
@pytest.mark.parametrize("file", sorted(RIGHT_NOW))
def test_what_was_wrong_once_is_accepted(file: str) -> None:
    found, _text = said(file)
    assert found == "0"
