"""Storage: records of chats in files, from which chats are restored after a crash."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterable
from os import PathLike
from pathlib import Path
from typing import Any, Final, Protocol, get_args

from attrs import evolve, field, frozen
from cattrs import Converter
from cattrs.strategies import configure_tagged_union

from chatfsm._client.client import ChatClient
from chatfsm._plain import json_safe
from chatfsm.client_effects import ChatEffect, ChatOpened, LinkChanged, Undelivered
from chatfsm.effects import AppEffect, FormClosed, FormOpened
from chatfsm.endpoint import Endpoint
from chatfsm.errors import SnapshotError
from chatfsm.events import Event
from chatfsm.settings import ClientSettings
from chatfsm.signaling import Signal

__all__ = [
    "FileStore",
    "RestoredChat",
    "Store",
    "as_store",
    "load_chat",
    "make_record",
    "new_token",
    "parse_record",
    "restore",
]

_DEFAULTS: Final = ClientSettings()
_TOKEN_BYTES: Final = 6  # a customer's devices are few: 2^48 tokens do not meet
_OWNER_ONLY: Final = 0o600  # a record holds messages of people


class Store(Protocol):
    """A place for the record of one chat."""

    def load(self) -> dict[str, Any] | None:
        """Return the record that was saved last; None if there is none."""

    def save(self, record: dict[str, Any]) -> object:
        """Save a record in place of the last, and return once it is safe."""


@frozen
class FileStore:
    """A store in one file, which its owner alone may read. Use one file per chat.

    A crash at any time leaves the last record or the new one, whole.
    """

    path: Path = field(converter=Path)

    def load(self) -> dict[str, Any] | None:
        """Return the record in the file; None if there is no file.

        Raises `SnapshotError` if it is not a JSON object, OSError if it cannot be read.
        """
        try:
            record = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except (ValueError, RecursionError):
            raise SnapshotError(f"{self.path} is not a record of a chat: it is not JSON") from None
        if not isinstance(record, dict):
            raise SnapshotError(f"{self.path} is not a record of a chat: it is not a JSON object")
        return record

    def save(self, record: dict[str, Any]) -> None:
        """Replace the file by a record; it is on the disk when this returns.

        Raises OSError if it cannot be written.
        """
        text = json.dumps(record, allow_nan=False).encode()
        beside = self.path.with_name(f".{self.path.name}.new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(beside, flags, _OWNER_ONLY), "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)
        _sync_folder(self.path.parent)


def _sync_folder(folder: Path) -> None:
    """Write the folder's entry of the new file to the disk, if the system can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@frozen
class RestoredChat:
    """A chat from a record: both parts are for the constructor of a driver's `Chat`."""

    client: ChatClient
    pending: tuple[ChatEffect, ...] = ()
    """Effects that the app had not handled; the driver gives them again, before all others."""


def restore(
    record: object,
    endpoint: Endpoint,
    *,
    settings: ClientSettings = _DEFAULTS,
    now: float,
    journal: Callable[[str], object] | None = None,
) -> RestoredChat:
    """Return the chat that a record was made of; as `ChatClient.restore`.

    `now`: the time in seconds on the driver's clock. Raises `SnapshotError` if the record is not
    one of a chat.
    """
    snapshot, pending = parse_record(record, now)
    client = ChatClient.restore(snapshot, endpoint, settings=settings, now=now, journal=journal)
    return RestoredChat(client, pending)


def load_chat(
    store: Store | None,
    endpoint: Endpoint,
    *,
    settings: ClientSettings,
    now: float,
    journal: Callable[[str], object] | None = None,
) -> RestoredChat:
    """Return the chat of a store, or a new one if there is none.

    A chat that is over counts only as long as the app has not handled all of its effects.
    """
    record = None if store is None else store.load()
    if record is not None:
        restored = restore(record, endpoint, settings=settings, now=now, journal=journal)
        if restored.pending or not restored.client.done:
            return restored
    client = ChatClient(endpoint, settings=settings, token=new_token(), journal=journal)
    return RestoredChat(client)


def new_token() -> str:
    """Return a random token for the message ids of a new client."""
    return secrets.token_hex(_TOKEN_BYTES)


def as_store(store: Store | str | PathLike[str] | None) -> Store | None:
    """Return the store itself, or the one of the file at this path."""
    return FileStore(Path(store)) if isinstance(store, str | PathLike) else store


# A record has the client's snapshot and the effects that the app has not handled. The client counts
# these as reported, so without them a crash would lose them.

FORMAT: Final = "chatfsm.chat"
VERSION: Final = 1

# Results of API requests are not saved: the function that waited for them has ended with the
# process. `AuthorizationFailed` is not, because `LinkChanged` reports the same.
Saved = ChatOpened | LinkChanged | Undelivered | AppEffect
_SAVED: Final = get_args(Saved)

_converter: Final = Converter(forbid_extra_keys=True, detailed_validation=False)
_converter.register_structure_hook_func(lambda cls: cls is object, lambda value, _cls: value)
configure_tagged_union(Signal, _converter, tag_name="signal")
configure_tagged_union(Event, _converter, tag_name="event")
configure_tagged_union(Saved, _converter, tag_name="effect")


def make_record(snapshot: dict[str, Any], pending: Iterable[Any], now: float) -> dict[str, Any]:
    """Return the record of a chat as plain JSON, with its pending effects in order."""
    told = [_plain(_shifted(effect, -now)) for effect in pending if isinstance(effect, _SAVED)]
    return {"format": FORMAT, "version": VERSION, "client": snapshot, "told": told}


def parse_record(record: object, now: float) -> tuple[dict[str, Any], tuple[ChatEffect, ...]]:
    """Return the client's snapshot and the pending effects. Raises `SnapshotError`."""
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise SnapshotError(f"not a record of a chat: format must be {FORMAT!r}")
    if record.get("version") != VERSION:
        raise SnapshotError(f"cannot read this record of a chat: version must be {VERSION}")
    if set(record) != {"format", "version", "client", "told"}:
        raise SnapshotError("not a record of a chat: it must have format, version, client and told")
    try:
        pending = _converter.structure(record["told"], list[Saved])
    except Exception as error:  # noqa: BLE001  # cattrs passes on whatever a class raises
        raise SnapshotError(f"not a record of a chat: told: {type(error).__name__}") from None
    return record["client"], tuple(_shifted(effect, now) for effect in pending)


def _shifted(effect: Saved, by: float) -> Saved:
    """Return the effect with its deadline moved; records hold deadlines as seconds left."""
    if isinstance(effect, FormOpened | FormClosed) and effect.form.deadline is not None:
        return evolve(effect, form=evolve(effect.form, deadline=effect.form.deadline + by))
    return effect


def _plain(effect: Saved) -> object:
    return json_safe(_converter.unstructure(effect, Saved))
