"""Logger: silent unless the app adds a handler; above DEBUG it names ids and kinds only.

Each record has the fields of `log_fields`, so that any format and any handler can use them.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from contextvars import ContextVar
from typing import Final, Protocol

__all__ = ["LogStep", "current_step", "log_fields", "logger"]

logger: Final = logging.getLogger("chatfsm")
logger.addHandler(logging.NullHandler())


class LogStep(Protocol):
    """A step of a client, as log records describe it."""

    @property
    @abstractmethod
    def link(self) -> str:
        """State of the link to the server."""

    @property
    def purpose(self) -> str | None:
        """Purpose of the request that the client receives the result of; None if of none."""


current_step: Final[ContextVar[LogStep | None]] = ContextVar("chatfsm_step", default=None)
"""The step that the client takes now; its session logs in it, and knows of no client."""


def log_fields(chat_id: str | None, link: str | None = None) -> dict[str, str | None]:
    """Return the fields of a record, for `extra=`.

    `chat_id` is None before there is a chat, and an odd one is escaped, so that a record stays one
    line of plain text. `link` is None without a client, `purpose` unless the record follows from
    the result of a request: then it is poll, history, post or api.
    """
    if chat_id and not (chat_id.isascii() and chat_id.isprintable()):
        chat_id = ascii(chat_id)[1:-1]
    step = current_step.get()
    return {
        "chat_id": chat_id or None,
        "link": link if step is None else step.link,
        "purpose": None if step is None else step.purpose,
    }
