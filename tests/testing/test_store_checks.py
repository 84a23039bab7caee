"""The conformance kit of stores: the stores of chatfsm pass, and each error is found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chatfsm.drivers.sqlite import SqliteStore
from chatfsm.drivers.storage import FolderStore, StoredRecord
from chatfsm.errors import LocalProtocolError, StoreConflictError
from chatfsm.testing.conformance import ConformanceError
from chatfsm.testing.store_checks import check_store, store_cases


def test_the_stores_of_chatfsm_pass(tmp_path: Path) -> None:
    """The stores pass all cases, and the kit leaves no data in the place."""
    assert check_store(lambda: SqliteStore(tmp_path / "chats.db", max_delay=0.001)).passed == 9
    assert check_store(lambda: FolderStore(tmp_path / "chats")).passed == len(store_cases())
    with SqliteStore(tmp_path / "chats.db") as store:
        assert [*store.list(), *FolderStore(tmp_path / "chats").list()] == []


class Memory:
    """A correct store in memory, whose subclasses change one respect each."""

    def __init__(self, place: dict[str, Any]) -> None:
        self.place = place

    def lease(self, key: str) -> None:
        if self.place.setdefault(f"lease {key}", self) is not self or key in self.leased:
            raise LocalProtocolError("leased")
        self.leased.add(key)

    @property
    def leased(self) -> set[str]:
        leased: set[str] = self.__dict__.setdefault("_leased", set())
        return leased

    def release(self, key: str) -> None:
        if key in self.leased:
            self.leased.remove(key)
            del self.place[f"lease {key}"]

    def load(self, key: str) -> StoredRecord | None:
        found: StoredRecord | None = self.place.get(key)
        return found

    def save(self, key: str, record: dict[str, Any], version: int) -> None:
        last = self.load(key)
        if self.place.get(f"lease {key}", self) is not self:
            raise StoreConflictError("leased")
        if version != (last.version if last else 0):
            raise StoreConflictError("version")
        self.place[key] = StoredRecord(key, version + 1, record)

    def delete(self, key: str, version: int) -> None:
        last = self.load(key)
        if last is not None:
            if last.version != version:
                raise StoreConflictError("version")
            del self.place[key]

    def list(self) -> Any:
        return [stored for stored in self.place.values() if isinstance(stored, StoredRecord)]

    def close(self) -> None:
        for key in [*self.leased]:
            self.release(key)


class IgnoresVersions(Memory):
    def save(self, key: str, record: dict[str, Any], version: int) -> None:
        self.place[key] = StoredRecord(key, version + 1, record)


class DeletesAll(Memory):
    def delete(self, key: str, version: int) -> None:
        self.place.pop(key, None)


class LeasesTwice(Memory):
    def lease(self, key: str) -> None:
        self.leased.add(key)


class KeepsLeases(Memory):
    def close(self) -> None:
        pass


class ReleasesWhatItDeletes(Memory):
    def delete(self, key: str, version: int) -> None:
        super().delete(key, version)
        self.release(key)


class FoldsKeys(Memory):
    def load(self, key: str) -> StoredRecord | None:
        return super().load(key.lower())

    def save(self, key: str, record: dict[str, Any], version: int) -> None:
        super().save(key.lower(), record, version)


class SortsAway(Memory):
    def load(self, key: str) -> StoredRecord | None:
        found = super().load(key)
        return found and StoredRecord(
            key, found.version, {k: v for k, v in found.record.items() if k}
        )


@pytest.mark.parametrize(
    ("wrong", "cases"),
    [
        (IgnoresVersions, {"a save needs the last version", "of rivals one wins"}),
        (DeletesAll, {"a delete needs the last version"}),
        (LeasesTwice, {"a chat is leased once"}),
        (ReleasesWhatItDeletes, {"a deleted chat is leased on"}),
        (KeepsLeases, {"a closed store has no leases"}),
        (FoldsKeys, {"keys are kept apart"}),
        (SortsAway, {"records come back as they were"}),
    ],
)
def test_an_error_is_found(wrong: type[Memory], cases: set[str]) -> None:
    """The error is found by the case about it."""
    place: dict[str, Any] = {}
    with pytest.raises(ConformanceError) as raised:
        check_store(lambda: wrong(place))
    assert cases <= raised.value.failed.keys()
