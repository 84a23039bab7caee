"""Storage: records of chats, from which chats are restored after a crash.

A `ChatStore` has one chat: `FileStore`, or a chat of a `Store`, which has many, each under a key:
`chatfsm.drivers.sqlite.SqliteStore`, `FolderStore`, or one of your own, which
`chatfsm.testing.store_checks.check_store` checks.

    Chat.connect(endpoint, store="chat.json")                       # FileStore
    Chat.connect(endpoint, store=ChatInStore(store, "customer-1"))  # one chat of many
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable
from math import isfinite
from os import PathLike
from pathlib import Path
from typing import Any, Final, get_args

from attrs import define, evolve, field, frozen
from cattrs import Converter
from cattrs.strategies import configure_tagged_union

from chatfsm._client.client import ChatClient
from chatfsm._plain import json_safe
from chatfsm.client_effects import ChatEffect, ChatOpened, LinkChanged, Undelivered
from chatfsm.drivers._folder_store import FolderStore
from chatfsm.drivers._journal_file import JournalFile, stamped
from chatfsm.drivers._state_file import FileStore
from chatfsm.drivers._stores import ChatInStore, ChatStore, Store, StoredRecord, Transaction
from chatfsm.effects import AppEffect, FormClosed, FormOpened
from chatfsm.endpoint import Endpoint
from chatfsm.errors import SnapshotError
from chatfsm.events import Event
from chatfsm.settings import ClientSettings
from chatfsm.signaling import Signal

__all__ = [
    "ChatInStore",
    "ChatStore",
    "FileStore",
    "FolderStore",
    "JournalFile",
    "RecordWriter",
    "RestoredChat",
    "Store",
    "StoredRecord",
    "Transaction",
    "as_store",
    "close_store",
    "load_chat",
    "make_record",
    "new_token",
    "parse_record",
    "restore",
    "stamped",
]

_DEFAULTS: Final = ClientSettings()
_TOKEN_BYTES: Final = 6  # a customer's devices are few: 2^48 tokens do not meet


@frozen
class RestoredChat:
    """A chat from a record: both parts are for the constructor of a driver's `Chat`."""

    client: ChatClient
    """The client, with its session, on the clock of the new process."""
    pending: tuple[ChatEffect, ...] = ()
    """Effects that the app had not handled; the driver gives them again, before all others."""


def restore(  # noqa: PLR0913  # all but two by name
    record: object,
    endpoint: Endpoint,
    *,
    settings: ClientSettings = _DEFAULTS,
    now: float,
    wall: float | None = None,
    journal: Callable[[str], object] | None = None,
) -> RestoredChat:
    """Return the chat that a record was made of; as `ChatClient.restore`.

    `now`: the time in seconds on the driver's clock. `wall`: the same time in seconds since 1970;
    None: the present. Deadlines go on while no process runs, by the
    wall clock. Raises `SnapshotError` if the record is not one of a chat.
    """
    wall = time.time() if wall is None else wall
    snapshot, pending = parse_record(record, now, wall=wall)
    saved_at = now - _seconds_since(record, wall)
    client = ChatClient.restore(
        snapshot, endpoint, settings=settings, now=saved_at, journal=journal
    )
    return RestoredChat(client, pending)


def load_chat(
    store: ChatStore | None,
    endpoint: Endpoint,
    *,
    settings: ClientSettings,
    now: float,
    journal: Callable[[str], object] | None = None,
) -> RestoredChat:
    """Return the chat of a store, or a new one if there is none.

    A chat that is over counts only as long as the app has not handled all of its effects. The lines
    of the journal get the time of day.
    """
    journal = None if journal is None else stamped(journal)
    lock = getattr(store, "lock", None)
    if lock is not None:
        lock()
    try:
        record = None if store is None else store.load()
        if record is not None:
            restored = restore(record, endpoint, settings=settings, now=now, journal=journal)
            if restored.pending or not restored.client.done:
                return restored
    except BaseException:
        close_store(store)
        raise
    client = ChatClient(endpoint, settings=settings, token=new_token(), journal=journal)
    return RestoredChat(client)


def new_token() -> str:
    """Return a random token for the message ids of a new client."""
    return secrets.token_hex(_TOKEN_BYTES)


def close_store(store: ChatStore | None) -> None:
    """Close a store, if it has a method for that."""
    close = getattr(store, "close", None)
    if close is not None:
        close()


def as_store(store: ChatStore | str | PathLike[str] | None) -> ChatStore | None:
    """Return the store itself, or the one of the file at this path."""
    return FileStore(Path(store)) if isinstance(store, str | PathLike) else store


# A record has the client's snapshot and the effects that the app has not handled. The client counts
# these as reported, so without them a crash would lose them.

FORMAT: Final = "chatfsm.chat"
VERSION: Final = 3
_KEYS: Final = frozenset({"format", "version", "at", "due", "client", "told"})
_MISSING: Final = {1: {"at", "due"}, 2: {"due"}, VERSION: set[str]()}
"""Keys that records of a version do not have. Deadlines of version 1 are seconds left."""

# Results of API requests are not saved: the function that waited for them has ended with the
# process. `AuthorizationFailed` is not, because `LinkChanged` reports the same.
Saved = ChatOpened | LinkChanged | Undelivered | AppEffect
_SAVED: Final = get_args(Saved)

_converter: Final = Converter(forbid_extra_keys=True, detailed_validation=False)
_converter.register_structure_hook_func(lambda cls: cls is object, lambda value, _cls: value)
configure_tagged_union(Signal, _converter, tag_name="signal")
configure_tagged_union(Event, _converter, tag_name="event")
configure_tagged_union(Saved, _converter, tag_name="effect")


@define(eq=False)
class RecordWriter:
    """Makes the records of one chat. Parts that did not change are the same objects again."""

    wall_clock: Callable[[], float] = time.time
    """Returns the time in seconds since 1970, for the deadlines in the record."""
    _snapshot: dict[str, Any] | None = field(default=None, init=False)
    _at: float = field(default=0.0, init=False)
    """Wall clock, in seconds since 1970, when the snapshot was made."""
    _due: float | None = field(default=None, init=False)
    """Deadline of the client in the snapshot, in seconds since 1970; None if it has none."""
    _told: deque[Any] = field(factory=deque, init=False)
    """Each pending effect as JSON; None for one that is not saved."""

    def change_client(self) -> None:
        """Note that the client has changed."""
        self._snapshot = None

    def drop_first(self) -> None:
        """Note that the first pending effect was handled."""
        if self._told:
            self._told.popleft()

    def forget_pending(self) -> None:
        """Note that the pending effects have changed in another way."""
        self._told.clear()

    def record(self, client: ChatClient, pending: deque[Any], now: float) -> dict[str, Any]:
        """Return the record of a chat as plain JSON, with its pending effects in order."""
        wall = self.wall_clock()
        if self._snapshot is None:
            self._snapshot, self._at = client.snapshot(now=now), wall
            left = None if client.deadline is None else max(0.0, client.deadline - now)
            self._due = None if left is None else wall + left
        for number in range(len(self._told), len(pending)):
            self._told.append(_saved_json(pending[number], wall - now))
        told = [effect for effect in self._told if effect is not None]
        return _record(self._snapshot, self._at, self._due, told)


def make_record(
    snapshot: dict[str, Any], pending: Iterable[Any], now: float, *, wall: float | None = None
) -> dict[str, Any]:
    """Return the record of a chat as plain JSON, with its pending effects in order.

    `now`: the time of the snapshot, in seconds on the driver's clock. `wall`: the same time in
    seconds since 1970; None: the present.
    """
    wall = time.time() if wall is None else wall
    told = [_saved_json(effect, wall - now) for effect in pending]
    return _record(snapshot, wall, wall, [effect for effect in told if effect is not None])


def _record(
    snapshot: dict[str, Any], at: float, due: float | None, told: list[Any]
) -> dict[str, Any]:
    """Return a record: `at`, `due` and the deadlines of effects are seconds since 1970."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "at": at,
        "due": due,
        "client": snapshot,
        "told": told,
    }


def _saved_json(effect: Any, shift: float) -> Any:
    return _plain(_shifted(effect, shift)) if isinstance(effect, _SAVED) else None


def parse_record(
    record: object, now: float, *, wall: float | None = None
) -> tuple[dict[str, Any], tuple[ChatEffect, ...]]:
    """Return the client's snapshot and the pending effects. Raises `SnapshotError`.

    The times are as in `make_record`.
    """
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise SnapshotError(f"not a record of a chat: format must be {FORMAT!r}")
    version = record.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version not in _MISSING:
        raise SnapshotError(f"cannot read this record of a chat: version must be 1 to {VERSION}")
    keys = _KEYS - _MISSING[version]
    if set(record) != keys:
        raise SnapshotError(f"not a record of a chat: it must have {', '.join(sorted(keys))}")
    wall = time.time() if wall is None else wall
    _seconds_since(record, wall)
    by = now if version == 1 else now - wall
    try:
        pending = tuple(
            _shifted(effect, by) for effect in _converter.structure(record["told"], list[Saved])
        )
    except Exception as error:  # noqa: BLE001  # cattrs passes on whatever a class raises
        raise SnapshotError(f"not a record of a chat: told: {type(error).__name__}") from None
    return record["client"], pending


def _seconds_since(record: Any, wall: float) -> float:
    """Return the seconds since a record was made, 0 or more; 0 if it does not tell."""
    at = record.get("at")
    if at is None:
        return 0.0
    if not isinstance(at, (int, float)) or isinstance(at, bool) or not isfinite(at):
        raise SnapshotError("not a record of a chat: at must be a number of seconds since 1970")
    return max(0.0, wall - at)


def _shifted(effect: Saved, by: float) -> Saved:
    """Return the effect with its deadline moved from one clock to another."""
    if isinstance(effect, FormOpened | FormClosed) and effect.form.deadline is not None:
        return evolve(effect, form=evolve(effect.form, deadline=effect.form.deadline + by))
    return effect


def _plain(effect: Saved) -> object:
    return json_safe(_converter.unstructure(effect, Saved))
