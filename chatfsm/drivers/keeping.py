"""Records of chats in files, and chats from such files: what survives `kill -9`, or a power cut."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from attrs import field, frozen

from chatfsm.conversation.client import ChatClient
from chatfsm.conversation.endpoint import Endpoint
from chatfsm.conversation.settings import ClientSettings
from chatfsm.drivers.records import told_in
from chatfsm.errors import SnapshotError
from chatfsm.session.session import ChatSession

__all__ = ["FileKeeper", "Restored", "read", "restore"]

_USUAL: Final = ClientSettings()
_OWNER_ONLY: Final = 0o600  # a record holds what people wrote


@frozen
class FileKeeper:
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
class Restored:
    """What a record was made of: give both to a driver."""

    client: ChatClient
    told: tuple[object, ...]
    """What the client had told, and the app not handled; it is told again, first of all."""


def restore(
    record: object,
    endpoint: Endpoint,
    *,
    settings: ClientSettings = _USUAL,
    now: float,
    wrap: Callable[[ChatSession], Any] = lambda session: session,
) -> Restored:
    """The chat that a record was taken of; as `ChatClient.restore`. Raises `SnapshotError`."""
    snapshot, told = told_in(record, now)
    client = ChatClient.restore(snapshot, endpoint, settings=settings, now=now, wrap=wrap)
    return Restored(client, told)
