"""The file that a chat goes on from: who the customer is to the server, and the chat itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from attrs import define, field

from chatfsm.drivers import keeping
from chatfsm.errors import SnapshotError

__all__ = ["Saved"]


@define
class Saved:
    """A client id, and the record of its chat where there is one; kept at every change."""

    path: Path | None
    client_id: str = field(repr=False)
    record: dict[str, Any] | None = field(default=None, repr=False)

    @classmethod
    def at(cls, path: str | None, environment: Mapping[str, str]) -> Self:
        """What a file holds; with the environment's client id, else the file's, else a new one.

        Raises `SnapshotError` for a file of something else, OSError where it cannot be read.
        """
        wanted = environment.get("CHATFSM_CLIENT_ID")
        found = None if path is None else keeping.read(path)
        if path is None or found is None:
            return cls(None if path is None else Path(path), wanted or str(uuid4()))
        client_id, record = found.get("client_id"), found.get("chat")
        if not isinstance(client_id, str) or set(found) != {"client_id", "chat"}:
            raise SnapshotError(f"{path} is not the state of a chat")
        if wanted not in {None, client_id}:
            raise SnapshotError(f"{path} is of another client id than CHATFSM_CLIENT_ID")
        return cls(Path(path), client_id, record)

    def keep(self, record: dict[str, Any]) -> None:
        """Keep the chat as it stands."""
        self.record = record
        if self.path is not None:
            keeping.FileKeeper(self.path)({"client_id": self.client_id, "chat": record})
