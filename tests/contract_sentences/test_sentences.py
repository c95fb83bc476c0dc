"""Each sentence of the contract that is quoted here has a test that shows it, or is known to have none."""

from __future__ import annotations

from pathlib import Path

import pytest

from contract_sentences import table
from marks import shown_by

CONTRACT = "spec/contract.md"


def test_every_sentence_is_shown_by_a_test_or_known_to_be_open() -> None:
    quoted, shown = table.sentences(), shown_by("promise")
    assert [name for name, row in quoted.items() if row.is_open == (name in shown)] == []
    assert sorted(set(shown) - set(quoted)) == []


def test_every_sentence_is_quoted_word_for_word(shared: Path) -> None:
    contract = shared / CONTRACT
    if not contract.is_file():
        pytest.skip("the contract is not here")
    assert table.misquoted(table.sentences(), contract.read_text(encoding="utf-8")) == []


def test_a_wrong_quote_and_what_is_left_out_are_noticed() -> None:
    contract = "# x\n## 1. One\nAll **must**\nrun. Nothing\n[2] is lost.\n## 2. Two\nNobody waits.\n"
    quoted = {"1.01": table.Sentence("All must run.", False), "2.01": table.Sentence("Nothing is lost.", True)}
    assert table.misquoted(quoted, contract) == ["2.01"]
    assert table.unquoted(quoted, contract, ["1"]) == []
    assert table.unquoted({}, contract, ["2"]) == ["2: Nobody waits."]
    assert table.misquoted({"1.01": table.Sentence("Nothing is lost.", True)}, contract) == []


def test_rows_are_read_and_wrong_ones_refused(tmp_path: Path) -> None:
    file = tmp_path / "section_03.txt"
    file.write_text("3.01 One.\n3.02 ? Two `x`.\n")
    assert table.sentences(tmp_path) == {
        "3.01": table.Sentence("One.", False),
        "3.02": table.Sentence("Two `x`.", True),
    }
    for wrong in ("3.01 One.\n3.01 Two.\n", "4.01 Elsewhere.\n", "no id\n"):
        file.write_text(wrong)
        with pytest.raises(ValueError, match="not a row of its own"):
            table.sentences(tmp_path)
