"""A request on its way, what is to happen to it, and what comes back."""

from __future__ import annotations

from typing import Final, Literal

from attrs import define, field, frozen

from chatfsm.conversation.exchange import HttpReply, HttpRequest
from chatfsm.simulator.faults import Fault, Subject

__all__ = ["PORTAL", "Arrival", "Broken", "Journey", "broken_by", "subject_of"]

PORTAL: Final = b"<!doctype html><title>Welcome to our network</title>"
_GARBAGE: Final = b"\x16\x03\x01 this is no HTTP\r\n\r\n"


@frozen
class Broken:
    """No whole reply comes; `reply` is what it would have been, where the server gave one."""

    id: int
    kind: Literal[
        "refused",  # the request never left
        "reset",  # the connection breaks before the reply
        "truncated",  # it breaks within the reply
        "garbage",  # what comes is no HTTP: see `garbage`
        "lost",  # nothing comes, ever: whoever waits gives up
    ]
    reply: HttpReply | None = None
    garbage: bytes = field(default=b"", repr=False)


Arrival = HttpReply | Broken


@define
class Journey:
    """A request on its way, and what happens to it."""

    request: HttpRequest
    sender: str
    """Whose it is: the credentials that it bears."""
    before: Fault | None = None
    after: Fault | None = None
    delay: float = 0.0
    late: float = 0.0
    """Seconds that it takes to arrive beside the usual; giving it up does not call it back."""
    overtaken: float | None = None
    copies: int = 1
    """How many replies are still to arrive; more than that on their way are no longer."""
    shocks: list[Fault] = field(factory=list)
    """What happens to the server as it arrives."""
    is_cancelled: bool = False
    """Whether nobody waits for it any more."""

    @property
    def place(self) -> tuple[str, str]:
        """What a cache goes by that does not look at the whole query."""
        return self.sender, self.request.url.partition("?")[0]


def subject_of(request: HttpRequest) -> Subject:
    """What a request is about, by its path."""
    path = request.url.partition("?")[0].rpartition("/clientweb/api/")[2].partition("/")[2]
    first, _, rest = path.partition("/")
    last = rest.rpartition("/")[2]
    if first == "files" and request.method == "POST":
        return "upload"
    if first != "chats":
        return "other"
    if not rest:
        return "open"
    if last == "events":
        return "poll" if request.method == "GET" else "post"
    return "history" if last == "history" else "other"


def broken_by(kind: str, reply: HttpReply) -> Broken:
    """What becomes of a reply by a fault of this kind."""
    if kind == "drop-reply":
        return Broken(reply.id, "lost", reply)
    if kind == "reset":
        return Broken(reply.id, "reset", reply)
    if kind == "truncate":
        return Broken(reply.id, "truncated", reply)
    return Broken(reply.id, "garbage", reply, _GARBAGE)
