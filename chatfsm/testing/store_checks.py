"""Conformance kit of stores: checks that a store of many chats of your own does what it must.

    check_store(lambda: MyStore("redis://127.0.0.1"))

The kit calls `make_store` several times, for stores in the same place: each stands for a process.
It uses keys that begin with "check-", and deletes their records again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Barrier
from typing import Any, Final, Protocol

from attrs import define, field

from chatfsm.errors import LocalProtocolError, StoreConflictError
from chatfsm.testing.conformance import Conformance, ConformanceError

__all__ = ["StoreLike", "StoredRecordLike", "check_store", "store_cases"]

_TIMEOUT: Final = 10.0
"""Seconds in which a store has to answer."""
_RIVALS: Final = 4
_ROUNDS: Final = 5
_KEYS: Final = (
    *("check-1", "check-A", "check-a", "check-ä", "check-%41", "check-a/../b", "check-*"),
    *("check-'; --", 'check-"x"', "check-a b", "check-\\", "check-:{}", "check-" + "x" * 90),
)
_RECORDS: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"text": "Grüße \U0001f600 \0 \ud800 </script>", "empty": "", "list": [], "none": None},
    {"number": 1, "float": 0.1, "large": 2**70, "minus": -1.5e-300, "true": True},
    {"deep": [[[{"a": [1, {"b": [None]}]}]]], "": {"": ""}, "long": "x" * 100_000},
)


class StoredRecordLike(Protocol):
    """The result of `load` and `list`: a `chatfsm.drivers.storage.StoredRecord`."""

    @property
    def key(self) -> str:
        """Key of the chat."""
        ...

    @property
    def version(self) -> int:
        """Number of saves."""
        ...

    @property
    def record(self) -> dict[str, Any]:
        """The record."""
        ...


class StoreLike(Protocol):
    """A `chatfsm.drivers.storage.Store`, which describes the methods. It may have `close`."""

    def lease(self, key: str) -> None:
        """Lease a chat."""

    def release(self, key: str) -> None:
        """Release a chat."""

    def load(self, key: str) -> StoredRecordLike | None:
        """Return the record of a chat."""

    def save(self, key: str, record: dict[str, Any], version: int) -> Any:
        """Save a record."""

    def delete(self, key: str, version: int) -> None:
        """Delete a record."""

    def list(self) -> Iterable[StoredRecordLike]:
        """Return all records."""
        ...


@define(eq=False)
class _Place:
    """The place of the stores that a case uses."""

    make_store: Callable[[], StoreLike]
    _stores: ExitStack = field(factory=ExitStack, init=False)

    def store(self) -> StoreLike:
        """Return another store, which is closed after the case."""
        store = self.make_store()
        self._stores.callback(close, store)
        return store

    def end(self) -> None:
        """Delete the records of the case, and close its stores."""
        with self._stores:
            store = self.store()
            for stored in [*store.list()]:
                if stored.key.startswith("check-"):
                    store.delete(stored.key, stored.version)


def check_store(make_store: Callable[[], StoreLike]) -> Conformance:
    """Check a store in all cases. Raises `ConformanceError` if one fails.

    `make_store` returns a new store in the same place each time; no other process uses the place.
    """
    failed: dict[str, str] = {}
    for name, case in _CASES.items():
        place = _Place(make_store)
        try:
            try:
                case(place)
            finally:
                place.end()
        except Exception as error:  # noqa: BLE001  # of the store
            failed[name] = f"{type(error).__name__}: {error}"
    if failed:
        raise ConformanceError(failed, len(_CASES))
    return Conformance(len(_CASES), ())


def store_cases() -> tuple[str, ...]:
    """Return the names of all cases."""
    return tuple(_CASES)


def close(store: StoreLike) -> None:
    """Close a store, if it has a method for that."""
    method = getattr(store, "close", None)
    if method is not None:
        method()


def save(store: StoreLike, key: str, record: dict[str, Any], version: int) -> None:
    """Save a record, and wait for the answer."""
    saving = store.save(key, record, version)
    if saving is not None:
        saving.result(_TIMEOUT)


def expect(found: object, expected: object, what: str) -> None:
    """Raise AssertionError unless both are equal as JSON."""
    if json.dumps(found, sort_keys=True) != json.dumps(expected, sort_keys=True):
        raise AssertionError(f"{what}: {found!r:.200} in place of {expected!r:.200}")


def expect_refusal(error: type[Exception], what: str, function: Callable[[], object]) -> None:
    """Raise AssertionError unless the function raises this error."""
    try:
        function()
    except error:
        return
    raise AssertionError(f"{what} must raise {error.__name__}")


def _plain(stored: StoredRecordLike | None) -> object:
    return None if stored is None else [stored.key, stored.version, stored.record]


def _what_is_not_there_is_none(place: _Place) -> None:
    store = place.store()
    expect(_plain(store.load("check-1")), None, "load of a chat that was never saved")
    store.delete("check-1", 1)
    store.release("check-1")


def _records_come_back_as_they_were(place: _Place) -> None:
    store = place.store()
    for version, record in enumerate(_RECORDS):
        save(store, "check-1", record, version)
        for one in (store, place.store()):
            expect(_plain(one.load("check-1")), ["check-1", version + 1, record], "load")


def _keys_are_kept_apart(place: _Place) -> None:
    store = place.store()
    for number, key in enumerate(_KEYS):
        save(store, key, {"number": number}, 0)
    for number, key in enumerate(_KEYS):
        expect(_plain(store.load(key)), [key, 1, {"number": number}], f"load of {key!r}")
    found = sorted([_plain(one) for one in place.store().list() if one.key in _KEYS], key=str)
    expected = [[key, 1, {"number": number}] for number, key in enumerate(_KEYS)]
    expect(found, sorted(expected, key=str), "list")


def _a_save_needs_the_last_version(place: _Place) -> None:
    one, two = place.store(), place.store()
    save(one, "check-1", {"by": 1}, 0)
    save(two, "check-1", {"by": 2}, 1)
    for version in (0, 1, 3):
        what = f"save in place of version {version}, when the last is 2,"
        expect_refusal(
            StoreConflictError,
            what,
            lambda at=version: save(one, "check-1", {}, at),  # type: ignore[misc]
        )
    expect(_plain(one.load("check-1")), ["check-1", 2, {"by": 2}], "load after refused saves")
    what = "save in place of version 1, when there is none,"
    expect_refusal(StoreConflictError, what, lambda: save(one, "check-2", {}, 1))
    expect(_plain(one.load("check-2")), None, "load after a refused save")


def _a_delete_needs_the_last_version(place: _Place) -> None:
    one, two = place.store(), place.store()
    save(one, "check-1", {}, 0)
    save(one, "check-1", {}, 1)
    expect_refusal(StoreConflictError, "delete of version 1", lambda: two.delete("check-1", 1))
    two.delete("check-1", 2)
    two.delete("check-1", 2)
    expect(_plain(one.load("check-1")), None, "load after delete")
    what = "save in place of a version that was deleted"
    expect_refusal(StoreConflictError, what, lambda: save(one, "check-1", {}, 2))
    save(one, "check-1", {"new": 1}, 0)


def _of_rivals_one_wins(place: _Place) -> None:
    stores = [place.store() for _ in range(_RIVALS)]
    barrier = Barrier(_RIVALS, timeout=_TIMEOUT)

    def try_to_save(number: int, version: int) -> bool:
        barrier.wait()
        try:
            save(stores[number], "check-1", {"by": number, "version": version}, version)
        except StoreConflictError:
            return False
        return True

    with ThreadPoolExecutor(_RIVALS) as pool:
        for version in range(_ROUNDS):
            won = [*pool.map(try_to_save, range(_RIVALS), [version] * _RIVALS)]
            expect(sum(won), 1, "number of stores that saved in place of the same version")
            winner = {"by": won.index(True), "version": version}
            expect(_plain(stores[0].load("check-1")), ["check-1", version + 1, winner], "load")


def _a_chat_is_leased_once(place: _Place) -> None:
    one, two = place.store(), place.store()
    one.lease("check-1")
    expect_refusal(LocalProtocolError, "a second lease", lambda: two.lease("check-1"))
    expect_refusal(LocalProtocolError, "a second lease, same store,", lambda: one.lease("check-1"))
    two.lease("check-2")
    save(one, "check-1", {"by": 1}, 0)
    what = "save of a chat that another store has leased"
    expect_refusal(StoreConflictError, what, lambda: save(two, "check-1", {"by": 2}, 1))
    two.release("check-1")
    expect_refusal(LocalProtocolError, "lease of another's chat", lambda: two.lease("check-1"))
    one.release("check-1")
    save(one, "check-3", {}, 0)  # a release may be done with the next save
    two.lease("check-1")
    save(two, "check-1", {"by": 2}, 1)
    for key in ("check-1", "check-2"):
        two.release(key)
    save(two, "check-3", {}, 1)


def _a_deleted_chat_is_leased_on(place: _Place) -> None:
    one, two = place.store(), place.store()
    one.lease("check-1")
    save(one, "check-1", {"by": 1}, 0)
    one.delete("check-1", 1)
    what = "save in place of a version that the same store has deleted"
    expect_refusal(StoreConflictError, what, lambda: save(one, "check-1", {"by": 1}, 1))
    what = "lease of a chat that another store has deleted, and not released,"
    expect_refusal(LocalProtocolError, what, lambda: two.lease("check-1"))
    save(one, "check-1", {"new": 1}, 0)
    expect(_plain(two.load("check-1")), ["check-1", 1, {"new": 1}], "load after a new save")
    one.release("check-1")
    save(one, "check-2", {}, 0)  # a release may be done with the next save


def _a_closed_store_has_no_leases(place: _Place) -> None:
    one, two = place.make_store(), place.store()
    one.lease("check-1")
    saving = one.save("check-1", {"by": 1}, 0)
    close(one)
    if saving is not None:
        saving.result(_TIMEOUT)
    if hasattr(one, "close"):
        two.lease("check-1")
    expect(_plain(two.load("check-1")), ["check-1", 1, {"by": 1}], "load of a last save")
    two.release("check-1")
    save(two, "check-2", {}, 0)


_CASES: Final[dict[str, Callable[[_Place], None]]] = {
    case.__name__.strip("_").replace("_", " "): case
    for case in (
        _what_is_not_there_is_none,
        _records_come_back_as_they_were,
        _keys_are_kept_apart,
        _a_save_needs_the_last_version,
        _a_delete_needs_the_last_version,
        _of_rivals_one_wins,
        _a_chat_is_leased_once,
        _a_deleted_chat_is_leased_on,
        _a_closed_store_has_no_leases,
    )
}
