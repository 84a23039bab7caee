"""A store of many chats in PostgreSQL: pip install 'psycopg[binary]'."""

import json
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, LiteralString

import psycopg

from chatfsm.drivers.storage import StoredRecord
from chatfsm.errors import LocalProtocolError, StoreConflictError

TABLE = """CREATE TABLE IF NOT EXISTS chats (
    key text PRIMARY KEY, version bigint NOT NULL, record text NOT NULL)"""
SELECT = "SELECT key, version, record FROM chats "
LOCK = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
UNLOCK = "SELECT pg_advisory_unlock(hashtextextended(%s, 0))"
IS_MINE_OR_FREE = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))"
INSERT = "INSERT INTO chats (record, key, version) VALUES (%s, %s, %s + 1) ON CONFLICT DO NOTHING"
UPDATE = "UPDATE chats SET record = %s, version = version + 1 WHERE key = %s AND version = %s"

DELETE = "DELETE FROM chats WHERE %s = '' AND key = %s AND version = %s"


class PostgresStore:
    """Leases are advisory locks of the connection: the server ends them with the process.

    One thread saves, so that no event loop waits for the server.
    """

    def __init__(self, address: str) -> None:
        self._connection = psycopg.connect(address, autocommit=True)
        self._connection.execute(TABLE)
        self._leased: set[str] = set()
        self._thread = ThreadPoolExecutor(1)

    def lease(self, key: str) -> None:
        if key in self._leased or not self._is_true(LOCK, key):
            raise LocalProtocolError("cannot open the chat: another process or chat has it open")
        self._leased.add(key)

    def release(self, key: str) -> None:
        if key in self._leased:
            self._leased.remove(key)
            self._connection.execute(UNLOCK, [key])

    def load(self, key: str) -> StoredRecord | None:
        found = self._records("WHERE key = %s", key)
        return found[0] if found else None

    def list(self) -> Iterable[StoredRecord]:
        return self._records("ORDER BY key")

    def save(self, key: str, record: dict[str, Any], version: int) -> Future[None]:
        text = json.dumps(record, allow_nan=False)
        return self._thread.submit(self._write, UPDATE if version else INSERT, text, key, version)

    def delete(self, key: str, version: int) -> None:
        if self.load(key) is not None:
            self._write(DELETE, "", key, version)

    def close(self) -> None:
        self._thread.shutdown()
        self._connection.execute("SELECT pg_advisory_unlock_all()")
        self._connection.close()

    def _write(self, query: LiteralString, text: str, key: str, version: int) -> None:
        with self._connection.transaction():
            is_free = self._is_true(IS_MINE_OR_FREE, key)
            if not is_free or not self._connection.execute(query, [text, key, version]).rowcount:
                raise StoreConflictError("the chat was saved, deleted or leased by another process")

    def _is_true(self, query: LiteralString, key: str) -> bool:
        return self._connection.execute(query, [key]).fetchone() == (True,)

    def _records(self, condition: LiteralString, *parameters: str) -> Sequence[StoredRecord]:
        rows = self._connection.execute(SELECT + condition, parameters)
        return [StoredRecord(key, version, json.loads(text)) for key, version, text in rows]
