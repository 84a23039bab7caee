"""Records of chats in files, and chats from such files: what survives `kill -9`, or a power cut."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, get_args

from attrs import evolve, field, frozen
from cattrs import Converter
from cattrs.strategies import configure_tagged_union

from chatfsm._client.client import ChatClient
from chatfsm._plain import json_safe
from chatfsm._session.session import ChatSession
from chatfsm.client_effects import ChatOpened, LinkChanged, Undelivered
from chatfsm.effects import Effect, FormClosed, FormOpened
from chatfsm.endpoint import Endpoint
from chatfsm.errors import SnapshotError
from chatfsm.settings import ClientSettings
from chatfsm.signaling import Signal

__all__ = ["FileStore", "RestoredChat", "make_record", "parse_record", "read", "restore"]

_USUAL: Final = ClientSettings()
_OWNER_ONLY: Final = 0o600  # a record holds what people wrote


@frozen
class FileStore:
    """Keeps a chat's record in a file: the old one or the new one is there, whole, at any time.

    Its owner alone may read it. Use one file a chat. Raises OSError where it cannot be written.
    """

    path: Path = field(converter=Path)

    def __call__(self, record: dict[str, Any]) -> None:
        """Put a record in place of the one before; on the disk when this returns."""
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
    """Bring to the disk which file bears the name, where the system can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(path: str | Path) -> dict[str, Any] | None:
    """The record in a file, None where there is no file.

    Raises `SnapshotError` for what is no JSON object, OSError where it cannot be read.
    """
    try:
        found = json.loads(Path(path).read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):
        raise SnapshotError("not a record of a chatfsm chat: it is no JSON") from None
    if not isinstance(found, dict):
        raise SnapshotError("not a record of a chatfsm chat")
    return found


@frozen
class RestoredChat:
    """What a record was made of: give both to a driver."""

    client: ChatClient
    pending: tuple[object, ...]
    """What the client had told, and the app not handled; it is told again, first of all."""


def restore(
    record: object,
    endpoint: Endpoint,
    *,
    settings: ClientSettings = _USUAL,
    now: float,
    wrap: Callable[[ChatSession], Any] = lambda session: session,
) -> RestoredChat:
    """The chat that a record was taken of; as `ChatClient.restore`. Raises `SnapshotError`."""
    snapshot, told = parse_record(record, now)
    client = ChatClient.restore(snapshot, endpoint, settings=settings, now=now, wrap=wrap)
    return RestoredChat(client, told)


# A driven chat as plain JSON: the client's snapshot, and what it told that nobody has handled.
#
# The client takes what it told for heard; so what still waits for the app when the process dies is
# in the record too, or it would be lost.

FORMAT: Final = "chatfsm.chat"
VERSION: Final = 1

# The answers of calls are not kept: whoever asked is gone with the process. That credentials were
# refused, `LinkChanged` tells as well.
Saved = ChatOpened | LinkChanged | Undelivered | Effect
_SAVED: Final = get_args(Saved)

_converter: Final = Converter(forbid_extra_keys=True, detailed_validation=False)
_converter.register_structure_hook_func(lambda cls: cls is object, lambda value, _cls: value)
configure_tagged_union(Signal, _converter, tag_name="signal")
configure_tagged_union(Saved, _converter, tag_name="effect")


def make_record(snapshot: dict[str, Any], waiting: Iterable[object], now: float) -> dict[str, Any]:
    """The record of a chat, with what waits for the app, in order."""
    told = [_plain(_shifted(effect, -now)) for effect in waiting if isinstance(effect, _SAVED)]
    return {"format": FORMAT, "version": VERSION, "client": snapshot, "told": told}


def parse_record(record: object, now: float) -> tuple[dict[str, Any], tuple[object, ...]]:
    """The client's snapshot, and what waited for the app. Raises `SnapshotError`, saying why."""
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise SnapshotError("not a record of a chatfsm chat")
    if record.get("version") != VERSION:
        raise SnapshotError(f"the record's version is not {VERSION}, the only one known here")
    if set(record) != {"format", "version", "client", "told"}:
        raise SnapshotError("a record that was changed: parts are missing or too many")
    try:
        told = _converter.structure(record["told"], list[Saved])
    except Exception as error:  # noqa: BLE001  # cattrs lets through whatever a class raises
        raise SnapshotError(f"not what was told: {type(error).__name__}") from None
    return record["client"], tuple(_shifted(effect, now) for effect in told)


def _shifted(effect: object, by: float) -> object:
    """The same on another clock: deadlines travel as seconds left."""
    if isinstance(effect, FormOpened | FormClosed) and effect.form.deadline is not None:
        return evolve(effect, form=evolve(effect.form, deadline=effect.form.deadline + by))
    return effect


def _plain(effect: object) -> object:
    return json_safe(_converter.unstructure(effect, Saved))
