"""What happens in the chats of a center, as lines that `chatfsm replay` reads."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, Self

from attrs import define, field

__all__ = ["Writing"]

_OWNER_ONLY: Final = 0o600


@define(eq=False)
class Writing(AbstractContextManager["Writing"]):
    """Writes a line an event to a file that was not there before; OSError where it was.

    What cannot be written is told once, and nothing is written after it: a center goes on.
    """

    path: str
    complain: Callable[[str], object]
    _descriptor: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        # Two runs with one seed give their chats the same ids, so they do not go into one file.
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)

    def __call__(self, chat_id: str, event: Mapping[str, Any]) -> None:
        """Write an event of a chat."""
        if self._descriptor < 0:
            return
        # The chat that it is of comes last: an event may hold a field of this name.
        line = json.dumps({**event, "chat_id": chat_id}) + "\n"
        try:
            _write(self._descriptor, line.encode())
        except OSError as error:
            self.complain(f"{self.path}: {error.strerror}: nothing more is recorded")
            self.close()

    def close(self) -> None:
        """Nothing more is written."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
