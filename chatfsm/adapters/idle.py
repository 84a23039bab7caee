"""Connections that are kept alive between requests; threads may share them."""

from __future__ import annotations

import socket
import threading
from typing import Final

from attrs import define, field

from chatfsm.adapters.deadlines import BoundedConnection

__all__ = ["Idle"]

# A poll's and a post's, and a few threads more.
_MOST: Final = 8


@define
class Idle:
    """The connections that wait, each with its origin; the one that was used last is last."""

    _waiting: list[tuple[str, BoundedConnection]] = field(factory=list, init=False, repr=False)
    _most: int = field(default=_MOST, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

    def take(self, origin: str) -> BoundedConnection | None:
        """A connection to there that can be used again, if one waits."""
        while (found := self._last(origin)) is not None:
            if _is_silent(found):
                return found
            found.close()
        return None

    def keep(self, origin: str, connection: BoundedConnection) -> None:
        """Let a connection wait, unless it is closed; the one that waits longest makes room."""
        with self._lock:
            if connection.sock is not None:
                self._waiting.append((origin, connection))
            surplus = self._waiting[: max(0, len(self._waiting) - self._most)]
            self._waiting = self._waiting[len(surplus) :]
        for _, too_many in surplus:
            too_many.close()

    def close(self) -> None:
        """Close all that wait, and let none wait any more."""
        with self._lock:
            self._most = 0
            waiting, self._waiting = self._waiting, []
        for _, connection in waiting:
            connection.close()

    def _last(self, origin: str) -> BoundedConnection | None:
        with self._lock:
            for index in reversed(range(len(self._waiting))):
                if self._waiting[index][0] == origin:
                    return self._waiting.pop(index)[1]
        return None


def _is_silent(connection: BoundedConnection) -> bool:
    """Whether nothing came since the last reply: neither its end, nor what nobody asked for."""
    sock = connection.sock
    sock.settimeout(0)
    try:
        # Of the plain socket, also below TLS, whose own recv cannot look without taking.
        socket.socket.recv(sock, 1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
