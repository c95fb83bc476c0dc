"""Packages that are not installed are named with the extra that brings them."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

from batchwork.errors import UsageError
from batchwork.plugins import EXTRAS, needed

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def test_a_package_that_is_there_is_imported() -> None:
    assert needed("json.decoder", "reading").JSONDecoder is not None


@pytest.mark.parametrize("package", EXTRAS)
def test_a_missing_package_is_named_with_its_extra(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError) as caught:
        needed(package, "reading this")
    assert caught.value.message == f"reading this needs the package {package}, which is not installed here"
    assert caught.value.hint == f"`pip install 'batchwork[{EXTRAS[package]}]'`"


def test_every_extra_that_is_named_is_one_of_the_project_and_brings_the_package() -> None:
    extras = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"]
    for package, extra in EXTRAS.items():
        brought = " ".join(extras[extra]).replace("-", "_")
        assert package in brought, f"{extra} does not bring {package}"
