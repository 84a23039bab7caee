"""Every method that the center answers: verb, path, versions, and who answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import frozen

from chatfsm.conversation.exchange import HttpReply
from chatfsm.simulator import opening, polling, talking, uploads
from chatfsm.simulator.asked import Asked
from chatfsm.simulator.desk import Caller, Desk
from chatfsm.simulator.errors import RefusedError

__all__ = ["METHODS", "Method", "method_for"]

_BOTH: Final = frozenset({1, 2})
_FIRST: Final = frozenset({1})
_SECOND: Final = frozenset({2})
_NOT_FOUND: Final = 404
_WRONG_VERB: Final = 405

Handler = Callable[[Desk, Asked, Caller], HttpReply | None]


@frozen
class Method:
    """One method: a segment of `path` in braces stands for any, under that name."""

    verb: str
    path: str
    versions: frozenset[int]
    handler: Handler
    is_download: bool = False
    """Whether it is asked for without the tenant's domain."""

    def names_in(self, path: tuple[str, ...]) -> dict[str, str] | None:
        """What a path holds under the names of this method's; None where it is another one."""
        shape = self.path.split("/")
        if len(shape) != len(path):
            return None
        pairs = list(zip(shape, path, strict=True))
        if any(part != given for part, given in pairs if not part.startswith("{")):
            return None
        return {part.strip("{}"): given for part, given in pairs if part.startswith("{")}


# Source: PROTOCOL.md §1.
METHODS: Final = (
    Method("GET", "availability", _BOTH, opening.availability),
    Method("GET", "parameters", _BOTH, opening.parameters),
    Method("POST", "chats", _BOTH, opening.request_chat),
    Method("POST", "requestsms", _FIRST, opening.request_sms),
    Method("GET", "chats/active", _BOTH, opening.active_chat),
    Method("POST", "chats/{chat}/events", _BOTH, talking.post),
    Method("GET", "chats/{chat}/events", _BOTH, polling.poll),
    Method("GET", "chats/{chat}/history", _BOTH, talking.history),
    Method("POST", "files", _BOTH, uploads.upload),
    Method("GET", "chats/{chat}/files/{subject}", _BOTH, uploads.download, is_download=True),
    Method("GET", "chats/{chat}/profilephotos/{subject}", _BOTH, uploads.photo, is_download=True),
    Method("GET", "iceservers", _BOTH, opening.ice_servers),
    Method("POST", "chats/{chat}/notifications", _SECOND, talking.notifications),
    Method("GET", "chats/{chat}/casehistory", _SECOND, talking.case_history),
    Method("POST", "chats/{chat}/closecase", _SECOND, talking.close_case),
    Method("GET", "version", _SECOND, opening.server_version),
)


def method_for(asked: Asked) -> Method:
    """The method that is asked for, with what its path names put into `asked.named`.

    Raises `RefusedError` with a bare 404, or 405 for a path that is asked with another verb.
    """
    is_known = False
    for method in METHODS:
        names = method.names_in(asked.path) if asked.version in method.versions else None
        if names is None:
            continue
        if method.verb == asked.method:
            asked.named = names
            return method
        is_known = True
    raise RefusedError("", status=_WRONG_VERB if is_known else _NOT_FOUND)
