"""Each store keeps the contract of Store."""

from __future__ import annotations

from pathlib import Path

import pytest

import postgres
from batchwork.ports import Opening, Store
from batchwork.store import open_store
from batchwork.testing.store_contract import StoreContract


class TestMemory(StoreContract):
    def store(self) -> Store:
        return open_store("memory:")


class TestSqlite(StoreContract):
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "state.db"

    def store(self) -> Store:
        return open_store(str(self.path))


class TestSqliteFast(TestSqlite):
    def store(self) -> Store:
        return open_store(str(self.path), Opening(durability="fast"))


class TestPostgres(StoreContract):
    @pytest.fixture(autouse=True)
    def place(self, postgres_server: postgres.Server, work: Path) -> None:
        self.url = postgres_server.schema()

    def store(self) -> Store:
        return open_store(self.url)
